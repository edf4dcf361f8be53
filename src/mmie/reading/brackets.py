"""Finds the items of an answer by their brackets."""

from __future__ import annotations

import re
from dataclasses import dataclass

from mmie.reading.item_reader import (
    ItemReader,
    Result,
    has_field_of_item,
    names_fields,
    split_fields,
)

_TOKEN = re.compile(r"\\[\\,\[\]]|[][(){},]")
_OPENING = {"]": "[", ")": "(", "}": "{"}
# Brackets inside brackets inside an item's own. What is nested deeper is not an item, so that the
# text of each bracket is looked at a bounded number of times.
_DEEPEST = 3


def scan_brackets(text: str, reader: ItemReader) -> list[Result]:
    """The items in brackets, in order; None for each invalid one."""
    scan = _Scan(text, reader)
    scan.run()
    return scan.results


@dataclass
class _Open:
    """A bracket that is not closed yet.

    Attributes:
        sign: ``[``, ``(`` or ``{``.
        start: its place in the text.
        commas, results: how many of them came before it.
        depth: how deeply brackets are nested inside it.
    """

    sign: str
    start: int
    commas: int
    results: int
    depth: int = 0


class _Scan:
    """One pass over a text. A bracket is judged when it closes, so after those inside it.

    A valid item replaces the results of the brackets inside it, which belong to its names.
    """

    def __init__(self, text: str, reader: ItemReader) -> None:
        self.results: list[Result] = []
        self._text = text
        self._reader = reader
        self._stack: list[_Open] = []
        self._commas = 0

    def run(self) -> None:
        squares = 0
        for token in _TOKEN.finditer(self._text):
            sign = token[0]
            if sign in "[({":
                self._stack.append(_Open(sign, token.start(), self._commas, len(self.results)))
                squares += sign == "["
            elif sign == ",":
                self._commas += 1
            elif sign == "]" and squares:
                self._close(token.end(), "[")
                squares -= 1
            elif sign in ")}" and self._stack and self._stack[-1].sign == _OPENING[sign]:
                self._close(token.end(), _OPENING[sign])
        self._count_cut_off_items()

    def _close(self, end: int, sign: str) -> None:
        """Judges the innermost open bracket of this sign.

        Brackets of another sign that are still open inside it are ordinary text, such as ``:(``.
        """
        bracket = self._stack.pop()
        depth = bracket.depth
        while bracket.sign != sign:
            bracket = self._stack.pop()
            depth = max(depth, bracket.depth)
        if self._stack:
            self._stack[-1].depth = max(self._stack[-1].depth, depth + 1)
        if depth <= _DEEPEST and self._commas > bracket.commas:
            self._judge(bracket, self._text[bracket.start + 1 : end - 1])

    def _judge(self, bracket: _Open, inside: str) -> None:
        if bracket.sign == "{":
            item = self._reader.from_object(inside)
        else:
            item = self._reader.from_square_or_round(inside)
        if item is not None:
            self.results[bracket.results :] = [item]
        elif self._is_attempt(bracket, inside):
            self.results.append(None)

    def _is_attempt(self, bracket: _Open, inside: str) -> bool:
        """Whether these brackets hold an item that is wrong, and not just a list of items."""
        if len(self.results) > bracket.results or self._commas == bracket.commas:
            return False
        if bracket.sign == "{":
            return has_field_of_item(inside)
        if bracket.sign == "(" and not self._reader.looks_like_item(split_fields(inside)):
            return False
        return not names_fields(inside)

    def _count_cut_off_items(self) -> None:
        """An item whose bracket never closes is invalid, unless it is round: ``:(``."""
        unclosed = [bracket for bracket in self._stack if bracket.sign != "("]
        for bracket in reversed(unclosed[-_DEEPEST:]):
            if self._is_attempt(bracket, self._text[bracket.start + 1 :]):
                self.results.append(None)
