"""Relation labels such as ``per, org, member of``, and the two readers of them.

A label has the types of head and tail and the relation between them. The data and the configuration
write it ``/per/org/member_of``; prompts and answers have commas, and blanks for underscores.
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

_PATH = re.compile(r"/([^/,]+)/([^/,]+)/([^/,]+)")
_SEPARATOR = re.compile(r"[\s/,*`\[\]\\]+")


def label_of(path: str) -> str | None:
    """``per, org, member of`` for ``/per/org/member_of``; None for another form."""
    match = _PATH.fullmatch(fold(path))
    parts = [underscores_to_blanks(part) for part in match.groups()] if match else []
    return ", ".join(parts) if parts and all(parts) else None


def checked_labels(paths: Sequence[str]) -> list[str]:
    """The labels of paths such as ``/per/org/member_of``.

    Raises:
        InputError: they are no list, or one has another form or is given twice, whatever its case.
    """
    if not isinstance(paths, Sequence) or isinstance(paths, str) or not paths:
        reason = f"{paths!r} is no list of labels"
        raise InputError(f"task.labels: {reason}; name at least one like /per/org/member_of")
    labels: dict[str, str] = {}
    for path in paths:
        label = label_of(str(path))
        if label is None or label_key(label) in labels:
            reason = f"{path!r} is given twice or not of the form /per/org/member_of"
            raise InputError(f"task.labels: {reason}; correct it")
        labels[label_key(label)] = label
    return [*labels.values()]


def parts_of(label: str) -> list[str]:
    """Type of the head, type of the tail, and relation."""
    return label.split(", ")


def parse_label(answer: str, *, labels: Collection[str]) -> str | None:
    """The label that the trimmed answer is; None for anything else.

    Args:
        answer: what stands in the answer block.
        labels: with ``none``; they match exactly, but for white space and underscores.
    """
    text = underscores_to_blanks(answer)
    return text if text in labels else None


def read_label(text: str, *, labels: Collection[str]) -> tuple[str | None, int]:
    """The last label that a response mentions, and the number of invalid ones, 0 or 1.

    Case makes no difference, nor do the signs between the parts of a label, such as the slashes of
    the data. Whatever stands around the label is ignored. "None of" is no mention of ``none``. Two
    known types and another word are an invalid label. The label is None where none is mentioned or
    the last one is invalid.
    """
    answer = answer_text(text)
    exact = parse_label(answer, labels=labels)
    if exact is not None:
        return exact, 0
    mentions = [*_mentions(tuple(labels)).finditer(_key(answer))]
    if not mentions:
        return None, 0
    label = {_key(label): label for label in labels}.get(mentions[-1]["known"] or "")
    return label, int(label is None)


def _key(text: str) -> str:
    """The words alone: ``per org member of``."""
    return _SEPARATOR.sub(" ", label_key(text)).strip()


@lru_cache
def _mentions(labels: tuple[str, ...]) -> re.Pattern[str]:
    """Known labels in the group ``known``, then two types and a word."""
    known = "|".join(re.escape(_key(label)) for label in sorted(labels, key=len, reverse=True))
    types = {kind for label in labels for kind in parts_of(label)[:-1]}
    kind = "|".join(re.escape(_key(one)) for one in sorted(types))
    of_form = rf"(?:{kind}) (?:{kind}) \w+"
    return re.compile(rf"(?<!\w)(?:(?P<known>{known})(?!\w)(?!(?<=none) of\b)|{of_form})")
