"""A table of finished runs: the numbers, the runs they come from, and the cells made of them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from statistics import mean
from typing import Literal

from mmie.files import slug
from mmie.reporting.numbers import NOTHING, over_seeds, p_value, signed
from mmie.reporting.runs import Run

Kind = Literal["score", "printed", "difference", "p", "count"]


@dataclass(frozen=True, kw_only=True)
class Value:
    """One number of a table.

    Attributes:
        row, column: where it stands. Several scores in one cell are of several seeds.
        kind: how it is written. ``score``, ``printed`` (by a paper) and ``difference`` are shares
            of 0..1.
        interval: of a score.
        runs, system: whose it is.
        source: of a printed number.
    """

    row: str
    column: str
    kind: Kind
    value: float
    interval: tuple[float, float] | None = None
    runs: tuple[Run, ...] = ()
    system: str = ""
    source: str = ""


@dataclass(frozen=True, kw_only=True)
class Table:
    """One table.

    Attributes:
        name: of its files, always a ``slug``; its profile comes first.
        caption: what it shows, in full sentences.
        columns: titles, in order, without that of the labels.
        notes: what a reader must know, one sentence or more each.
    """

    name: str
    title: str
    caption: str
    columns: tuple[str, ...]
    values: tuple[Value, ...]
    notes: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        object.__setattr__(self, "name", slug(self.name))  # the profile may come from anywhere

    @property
    def header(self) -> tuple[str, ...]:
        """Above ``rows``; nothing stands above the labels."""
        return ("", *self.columns)

    @cached_property
    def rows(self) -> list[list[str]]:
        """The label and the cells of each row, as they are read."""
        cells: dict[tuple[str, str], list[Value]] = {}
        for value in self.values:
            cells.setdefault((value.row, value.column), []).append(value)
        rows = []
        for label in dict.fromkeys(value.row for value in self.values):
            values = (cells.get((label, title)) for title in self.columns)
            rows.append([label, *(cell(found) if found else NOTHING for found in values)])
        return rows


def cell(values: Sequence[Value]) -> str:
    """The text of one cell; of several seeds the mean."""
    average = mean(value.value for value in values)
    match values[0].kind:
        case "score":
            return over_seeds([value.value for value in values], values[0].interval)
        case "printed":
            return f"{100 * average:.2f}"
        case "difference":
            return signed(100 * average)
        case "p":
            return p_value(average)
    return f"{average:,.0f}"
