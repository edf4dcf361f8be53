"""Rules for every text: what may come in at all, and one normal form for whatever is compared."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any
from unicodedata import normalize

from mmie.errors import InputError

# Combining marks are no word characters. Sorting a long run of them takes quadratic time, so a run
# is cut.
_LONG_RUN = re.compile(r"[^\w\s]{64}")
_NO_TEXT = re.compile(
    "[\0-\x08\x0e-\x1b\x7f-\x84\x86-\x9f\ud800-\udfff]"
)  # control characters, halves of characters
_SURROGATE = re.compile("[\ud800-\udfff]")
TAGS = ("<think>", "</think>", "<answer>", "</answer>")  # of a response (eq. 4)
_TAG = re.compile("<(/?(?:think|answer)>)")


def nfc(text: str) -> str:
    """The text in Unicode NFC, in linear time: runs of marks are normalised 64 characters at a
    time."""
    if text.isascii():
        return text
    cuts = [0, *(run.end() for run in _LONG_RUN.finditer(text)), len(text)]
    pieces = (text[start:end] for start, end in zip(cuts, cuts[1:], strict=False))
    return "".join(normalize("NFC", piece) for piece in pieces)


def fold(text: str) -> str:
    """Bring to NFC, trim, and make every run of white space one blank.

    Names, labels and answers are compared in this form, on both sides and everywhere.
    """
    return " ".join((text if text.isascii() else nfc(text)).split())


def underscores_to_blanks(label: str) -> str:
    """The folded label with underscores read as blanks."""
    return fold(label.replace("_", " "))


def label_key(label: str) -> str:
    """The form in which labels are compared where case does not matter."""
    return underscores_to_blanks(label).casefold()


def invalid_character(text: str) -> str | None:
    """Which character makes this no text, as a phrase; None for good text."""
    found = _NO_TEXT.search(text)
    if found is None:
        return None
    if "\udc80" <= found[0] <= "\udcff":
        return f"a byte that is no UTF-8 (0x{ord(found[0]) - 0xDC00:02x})"
    code = f"U+{ord(found[0]):04X}"
    return f"half a character ({code})" if found[0] >= "\ud800" else f"a control character ({code})"


def join_surrogate_pairs(text: str) -> str:
    """The text with surrogate pairs as the characters that they stand for, as some files write an emoji; lone ones stay."""
    if not _SURROGATE.search(text):
        return text
    return text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "surrogatepass")


def nested_strings(value: Any) -> Iterator[str]:
    """Every string in a value of nested lists, tuples and mappings."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, Mapping):
        yield from nested_strings(list(value.items()))
    elif isinstance(value, list | tuple | set | frozenset):
        for entry in value:
            yield from nested_strings(entry)


def clean(text: str, what: str) -> str:
    """The text with white space folded and without live tags (``break_tags``).

    Args:
        text: from outside.
        what: where it stands and what it is, for the message, as in ``f:3: 'token'``.

    Raises:
        InputError: it is blank, or holds what is no text.
    """
    whole = join_surrogate_pairs(text)
    refuse_invalid_characters(whole, what)
    folded = fold(whole)
    if not folded:
        raise InputError(f"{what} is blank; write something there")
    return break_tags(folded)


def refuse_invalid_characters(text: str, what: str) -> None:
    """InputError where the text holds half a character or a control character, which would break a later stage."""
    reason = invalid_character(text)
    if reason is not None:
        raise InputError(f"{what} holds {reason}, which is no text; correct this entry")


def replace_invalid_characters(text: str) -> str:
    """The text with a replacement character for all that is no text: for answers that are paid."""
    return _NO_TEXT.sub("\ufffd", text)


def break_tags(text: str) -> str:
    """The text with a blank inside each of ``TAGS``.

    Such a tag inside a name or a chain would break the form of a response (eq. 4).
    """
    return _TAG.sub(r"< \1", text)
