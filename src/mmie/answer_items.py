"""One item of an answer, without its brackets: ``head, type, tail, type, relation``. The rules
stand in ``mmie.parsing``."""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass
from itertools import pairwise

from mmie.text import fold, label_key, underscores_to_blanks
from mmie.types import Quintuple

ESCAPE = r"\\[,\[\]\\\s]"
BOUNDARY = r"\]\s*+(?:,\s*+)?\["
ITEM_CUT = re.compile(rf"{ESCAPE}|{BOUNDARY}")
FIELD_CUT = re.compile(rf"{ESCAPE}|,")
_NAME_TOKEN = re.compile(rf"{ESCAPE}|\s+")

_MISREAD = re.compile(rf"{ESCAPE}|\\\Z")
_SPECIAL = re.compile(r"[,\[\]\\]|[^\S ]|(?<!\S) | (?!\S)")

_TAG_NAME = r"\s*+/?\s*+(?:think|answer)\s*+>"
_RAW_TAG = re.compile(rf"<(?=\\*+{_TAG_NAME})", re.IGNORECASE)
_HIDDEN_TAG = re.compile(rf"<\\(?=\\*+{_TAG_NAME})", re.IGNORECASE)


@dataclass(frozen=True)
class Labels:
    """The known labels, and how one is recognised.

    Attributes:
        types, relations: normal form → the label as the configuration spells it.
        type_key, relation_key: a field → its normal form.
    """

    types: Mapping[str, str]
    relations: Mapping[str, str]
    type_key: Callable[[str], str]
    relation_key: Callable[[str], str]

    @classmethod
    def exact(cls, types: Iterable[str], relations: Iterable[str]) -> Labels:
        """Types match exactly, relations with underscores read as blanks."""
        spelled = {fold(kind): kind for kind in types}
        return cls(
            spelled,
            {underscores_to_blanks(name): name for name in relations},
            fold,
            underscores_to_blanks,
        )

    @classmethod
    def caseless(
        cls,
        types: Iterable[str],
        relations: Iterable[str],
        *,
        key: Callable[[str], str] = label_key,
    ) -> Labels:
        """Both match without regard to case; ``key`` may take more off a field than
        ``label_key``."""
        spelled = {label_key(kind): kind for kind in types}
        return cls(spelled, {label_key(name): name for name in relations}, key, key)

    def type_of(self, field: str) -> str | None:
        return self.types.get(self.type_key(field))

    def relation_of(self, field: str) -> str | None:
        return self.relations.get(self.relation_key(field))


def split(text: str, cut: re.Pattern[str]) -> list[str]:
    """Cut at every match of ``cut`` that is not an escape."""
    parts, start = [], 0
    for match in cut.finditer(text):
        if match[0][0] != "\\":
            parts.append(text[start : match.start()])
            start = match.end()
    return [*parts, text[start:]]


def parse_items(text: str, labels: Labels) -> list[Quintuple] | None:
    """The quintuples of an answer that is nothing but items, ``[]`` for the empty one; None for
    anything else."""
    if text == "[]":
        return []
    if not (text.startswith("[") and text.endswith("]")):
        return None
    quintuples = []
    for item in split(text[1:-1], ITEM_CUT):
        quintuple = parse_item(item, labels)
        if quintuple is None:
            return None
        quintuples.append(quintuple)
    return quintuples


def parse_item(item: str, labels: Labels) -> Quintuple | None:
    """The quintuple of an item, None where it is invalid."""
    fields = split(item, FIELD_CUT)
    known, key = labels.types, labels.type_key
    head_end = next((i for i in range(1, len(fields)) if key(fields[i]) in known), None)
    if head_end is None or not labels.type_of(fields[-2]):
        return None
    tail_fields = fields[head_end + 1 : -2]
    head, tail = _unescape(",".join(fields[:head_end])), _unescape(",".join(tail_fields))
    relation = labels.relation_of(fields[-1])
    if not (head and tail and relation) or _holds_item_end(tail_fields, labels):
        return None
    head_type, tail_type = labels.type_of(fields[head_end]), labels.type_of(fields[-2])
    return Quintuple(head, str(head_type), tail, str(tail_type), relation)


def format_items(quintuples: Iterable[Quintuple], types: Collection[str]) -> str:
    """The quintuples as items in brackets; a name with one of ``types`` between its commas is
    escaped.

    Raises:
        ValueError: a name is empty.
    """
    keys = {label_key(kind) for kind in types}
    return ", ".join(_format_item(quintuple, keys) for quintuple in quintuples)


def hide_tags(answer: str) -> str:
    """A backslash more inside every think or answer tag, so that none of them ends or begins a
    block."""
    return _RAW_TAG.sub(r"<\\", answer)


def show_tags(answer: str) -> str:
    """Undo ``hide_tags``."""
    return _HIDDEN_TAG.sub("<", answer)


def _holds_item_end(fields: list[str], labels: Labels) -> bool:
    known, key = labels.types, labels.type_key
    ends = (after.partition("]") for field, after in pairwise(fields) if key(field) in known)
    return any(bracket and labels.relation_of(relation) for relation, bracket, _ in ends)


def _format_item(quintuple: Quintuple, keys: set[str]) -> str:
    head, head_type, tail, tail_type, relation = quintuple
    if not (head and tail):
        raise ValueError(f"cannot write {quintuple}: a name is empty; drop the quintuple")
    names = _escape(head, keys), _escape(tail, keys)
    return f"[{names[0]}, {head_type}, {names[1]}, {tail_type}, {relation.replace('_', ' ')}]"


def _escape(name: str, keys: set[str]) -> str:
    holds_type = any(label_key(part) in keys for part in name.split(","))
    looks_like_two = -1 < name.find("]") < name.rfind("[")
    if holds_type or looks_like_two or name != " ".join(name.split()) or _MISREAD.search(name):
        return _SPECIAL.sub(r"\\\g<0>", name)
    return name


def _unescape(name: str) -> str:
    """Undo the escapes and fold all other white space; an escaped blank at the end survives the
    trimming."""
    end = max((m.end() for m in _NAME_TOKEN.finditer(name) if m[0][0] == "\\"), default=0)
    trimmed = (name[:end] + name[end:].rstrip()).lstrip()
    return _NAME_TOKEN.sub(lambda m: m[0][1] if m[0][0] == "\\" else " ", trimmed)
