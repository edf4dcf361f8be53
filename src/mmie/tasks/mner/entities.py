"""Entities, how an answer writes them, and the strict reader of the reward.

An answer is ``[]`` or a sequence of items ``[name, type]``, separated by white space and at most
one comma. The last field is a known type, and what stands before it is the name, which may hold
commas. A backslash before a comma, a bracket or a backslash takes that character literally. An item
with a bracket that is not escaped is invalid, and so is one whose name has a type between its
commas: it would be two items that were run together. So a name that is itself a type, such as
``org``, cannot be written; there is none in the public data. A backslash after the ``<`` of a think
or answer tag belongs to no name and keeps the tag from ending the answer.

An answer has no positions. So a name that is meant twice is written twice, and the mentions of one
name and type are numbered where answers are compared (``numbered``). This counts like the spans of
the field's metric, except that it does not ask which of several equal words was meant.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Collection, Iterable, Sequence
from typing import Any, NamedTuple

from mmie.answer_items import FIELD_CUT, ITEM_CUT, hide_tags, show_tags, split
from mmie.errors import InputError
from mmie.text import fold, label_key

_SPECIAL = re.compile(r"[,\[\]\\]")
_MISREAD = re.compile(r"[\[\]\\]")
_ESCAPED = re.compile(r"\\([,\[\]\\])")


class Entity(NamedTuple):
    """One mention: its words as the text has them, and its type."""

    name: str
    type: str


def refuse_wrong_types(types: Any, key: str) -> None:
    """Holds a configured list of entity types against what an answer can say.

    Raises:
        InputError: it is no list, or one type is no word or differs from another in case alone.
    """
    if not isinstance(types, Sequence) or isinstance(types, str) or not types:
        raise InputError(f"{key}: {types!r} is no list of types; write [per, org]")
    for kind in types:
        if not (isinstance(kind, str) and kind.isidentifier()):
            raise InputError(f"{key}: {kind!r} is no type; write it as one word")
    times = Counter(map(label_key, types))
    for kind in types:
        if times[label_key(kind)] > 1:
            raise InputError(f"{key}: {kind!r} is given twice, whatever its case; take one out")


def numbered(entities: Iterable[tuple[str, str]] | None) -> list[tuple[str, str, str]]:
    """(name, number, type) of each mention, folded; none for None.

    The number counts the mentions of the same name and type: "1", "2" and so on.
    """
    items = []
    times: Counter[tuple[str, str]] = Counter()
    for entity in entities or ():
        name, kind = map(fold, entity)
        times[name, kind] += 1
        items.append((name, str(times[name, kind]), kind))
    return items


def format_entities(entities: Iterable[Entity], *, types: Collection[str]) -> str:
    """``[Josh Gordon, per], [Browns, org]``; ``[]`` for none.

    ``parse_entities`` reads the same entities back. A name is written unchanged unless it has a
    bracket, a backslash or a tag, or one of the types between its commas.
    """
    items = [f"[{_escape(name, types)}, {kind}]" for name, kind in entities]
    return hide_tags(", ".join(items)) or "[]"


def parse_entities(answer: str, *, types: Collection[str]) -> list[Entity] | None:
    """Reads an answer strictly: one invalid item makes all of it invalid.

    Args:
        answer: what stands in the answer block.
        types: match exactly.

    Returns:
        The entities in order; ``[]`` for the valid empty answer; None if any item is invalid.
    """
    text = show_tags(answer).strip()
    if text == "[]":
        return []
    if not (text.startswith("[") and text.endswith("]")):
        return None
    entities = []
    for item in split(text[1:-1], ITEM_CUT):
        entity = _entity(item, types)
        if entity is None:
            return None
        entities.append(entity)
    return entities


def _entity(item: str, types: Collection[str]) -> Entity | None:
    *parts, last = split(item, FIELD_CUT)
    kind, written = fold(last), ",".join(parts)
    if kind not in types or any(fold(part) in types for part in parts):
        return None
    if "[" in (plain := _ESCAPED.sub("", written)) or "]" in plain:
        return None
    name = fold(_ESCAPED.sub(r"\1", written))
    return Entity(name, kind) if name else None


def _escape(name: str, types: Collection[str]) -> str:
    holds_type = any(fold(part) in types for part in name.split(","))
    return _SPECIAL.sub(r"\\\g<0>", name) if holds_type or _MISREAD.search(name) else name
