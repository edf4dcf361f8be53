"""The lenient reader of answers, for evaluation and re-prediction. It judges items one by one, as
section 4.1 of JMERE-R1 does.

What is read is the last answer block, closed or not; without answer tags it is the text outside of
the think blocks. The rules for quintuples, where the paper is silent:

1. An item is a pair of square brackets with a comma inside. What stands around items and between
   them is passed over: prose, numbers, code fences, outer brackets. ``[1]`` and ``[Browns]`` are no
   items, and neither are the names of the fields (``[head entity, head entity type, ...]``).
2. An item is invalid with an unknown label or another number of fields. Labels are compared
   without regard to case, quotation marks, Markdown's marks and a full stop.
3. JSON is read, too: lists of strings, and objects with the fields ``head``, ``head_type``,
   ``tail``, ``tail_type`` and ``relation`` (or ``head_entity``, ``relation_type`` and so on). An
   object with other keys is no item.
4. An item in round brackets counts where it is valid, or has five fields with a type among them.
5. An item that is cut off is invalid, also if only its last bracket is missing.
6. Quotation marks around a name belong to it unless the labels have them, too.

Every step reads the text a fixed number of times, so the work grows linearly with its length.
"""

from __future__ import annotations

import json
import re
from collections.abc import Collection
from dataclasses import dataclass, field

from mmie.answer_items import (
    BOUNDARY,
    FIELD_CUT,
    Labels,
    format_items,
    parse_item,
    parse_items,
    show_tags,
    split,
)
from mmie.response_blocks import answer_text
from mmie.text import label_key
from mmie.types import Quintuple

_EMPTY = re.compile(r"\[\s*+\]")
_TOKEN = re.compile(r"\\[\\,\[\]]|[][(){},]")
_OPENS = {"]": "[", ")": "(", "}": "{"}
_BETWEEN_ITEMS = re.compile(BOUNDARY)
_ESCAPED = re.compile(r"\\([_*#`])")  # as Markdown escapes: member\_of
_NESTED = 3  # brackets inside brackets inside an item's own; deeper nesting holds no item
_MARKS = " \t\r\n*`'\"“”‘’."
_QUOTES = "'\"“”‘’"
_OBJECT_FIELD = re.compile(
    r"""["'](\w[\w ]*+)["']\s*+:\s*+(?:"((?:[^"\\]|\\.)*+)"|'((?:[^'\\]|\\.)*+)')""", re.DOTALL
)
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


def read_quintuples(
    text: str, *, types: Collection[str], relations: Collection[str]
) -> tuple[list[Quintuple], int]:
    """Read every item of a response: the valid ones in order, and the number of invalid ones.

    Labels come back as the configuration spells them. What ``format_quintuples`` wrote is read
    back as it was.
    """
    quintuples, invalid = read_answer(text, types=types, relations=relations)
    return quintuples or [], invalid


def read_answer(
    text: str, *, types: Collection[str], relations: Collection[str]
) -> tuple[list[Quintuple] | None, int]:
    """As ``read_quintuples``, with None where no valid item is found and the answer is not the
    empty ``[]`` either."""
    answer = show_tags(answer_text(text)).strip()
    exact = parse_items(answer, Labels.exact(types, relations))
    if exact is not None and _plain(format_items(exact, types) or "[]") == _plain(answer):
        return exact, 0
    quintuples, invalid = _Scan(answer, types, relations).items()
    return (quintuples if quintuples or _says_none(answer, invalid) else None), invalid


def _plain(answer: str) -> str:
    """Without what the strict grammar lets vary: white space, underscores, commas between items."""
    return "".join(_BETWEEN_ITEMS.sub("],[", answer).replace("_", " ").split())


def _says_none(answer: str, invalid: int) -> bool:
    return not invalid and _EMPTY.search(answer) is not None


@dataclass
class _Open:
    """A bracket that is open: where, after how many commas and results, and the depth of brackets
    inside it."""

    sign: str
    start: int
    commas: int
    results: int
    depth: int = 0


@dataclass
class _Scan:
    """One pass over an answer; a bracket is judged when it closes, after those inside it.

    A valid item takes the place of whatever was found inside it, such as the brackets of a name.
    """

    text: str
    types: Collection[str]
    relations: Collection[str]
    results: list[Quintuple | None] = field(default_factory=list)
    stack: list[_Open] = field(default_factory=list)
    commas: int = 0

    def items(self) -> tuple[list[Quintuple], int]:
        """The valid items and the number of invalid ones."""
        self.exact = Labels.exact(self.types, self.relations)
        self.caseless = Labels.caseless(self.types, self.relations, key=_unmarked)
        squares = 0
        for token in _TOKEN.finditer(self.text):
            sign = token[0]
            if sign in "[({":
                self.stack.append(_Open(sign, token.start(), self.commas, len(self.results)))
                squares += sign == "["
            elif sign == ",":
                self.commas += 1
            elif sign == "]" and squares:
                self._close(token.end(), "[")
                squares -= 1
            elif sign in ")}" and self.stack and self.stack[-1].sign == _OPENS[sign]:
                self._close(token.end(), _OPENS[sign])
        unclosed = [bracket for bracket in self.stack if bracket.sign != "("][-_NESTED:]
        for bracket in reversed(unclosed):
            if self._is_attempt(bracket, self.text[bracket.start + 1 :]):
                self.results.append(None)
        quintuples = [item for item in self.results if item is not None]
        return quintuples, len(self.results) - len(quintuples)

    def _close(self, end: int, sign: str) -> None:
        """Judge the innermost open bracket of this sign; others that are open inside it are no
        brackets but text."""
        bracket = self.stack.pop()
        depth = bracket.depth
        while bracket.sign != sign:
            bracket = self.stack.pop()
            depth = max(depth, bracket.depth)
        bracket.depth = depth
        if self.stack:
            self.stack[-1].depth = max(self.stack[-1].depth, depth + 1)
        if depth > _NESTED or self.commas == bracket.commas:
            return
        inside = self.text[bracket.start + 1 : end - 1]
        item = self._item(sign, inside)
        if item is not None:
            del self.results[bracket.results :]
            self.results.append(item)
        elif self._is_attempt(bracket, inside) and (sign != "(" or self._looks_like_item(inside)):
            self.results.append(None)

    def _is_attempt(self, bracket: _Open, inside: str) -> bool:
        """Whether these brackets hold an item that is wrong, and not just the items of a list."""
        if len(self.results) > bracket.results or self.commas == bracket.commas:
            return False
        if bracket.sign == "{":
            return any(label_key(match[1]) in _FIELDS for match in _OBJECT_FIELD.finditer(inside))
        return not all(_unmarked(part) in _FIELDS for part in inside.split(","))

    def _item(self, sign: str, inside: str) -> Quintuple | None:
        if sign == "{":
            return self._from_fields(_object_fields(inside))
        if inside.lstrip().startswith('"'):
            return self._from_fields(_json_fields(inside)) or self._from_text(inside)
        return self._from_text(inside)

    def _from_text(self, inside: str) -> Quintuple | None:
        exact = parse_item(inside, self.exact)
        if exact is not None:
            return exact._replace(
                head=_plain_name(exact.head, "*"), tail=_plain_name(exact.tail, "*")
            )
        item = parse_item(inside, self.caseless)
        if item is None:
            return None
        marks = "*`" + _QUOTES * (inside.rstrip()[-1] in _QUOTES)
        names = _plain_name(item.head, marks), _plain_name(item.tail, marks)
        return item._replace(head=names[0], tail=names[1])

    def _from_fields(self, fields: list[str]) -> Quintuple | None:
        """Five fields that are known to be parted rightly, so that a name may hold anything."""
        if len(fields) != 5:
            return None
        head, tail = (" ".join(name.split()) for name in (fields[0], fields[2]))
        kinds = self.caseless.type_of(fields[1]), self.caseless.type_of(fields[3])
        relation = self.caseless.relation_of(fields[4])
        if not (head and tail and kinds[0] and kinds[1] and relation):
            return None
        return Quintuple(head, kinds[0], tail, kinds[1], relation)

    def _looks_like_item(self, inside: str) -> bool:
        fields = split(inside, FIELD_CUT)
        return len(fields) == 5 and any(self.caseless.type_of(fields[place]) for place in (1, 3))


def _unmarked(label: str) -> str:
    return label_key(_ESCAPED.sub(r"\1", label).strip(_MARKS))


def _plain_name(name: str, marks: str) -> str:
    """Without marks around it, unless it consists of nothing else, and without Markdown's escapes."""
    name = _ESCAPED.sub(r"\1", name)
    return name.strip(marks + " ") or name if name[0] in marks and name[-1] in marks else name


def _json_fields(inside: str) -> list[str]:
    """The strings of a JSON list, [] where it is none."""
    try:
        values = json.loads(f"[{inside}]")
    except (ValueError, RecursionError):
        return []
    return (
        [str(value) for value in values]
        if all(isinstance(value, str | int) for value in values)
        else []
    )


def _object_fields(inside: str) -> list[str]:
    """The fields of a JSON object, or of a Python dict as it is printed; in the order of a
    quintuple."""
    try:
        pairs = json.loads(f"{{{inside}}}")
    except (ValueError, RecursionError):
        pairs = {match[1]: match[2] or match[3] or "" for match in _OBJECT_FIELD.finditer(inside)}
    fields = {_FIELDS.get(label_key(key)): value for key, value in pairs.items()}
    return [str(fields[place]) for place in range(5) if isinstance(fields.get(place), str | int)]
