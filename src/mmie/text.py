"""One rule for every text that comes in: data, the teacher's answers, prompts, what is asked."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

from mmie.errors import InputError
from mmie.parsing import fold

_NO_TEXT = re.compile("[\ud800-\udfff\x00]")  # halves of characters, and what ends a string in C
TAGS = ("<think>", "</think>", "<answer>", "</answer>")  # of a response (eq. 4)
_TAG = re.compile("<(/?(?:think|answer)>)")


def fault(text: str) -> str | None:
    """Which character makes this no text, as a phrase; None for good text."""
    found = _NO_TEXT.search(text)
    if found is None:
        return None
    if "\udc80" <= found[0] <= "\udcff":
        return f"a byte that is no UTF-8 (0x{ord(found[0]) - 0xDC00:02x})"
    if "\ud800" <= found[0] <= "\udfff":
        return "half a character (a lone surrogate)"
    return "the character NUL"


def strings(value: Any) -> Iterator[str]:
    """Every string in a value of nested lists, tuples and mappings."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, Mapping):
        yield from strings(list(value.values()))
    elif isinstance(value, (list, tuple)):
        for entry in value:
            yield from strings(entry)


def clean(text: str, what: str) -> str:
    """The text with white space folded and without live tags (``without_tags``).

    Args:
        text: from outside.
        what: where it stands and what it is, for the message, as in ``f:3: 'token'``.

    Raises:
        InputError: it is blank, or holds what is no text.
    """
    reason = fault(text)
    if reason is not None:
        raise InputError(f"{what} holds {reason}, which is no text; correct this entry")
    folded = fold(text)
    if not folded:
        raise InputError(f"{what} is blank; write something there")
    return without_tags(folded)


def repaired(text: str) -> str:
    """The text with a replacement character for all that is no text: for answers that are paid."""
    return _NO_TEXT.sub("\ufffd", text)


def without_tags(text: str) -> str:
    """The text with a blank inside each of ``TAGS``.

    Such a tag inside a name or a chain would break the form of a response (eq. 4).
    """
    return _TAG.sub(r"< \1", text)
