"""Texts and names as they enter: one Unicode form, folded white space, nothing that is no text."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator, Mapping
from typing import Any

from mmie.errors import InputError
from mmie.parsing import fold

_NO_TEXT = re.compile("[\0-\x08\x0e-\x1b\x7f-\x84\x86-\x9f\ud800-\udfff]")
_SURROGATE = re.compile("[\ud800-\udfff]")


def clean(text: str, what: str, where: str) -> str:
    """The text in Unicode's form NFC, white space folded.

    NFC makes the entity that a model copies from the text equal to gold. Two halves of one
    character are joined, as some files write an emoji.

    Args:
        text: as the file has it.
        what: what the text is, for the message.
        where: file and line, or the sample.

    Raises:
        InputError: it holds half a character or a control character.
    """
    whole = joined(text)
    refuse_no_text(whole, what, where)
    return fold(unicodedata.normalize("NFC", whole))


def joined(text: str) -> str:
    """The text with surrogate pairs as the characters that they stand for; lone ones stay."""
    if not _SURROGATE.search(text):
        return text
    return text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "surrogatepass")


def refuse_no_text(text: str, what: str, where: str) -> None:
    """Control characters that are no white space, and lone surrogates, would break a later stage.

    Raises:
        InputError: there is one.
    """
    found = _NO_TEXT.search(text)
    if found is None:
        return
    code = f"U+{ord(found[0]):04X}"
    kind = "half a character" if found[0] >= "\ud800" else "a control character"
    raise InputError(f"{where}: {what} holds {kind} ({code}), which is no text; take it out")


def strings_in(value: Any) -> Iterator[str]:
    """Every string inside nested mappings, lists and tuples."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, Mapping):
        yield from strings_in(list(value.items()))
    elif isinstance(value, list | tuple | set | frozenset):
        for entry in value:
            yield from strings_in(entry)
