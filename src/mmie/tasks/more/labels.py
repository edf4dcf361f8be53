"""The two readers of labels: the strict one of the reward and the lenient one of the evaluation.

The lenient reader takes the last label that the answer mentions, with blanks or underscores, in any
case and whatever stands around it. "None of" is no mention of ``none``. A label that is not offered
but built of known types is an invalid one.
"""

from __future__ import annotations

import re
from collections.abc import Collection
from functools import lru_cache

from mmie.response_blocks import answer_text
from mmie.text import label_key, nfc

SLASHES = {"strict": ("",), "lenient": ("", "/")}  # what may make an answer a label


def parse_label(answer: str, *, labels: Collection[str], slash: str) -> str | None:
    """The one of ``labels`` that the trimmed answer is, in the same case; None for anything else.

    With ``slash="lenient"`` the leading slash may be missing, with ``"strict"`` it may not.
    """
    text = answer.strip()
    return next((before + text for before in SLASHES[slash] if before + text in labels), None)


def read_label(text: str, *, labels: Collection[str], slash: str) -> tuple[str | None, int]:
    """The last label that a response mentions, and the number of invalid ones, 0 or 1.

    None where no label is mentioned, or where the last one is not among ``labels``. With
    ``slash="strict"`` a label needs its leading slash.
    """
    answer = nfc(answer_text(text)).strip()
    if answer in labels:
        return answer, 0
    mentions = [*_mentions(tuple(labels), slash).finditer(answer)]
    if not mentions:
        return None, 0
    spelled = {label_key(label).lstrip("/"): label for label in labels}
    known = mentions[-1]["known"]
    label = spelled[label_key(known.replace("\\", "")).lstrip("/")] if known else None
    return label, int(label is None)


@lru_cache
def _mentions(labels: tuple[str, ...], slash: str) -> re.Pattern[str]:
    """Known labels in the group ``known``, then whatever has their form."""
    optional = "?" if slash == "lenient" else ""
    types = {re.escape(kind) for label in labels for kind in label.split("/")[1:-1]}
    known = "|".join(
        _as_pattern(label, optional) for label in sorted(labels, key=len, reverse=True)
    )
    kind = "|".join(sorted(types)) or r"\w+"
    of_form = rf"/?(?:{kind})/(?:{kind})/\w+"
    return re.compile(
        rf"(?<![\w/])(?:(?P<known>{known})(?![\w/]|\s+of\b)|{of_form})", re.IGNORECASE
    )


def _as_pattern(label: str, optional: str) -> str:
    """A label as it may be written.

    It may have blanks or escaped underscores in it, and lack its slash where that is allowed.
    """
    words = r"(?:\\?_| )".join(re.escape(word) for word in label.removeprefix("/").split("_"))
    return f"/{optional}{words}" if label.startswith("/") else words
