"""Rules for every text: which characters may come in, and one normal form for comparisons."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any
from unicodedata import normalize

from mmie.errors import InputError

# Combining marks are not word characters. Unicode normalisation sorts a run of them in quadratic
# time, so ``nfc`` cuts runs of this length.
_LONG_RUN = re.compile(r"[^\w\s]{64}")
_INVALID = re.compile("[\0-\x08\x0e-\x1b\x7f-\x84\x86-\x9f\ud800-\udfff]")  # controls, surrogates
_SURROGATE = re.compile("[\ud800-\udfff]")
TAGS = ("<think>", "</think>", "<answer>", "</answer>")  # of a response (eq. 4)
_TAG = re.compile("<(/?(?:think|answer)>)")


def nfc(text: str) -> str:
    """The text in Unicode NFC, where ``é`` is one character however it was typed.

    It takes linear time: long runs of combining marks are normalised 64 characters at a time.
    """
    if text.isascii():
        return text
    cuts = [0, *(run.end() for run in _LONG_RUN.finditer(text)), len(text)]
    pieces = (text[start:end] for start, end in zip(cuts, cuts[1:], strict=False))
    return "".join(normalize("NFC", piece) for piece in pieces)


def fold(text: str) -> str:
    """The text in NFC, trimmed, with every run of white space as one blank.

    Names, labels and answers are compared in this form everywhere. Data, models and teachers write
    the same name with other white space and other code points, which is no error of the model.
    """
    return " ".join(nfc(text).split())


def underscores_to_blanks(label: str) -> str:
    """The folded label with underscores read as blanks."""
    return fold(label.replace("_", " "))


def label_key(label: str) -> str:
    """The form in which labels are compared where case does not matter."""
    return underscores_to_blanks(label).casefold()


def invalid_character(text: str) -> str | None:
    """Names the first character that no text may hold, as a phrase; None for a valid text."""
    match = _INVALID.search(text)
    if match is None:
        return None
    code = ord(match[0])
    if 0xDC80 <= code <= 0xDCFF:  # how Python decodes a byte with errors="surrogateescape"
        return f"a byte that is not UTF-8 (0x{code - 0xDC00:02x})"
    kind = "half a character" if code >= 0xD800 else "a control character"
    return f"{kind} (U+{code:04X})"


def join_surrogate_pairs(text: str) -> str:
    """The text with each surrogate pair as the one character that it stands for.

    Some files write an emoji as such a pair. A lone surrogate stays.
    """
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
    """The text folded, and without tags that would count (``break_tags``).

    Args:
        text: from outside.
        what: where the text comes from and what it is, for the message: ``f:3: 'token'``.

    Raises:
        InputError: the text is blank or holds an invalid character.
    """
    joined = join_surrogate_pairs(text)
    refuse_invalid_characters(joined, what)
    folded = fold(joined)
    if not folded:
        raise InputError(f"{what} is blank; write something there")
    return break_tags(folded)


def refuse_invalid_characters(text: str, what: str) -> None:
    """Raises InputError for control characters and lone surrogates, which break later stages."""
    reason = invalid_character(text)
    if reason is not None:
        raise InputError(f"{what} holds {reason}, which no text may contain; correct this entry")


def replace_invalid_characters(text: str) -> str:
    """The text with a replacement character for each invalid one.

    Used for the teacher's answers: they are paid for, so they are repaired and not refused.
    """
    return _INVALID.sub("\ufffd", text)


def break_tags(text: str) -> str:
    """The text with a blank inside each of ``TAGS``.

    Such a tag inside a name or a chain would break the form of a response (eq. 4).
    """
    return _TAG.sub(r"< \1", text)
