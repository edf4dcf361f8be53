"""Relation labels ``/per/org/member of``, and the two readers of them.

A label has the types of head and tail and the relation between them, with blanks for underscores.
``none`` stands for no relation.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Sequence
from functools import lru_cache

from mmie.errors import InputError
from mmie.response_blocks import answer_text
from mmie.text import fold, label_key, underscores_to_blanks

NONE = "none"

_LABEL = re.compile(r"/[^\s/]+/[^\s/]+/[^/]*[^\s/][^/]*")


def checked_labels(labels: Sequence[str]) -> list[str]:
    """The labels with blanks for underscores.

    Raises:
        InputError: they are no list, or one has another form or is given twice.
    """
    if not isinstance(labels, Sequence) or isinstance(labels, str) or not labels:
        reason = f"{labels!r} is no list of labels"
        raise InputError(f"task.labels: {reason}; name at least one like /per/org/member_of")
    checked: list[str] = []
    for label in labels:
        blank = underscores_to_blanks(str(label))
        if not _LABEL.fullmatch(blank) or blank in checked:
            reason = f"{label!r} is given twice or not of the form /per/org/member_of"
            raise InputError(f"task.labels: {reason}; correct it")
        checked.append(blank)
    return checked


def parts_of(label: str) -> list[str]:
    """Type of the head, type of the tail, and relation."""
    return label.removeprefix("/").split("/")


def parse_label(answer: str, *, labels: Collection[str]) -> str | None:
    """The label that the answer is, with blanks or underscores; None for anything else.

    Args:
        answer: what stands in the answer block.
        labels: with ``none``; they match exactly.
    """
    text = underscores_to_blanks(answer)
    return text if text in labels else None


def read_label(text: str, *, labels: Collection[str]) -> tuple[str | None, int]:
    """The last label that a response mentions, and the number of invalid ones, 0 or 1.

    Case makes no difference, the first slash may be missing, and whatever stands around the label
    is ignored. "None of" is no mention of ``none``. A label that is not offered but built of known
    types is an invalid one. The label is None where none is mentioned or the last one is invalid.
    """
    answer = fold(answer_text(text).replace("\\", ""))
    exact = parse_label(answer, labels=labels)
    if exact is not None:
        return exact, 0
    mentions = [*_mentions(tuple(labels)).finditer(label_key(answer))]
    if not mentions:
        return None, 0
    spelled = {label_key(label).lstrip("/"): label for label in labels}
    label = spelled.get(mentions[-1]["known"] or "")
    return label, int(label is None)


@lru_cache
def _mentions(labels: tuple[str, ...]) -> re.Pattern[str]:
    """Known labels in the group ``known``, without their first slash, then what has their form."""
    keys = sorted((label_key(label).lstrip("/") for label in labels), key=len, reverse=True)
    known = "|".join(map(re.escape, keys))
    types = {kind for key in keys for kind in key.split("/")[:-1]}
    kind = "|".join(map(re.escape, sorted(types)))
    of_form = rf"(?:{kind})/(?:{kind})/\w+"
    return re.compile(rf"(?<![\w/])/?(?:(?P<known>{known})(?![\w/])(?!(?<=none)\s+of\b)|{of_form})")
