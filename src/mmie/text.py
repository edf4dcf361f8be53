"""One normal form for every text that is compared: Unicode NFC, white space trimmed and folded."""

from __future__ import annotations

import re
from unicodedata import normalize

# Combining marks are no word characters. Sorting a long run of them takes quadratic time, so a run
# is cut.
_LONG_RUN = re.compile(r"[^\w\s]{64}")


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


def blanks(label: str) -> str:
    """The folded label with underscores read as blanks."""
    return fold(label.replace("_", " "))


def label_key(label: str) -> str:
    """The form in which labels are compared where case does not matter."""
    return blanks(label).casefold()
