"""Items without brackets: rows of Markdown tables, and bare lines."""

from __future__ import annotations

import re
from collections.abc import Iterator

from mmie.reading.item_reader import ItemReader, Result, split_fields, without_marks

_TABLE_ROW = re.compile(r"^[ \t]*+\|(.*)$", re.MULTILINE)
_CELL_CUT = re.compile(r"(?<!\\)\|")
_LIST_MARK = re.compile(r"\A\s*+(?:[-*•]|\d++[.)])\s++")
_BRACKETS = re.compile(r"[][(){}]")


def split_at_table_rows(answer: str, reader: ItemReader) -> Iterator[tuple[str, list[Result]]]:
    """The answer in pieces: the text before each row that is an item, and the result of that row.

    The last piece is the text after all rows, with no result.
    """
    start = 0
    for line in _TABLE_ROW.finditer(answer):
        result = _judge(_cells(line[1]), reader)
        if result:
            yield answer[start : line.start()], result
            start = line.end()
    yield answer[start:], []


def read_bare_lines(answer: str, reader: ItemReader) -> list[Result]:
    """The items on lines without brackets. Their names hold no commas, else it would be a guess."""
    results: list[Result] = []
    for listed in answer.splitlines():
        line = _LIST_MARK.sub("", listed, count=1)
        if not _BRACKETS.search(line):
            for part in _split_after_relations(line, reader):
                results += _judge(split_fields(part), reader)
    return results


def _judge(fields: list[str], reader: ItemReader) -> list[Result]:
    """The result of these fields; empty for prose."""
    if not reader.looks_like_item(fields):
        return []
    head, head_type, tail, tail_type, relation = fields
    head, tail = without_marks(head.strip(), "*`"), without_marks(tail.strip(), "*`")
    return [reader.from_fields([head, head_type, tail, tail_type, relation])]


def _cells(row: str) -> list[str]:
    """The cells of a row without its first ``|``; an escaped ``|`` belongs to a cell."""
    cells = [cell.replace("\\|", "|") for cell in _CELL_CUT.split(row.rstrip())]
    return cells[:-1] if cells[-1] == "" else cells


def _split_after_relations(line: str, reader: ItemReader) -> list[str]:
    """Cuts at each ``;`` that follows a relation. Others belong to names, as in ``AT&amp;T``."""
    parts: list[str] = []
    pending: list[str] = []
    for piece in line.split(";"):
        pending.append(piece)
        if reader.is_relation(piece.rpartition(",")[2]):
            parts.append(";".join(pending))
            pending = []
    return [*parts, ";".join(pending)]
