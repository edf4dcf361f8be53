"""The lenient reader of entities, for evaluation and re-prediction.

It judges items one by one. What the strict grammar takes, it takes as well. Otherwise these rules
hold:

1. It reads the last answer block, closed or not; without answer tags, the text outside of the think
   blocks. Prose around and between items is ignored.
2. An item is a pair of square brackets with a comma inside. The field after the last comma is the
   type, compared without regard to case, quotation marks, Markdown's marks and a full stop. An item
   with another type or without a name is invalid. So is one that is cut off.
3. Where there is no such item, objects of JSON with a name and a type count. Where there are none
   either, valid items in round brackets count, and inside an answer block valid lines such as
   ``- Josh Gordon: per``.
4. Quotation marks around a name belong to it, unless the type has them as well.
"""

from __future__ import annotations

import json
import re
from collections.abc import Collection, Iterable, Iterator

from mmie.answer_items import show_tags
from mmie.reading.item_reader import without_marks
from mmie.response_blocks import answer_text, has_answer_block
from mmie.tasks.mner.entities import Entity, parse_entities
from mmie.text import fold, label_key

Result = Entity | None  # None stands for an invalid item

_SQUARE = re.compile(r"\[([^\[\]{}]*+)(\]|\Z|(?=\[))")
_ROUND = re.compile(r"\(([^()]*+)\)")
_OBJECT = re.compile(r"\{[^{}]*+\}")
_LIST_MARK = re.compile(r"\A\s*+(?:[-*•]|\d++[.)])\s++")
_EMPTY = re.compile(r"\[\s*+\]")
_QUOTES = "'\"“”‘’"
_MARKS = f" \t\r\n*`.{_QUOTES}"
_NAMES = ("entity", "name", "entity name", "text", "span")  # fields of an object, and of the form
_TYPES = ("type", "entity type", "label")  # that a prompt asks for


def read_entities(text: str, *, types: Collection[str]) -> tuple[list[Entity] | None, int]:
    """The valid entities of a response in order, and the number of invalid items.

    The first value is None where there is no valid item and the answer is not the empty ``[]``.
    """
    answer = show_tags(answer_text(text)).strip()
    exact = parse_entities(answer, types=types)
    if exact is not None:
        return exact, 0
    results = _read(
        answer, {label_key(kind): kind for kind in types}, in_block=has_answer_block(text)
    )
    entities = [result for result in results if result is not None]
    invalid = len(results) - len(entities)
    if entities or (not invalid and _EMPTY.search(answer)):
        return entities, invalid
    return None, invalid


def _read(answer: str, types: dict[str, str], *, in_block: bool) -> list[Result]:
    """The results of the first notation that has any."""
    results = [*_in_square_brackets(answer, types)] or [*_in_objects(answer, types)]
    if not results:
        texts = (match[1] for match in _ROUND.finditer(answer))
        results = [*_valid(texts, ",", types)]
    if not results and in_block:
        lines = [_LIST_MARK.sub("", line, count=1) for line in answer.splitlines()]
        results = [*_valid(lines, ",", types)] or [*_valid(lines, ":", types)]
    return results


def _in_square_brackets(answer: str, types: dict[str, str]) -> Iterator[Result]:
    for match in _SQUARE.finditer(answer):
        name, comma, kind = match[1].rpartition(",")
        if comma and not _is_form(name, kind):
            yield _entity(name, kind, types) if match[2] else None


def _in_objects(answer: str, types: dict[str, str]) -> Iterator[Result]:
    for match in _OBJECT.finditer(answer):
        try:
            fields = {label_key(key): value for key, value in json.loads(match[0]).items()}
        except (ValueError, RecursionError):
            continue
        names = [fields[key] for key in _NAMES if isinstance(fields.get(key), str)]
        kinds = [fields[key] for key in _TYPES if isinstance(fields.get(key), str)]
        if names and kinds:
            yield _entity(names[0], kinds[0], types)


def _valid(texts: Iterable[str], mark: str, types: dict[str, str]) -> Iterator[Result]:
    """Those of the texts that are a name and a type, with ``mark`` between them."""
    for text in texts:
        name, _, kind = text.rpartition(mark)
        entity = _entity(name, kind, types)
        if entity is not None:
            yield entity


def _entity(name: str, kind: str, types: dict[str, str]) -> Result:
    known = types.get(label_key(kind.strip(_MARKS)))
    quoted = kind.strip().endswith(tuple(_QUOTES))
    plain = fold(without_marks(fold(name), "*`" + _QUOTES * quoted))
    return Entity(plain, known) if known and plain.strip(_MARKS) else None


def _is_form(name: str, kind: str) -> bool:
    """Whether nothing but the names of the fields is listed, as in the form that a prompt shows."""
    return label_key(name.strip(_MARKS)) in _NAMES and label_key(kind.strip(_MARKS)) in _TYPES
