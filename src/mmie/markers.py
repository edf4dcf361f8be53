"""Markers in what people write: ``<|im_end|>`` or ``<image>`` in a tweet must not work.

mmie defuses them before training and before it asks. A server does not: it takes the marker in the
text for the real one. So whoever asks a served model calls ``defuse_markers`` first. Nothing here
needs torch or transformers.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from mmie.errors import InputError
from mmie.files import parse_json
from mmie.text import TAGS

TOKENIZER = "tokenizer.json"


def defuse_markers(text: str, markers: Iterable[str]) -> str:
    """Text in which no marker works: each gets a blank after its first character.

    The tags of a response's form stay, as some tokenizers have tokens for them.

    Args:
        text: any.
        markers: the tokenizer's added tokens, see ``read_markers``.
    """
    for marker in markers:
        if marker not in TAGS:
            text = text.replace(marker, f"{marker[0]} {marker[1:]}")
    return text


def read_markers(folder: str | Path) -> list[str]:
    """The markers of a checkpoint, in the order of their ids.

    Args:
        folder: of an exported model, or any that holds a ``tokenizer.json``.

    Raises:
        InputError: there is no such file, or it is damaged.
    """
    path = Path(folder) / TOKENIZER
    try:
        tokens = parse_json(path.read_bytes())["added_tokens"]
        return [str(token["content"]) for token in sorted(tokens, key=lambda token: token["id"])]
    except (OSError, ValueError, LookupError, TypeError) as error:
        reason = getattr(error, "strerror", None) or "no tokenizer with added tokens"
        raise InputError(f"{path}: {reason}; give the folder of a checkpoint") from error
