"""One item of an answer, without its brackets: ``head, type, tail, type, relation``.

``mmie.parsing`` explains the grammar.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise

from mmie.text import fold, label_key, underscores_to_blanks
from mmie.types import Quintuple

ESCAPE = r"\\[,\[\]\\\s]"
BOUNDARY = r"\]\s*+(?:,\s*+)?\["
ITEM_CUT = re.compile(rf"{ESCAPE}|{BOUNDARY}")
FIELD_CUT = re.compile(rf"{ESCAPE}|,")
_NAME_TOKEN = re.compile(rf"{ESCAPE}|\s+")

# A backslash in a name that would escape the next character, or the comma after the name.
_MISREAD = re.compile(rf"{ESCAPE}|\\\Z")
# What an escaped name escapes: separators, and white space that folding would change.
_SPECIAL = re.compile(r"[,\[\]\\]|[^\S ]|(?<!\S) | (?!\S)")

_TAG_NAME = r"\s*+/?\s*+(?:think|answer)\s*+>"
_RAW_TAG = re.compile(rf"<(?=\\*+{_TAG_NAME})", re.IGNORECASE)
_HIDDEN_TAG = re.compile(rf"<\\(?=\\*+{_TAG_NAME})", re.IGNORECASE)


@dataclass(frozen=True)
class Labels:
    """The known labels, and how a field is recognised as one of them.

    Attributes:
        types, relations: normal form → the label as the configuration spells it.
        type_key, relation_key: bring a field to its normal form.
    """

    types: Mapping[str, str]
    relations: Mapping[str, str]
    type_key: Callable[[str], str]
    relation_key: Callable[[str], str]

    @classmethod
    def exact(cls, types: Iterable[str], relations: Iterable[str]) -> Labels:
        """Types match exactly; relations match with underscores read as blanks."""
        type_of = {fold(label): label for label in types}
        relation_of = {underscores_to_blanks(label): label for label in relations}
        return cls(type_of, relation_of, fold, underscores_to_blanks)

    @classmethod
    def caseless(
        cls,
        types: Iterable[str],
        relations: Iterable[str],
        *,
        key: Callable[[str], str] = label_key,
    ) -> Labels:
        """Both match without regard to case.

        Args:
            types, relations: as the configuration spells them.
            key: brings a field to the form of ``label_key``; it may strip marks first.
        """
        type_of = {label_key(label): label for label in types}
        relation_of = {label_key(label): label for label in relations}
        return cls(type_of, relation_of, key, key)

    def type_of(self, field: str) -> str | None:
        return self.types.get(self.type_key(field))

    def relation_of(self, field: str) -> str | None:
        return self.relations.get(self.relation_key(field))


def split(text: str, cut: re.Pattern[str]) -> list[str]:
    """Cuts at every match of ``cut`` that is not an escape."""
    parts, start = [], 0
    for match in cut.finditer(text):
        if match[0][0] != "\\":
            parts.append(text[start : match.start()])
            start = match.end()
    return [*parts, text[start:]]


def parse_items(text: str, labels: Labels) -> list[Quintuple] | None:
    """The quintuples of an answer that consists of items alone; ``[]`` for the empty answer.

    It is None for anything else: one invalid item makes the whole answer invalid.
    """
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
    """The quintuple of an item; None if the item is invalid."""
    fields = split(item, FIELD_CUT)
    head_end = _first_type(fields, labels)
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
    """Writes the quintuples as items in brackets.

    Args:
        quintuples: in the order of the answer.
        types: a name with one of these between its commas is escaped, as it would be misread.

    Raises:
        ValueError: a name is empty.
    """
    keys = {label_key(kind) for kind in types}
    return ", ".join(_format_item(quintuple, keys) for quintuple in quintuples)


def hide_tags(answer: str) -> str:
    """Puts a backslash into every think or answer tag: it then neither opens nor ends a block."""
    return _RAW_TAG.sub(r"<\\", answer)


def show_tags(answer: str) -> str:
    """Undoes ``hide_tags``."""
    return _HIDDEN_TAG.sub("<", answer)


def _first_type(fields: Sequence[str], labels: Labels) -> int | None:
    """The place of the first field that is a known type and has a name before it."""
    for place in range(1, len(fields)):
        if labels.type_key(fields[place]) in labels.types:
            return place
    return None


def _holds_item_end(fields: Sequence[str], labels: Labels) -> bool:
    """Whether a tail contains "type, relation ]": then it swallowed the end of another item."""
    for field, following in pairwise(fields):
        relation, bracket, _ = following.partition("]")
        is_end = bracket and labels.type_key(field) in labels.types
        if is_end and labels.relation_of(relation):
            return True
    return False


def _format_item(quintuple: Quintuple, keys: set[str]) -> str:
    if not (quintuple.head and quintuple.tail):
        raise ValueError(f"cannot write {quintuple}: a name is empty; drop the quintuple")
    head, tail = _escape(quintuple.head, keys), _escape(quintuple.tail, keys)
    relation = quintuple.relation.replace("_", " ")
    return f"[{head}, {quintuple.head_type}, {tail}, {quintuple.tail_type}, {relation}]"


def _escape(name: str, keys: set[str]) -> str:
    """The name as it is, unless the parser would misread it."""
    holds_type = any(label_key(part) in keys for part in name.split(","))
    looks_like_two = -1 < name.find("]") < name.rfind("[")
    is_folded = name == " ".join(name.split())
    if holds_type or looks_like_two or not is_folded or _MISREAD.search(name):
        return _SPECIAL.sub(r"\\\g<0>", name)
    return name


def _unescape(name: str) -> str:
    """Undoes the escapes and folds all other white space.

    An escaped blank at the end survives the trimming.
    """
    last_escape = 0
    for token in _NAME_TOKEN.finditer(name):
        if token[0][0] == "\\":
            last_escape = token.end()
    trimmed = (name[:last_escape] + name[last_escape:].rstrip()).lstrip()
    return _NAME_TOKEN.sub(_read_token, trimmed)


def _read_token(token: re.Match[str]) -> str:
    return token[0][1] if token[0][0] == "\\" else " "
