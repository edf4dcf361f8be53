"""Reads one item of an answer in any of its notations, with labels compared leniently."""

from __future__ import annotations

import json
import re
from collections.abc import Collection, Mapping, Sequence
from typing import Any

from mmie.answer_items import FIELD_CUT, Labels, parse_item, split
from mmie.text import label_key
from mmie.types import Quintuple

Result = Quintuple | None  # None stands for an invalid item

_ESCAPED = re.compile(r"\\([_*#`])")  # as Markdown escapes: member\_of
_MARKS = " \t\r\n*`'\"“”‘’."
_QUOTES = "'\"“”‘’"
_OBJECT_FIELD = re.compile(
    r"""["'](\w[\w ]*+)["']\s*+:\s*+(?:"((?:[^"\\]|\\.)*+)"|'((?:[^'\\]|\\.)*+)')""", re.DOTALL
)
# The name of a field of an object → its place in a quintuple.
_FIELDS = {
    "head": 0,
    "head entity": 0,
    "head type": 1,
    "head entity type": 1,
    "tail": 2,
    "tail entity": 2,
    "tail type": 3,
    "tail entity type": 3,
    "relation": 4,
    "relation type": 4,
}


class ItemReader:
    """Reads items with the labels of one task.

    Every method takes the text inside the brackets and gives None for what is not a valid item.
    """

    def __init__(self, types: Collection[str], relations: Collection[str]) -> None:
        self._exact = Labels.exact(types, relations)
        self._caseless = Labels.caseless(types, relations, key=_unmarked)

    def from_square_or_round(self, inside: str) -> Result:
        """A list of strings in JSON, or the fields of an item as plain text."""
        if inside.lstrip().startswith('"'):
            return self.from_fields(_json_strings(inside)) or self.from_text(inside)
        return self.from_text(inside)

    def from_object(self, inside: str) -> Result:
        """The fields of an object in JSON, or of a Python dictionary as Python prints it."""
        return self.from_fields(_object_fields(inside))

    def from_text(self, inside: str) -> Result:
        """``head, type, tail, type, relation``; names may hold commas."""
        item = parse_item(inside, self._exact)
        marks = "*"
        if item is None:
            item = parse_item(inside, self._caseless)
            # Quotation marks belong to a name unless the last label has them, too.
            marks = "*`" + _QUOTES * inside.rstrip().endswith(tuple(_QUOTES))
        return item and item._replace(
            head=without_marks(item.head, marks), tail=without_marks(item.tail, marks)
        )

    def from_fields(self, fields: Sequence[str]) -> Result:
        """Five fields that were separated reliably, so that a name may hold anything."""
        if len(fields) != 5:
            return None
        head, tail = " ".join(fields[0].split()), " ".join(fields[2].split())
        head_type, tail_type = self._caseless.type_of(fields[1]), self._caseless.type_of(fields[3])
        relation = self._caseless.relation_of(fields[4])
        if not (head and tail and head_type and tail_type and relation):
            return None
        return Quintuple(head, head_type, tail, tail_type, relation)

    def looks_like_item(self, fields: Sequence[str]) -> bool:
        """Whether these are five fields with a known type where a type belongs.

        Where brackets do not mark an item, this tells a wrong one from prose.
        """
        return len(fields) == 5 and any(self._caseless.type_of(fields[place]) for place in (1, 3))

    def is_relation(self, field: str) -> bool:
        return self._caseless.relation_of(field) is not None


def split_fields(inside: str) -> list[str]:
    """The text between the commas that are not escaped."""
    return split(inside, FIELD_CUT)


def names_fields(inside: str) -> bool:
    """Whether nothing but names of fields is listed, as in the form that a prompt asks for."""
    return all(_unmarked(part) in _FIELDS for part in inside.split(","))


def has_field_of_item(inside: str) -> bool:
    """Whether an object has at least one of the keys of an item."""
    return any(label_key(match[1]) in _FIELDS for match in _OBJECT_FIELD.finditer(inside))


def without_marks(name: str, marks: str) -> str:
    """The name without Markdown's escapes, and without marks if it begins and ends with one.

    A name that consists of marks alone keeps them.
    """
    name = _ESCAPED.sub(r"\1", name)
    if name and name[0] in marks and name[-1] in marks:
        return name.strip(marks + " ") or name
    return name


def _unmarked(label: str) -> str:
    return label_key(_ESCAPED.sub(r"\1", label).strip(_MARKS))


def _json_strings(inside: str) -> list[str]:
    """The strings of a JSON list without its brackets; [] if it is something else."""
    try:
        values = json.loads(f"[{inside}]")
    except (ValueError, RecursionError):
        return []
    if not all(isinstance(value, str | int) for value in values):
        return []
    return [str(value) for value in values]


def _object_fields(inside: str) -> list[str]:
    """The fields of an object in the order of a quintuple, as far as it has them."""
    places: dict[int | None, Any] = {}
    for key, value in _object_pairs(inside).items():
        places[_FIELDS.get(label_key(key))] = value
    values = [places.get(place) for place in range(5)]
    return [str(value) for value in values if isinstance(value, str | int)]


def _object_pairs(inside: str) -> Mapping[str, Any]:
    try:
        pairs: dict[str, Any] = json.loads(f"{{{inside}}}")
        return pairs
    except (ValueError, RecursionError):
        matches = _OBJECT_FIELD.finditer(inside)
        return {match[1]: match[2] or match[3] or "" for match in matches}
