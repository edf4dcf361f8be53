"""The lenient reader of answers, for evaluation and re-prediction.

It judges items one by one, as section 4.1 of JMERE-R1 does. It reads the last answer block, closed
or not; without answer tags it reads the text outside of the think blocks. Where the paper is
silent, these rules hold:

1. An item is a pair of square brackets with a comma inside. Everything around and between items is
   ignored: prose, numbers, code fences, outer brackets. ``[1]`` and ``[Browns]`` are not items, and
   neither are the names of the fields (``[head entity, head entity type, ...]``).
2. An item with an unknown label or another number of fields is invalid. Labels are compared without
   regard to case, quotation marks, Markdown's marks and a full stop.
3. JSON counts as well: lists of strings, and objects with the fields ``head``, ``head_type``,
   ``tail``, ``tail_type`` and ``relation`` (or ``head_entity``, ``relation_type`` and so on). An
   object with other keys is not an item.
4. An item in round brackets counts if it is valid, or if it has five fields with a type among them.
5. An item that is cut off is invalid, even if only its last bracket is missing.
6. Quotation marks around a name belong to it, unless the labels have them as well.
7. A row of a Markdown table with five columns counts under the condition of rule 4.
8. A line without brackets, or a part of it that ends in a relation and ``;``, counts under the
   condition of rule 4, but only inside an answer block in which nothing else is an item. Elsewhere
   such a line may be prose.

Every step reads the text a fixed number of times, so the work grows linearly with its length.
"""

from __future__ import annotations

import re
from collections.abc import Collection

from mmie.answer_items import BOUNDARY, Labels, format_items, parse_items, show_tags
from mmie.reading.brackets import scan_brackets
from mmie.reading.item_reader import ItemReader, Result
from mmie.reading.rows import read_bare_lines, split_at_table_rows
from mmie.response_blocks import answer_text, has_answer_block
from mmie.types import Quintuple

_EMPTY = re.compile(r"\[\s*+\]")
_BETWEEN_ITEMS = re.compile(BOUNDARY)


def read_answer(
    text: str, *, types: Collection[str], relations: Collection[str]
) -> tuple[list[Quintuple] | None, int]:
    """Reads every item of a response: the valid ones in order, and the number of invalid ones.

    Labels come back as the configuration spells them. What ``format_quintuples`` wrote is read
    back unchanged. The first value is None if there is no valid item and the answer is not the
    empty ``[]`` either.
    """
    answer = show_tags(answer_text(text)).strip()
    exact = _read_exactly(answer, types, relations)
    if exact is not None:
        return exact, 0
    results = _read_items(answer, ItemReader(types, relations), bare_lines=has_answer_block(text))
    quintuples = [item for item in results if item is not None]
    invalid = len(results) - len(quintuples)
    if quintuples or (not invalid and _EMPTY.search(answer)):
        return quintuples, invalid
    return None, invalid


def _read_exactly(
    answer: str, types: Collection[str], relations: Collection[str]
) -> list[Quintuple] | None:
    """The strict reading, if the answer is what ``format_quintuples`` would write.

    Names with brackets in them survive only this reading. It must not be used for anything else:
    it might take two carelessly written items for one.
    """
    quintuples = parse_items(answer, Labels.exact(types, relations))
    if quintuples is None:
        return None
    written = format_items(quintuples, types) or "[]"
    return quintuples if _normal_form(written) == _normal_form(answer) else None


def _read_items(answer: str, reader: ItemReader, *, bare_lines: bool) -> list[Result]:
    results: list[Result] = []
    for text_before, row in split_at_table_rows(answer, reader):
        results += scan_brackets(text_before, reader)
        results += row
    if not results and bare_lines:
        return read_bare_lines(answer, reader)
    return results


def _normal_form(answer: str) -> str:
    """Without what the strict grammar lets vary: white space, underscores, commas between items."""
    return "".join(_BETWEEN_ITEMS.sub("],[", answer).replace("_", " ").split())
