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

MISSING = "missing"
Kind = Literal["score", "printed", "difference", "p", "count", "change"]


@dataclass(frozen=True, kw_only=True)
class Value:
    """One number of a table.

    Attributes:
        row, column: where it stands. Several scores or counts in one cell are of several seeds.
        kind: how it is written. ``score``, ``printed`` (by a paper) and ``difference`` are shares
            of 0..1; ``change`` is a difference of counts.
        value: the number itself.
        interval: of a score.
        runs: that it is taken from.
        system: whose it is.
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
        title: a few words and the profile.
        caption: what it shows, in full sentences.
        columns: titles, in order, without that of the labels.
        values: the numbers.
        labels: of the rows, in order; those of the values where none are given.
        missing: labels of the rows that we have no run for yet.
        brief: titles of the columns that a terminal has room for; none for all.
        notes: what a reader must know, one sentence or more each.
    """

    name: str
    title: str
    caption: str
    columns: tuple[str, ...]
    values: tuple[Value, ...]
    labels: tuple[str, ...] = ()
    missing: frozenset[str] = frozenset()
    brief: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        object.__setattr__(self, "name", slug(self.name))  # the profile may come from anywhere

    @property
    def header(self) -> tuple[str, ...]:
        """Above ``rows``; nothing stands above the labels."""
        return ("", *self.columns)

    @cached_property
    def rows(self) -> tuple[tuple[str, ...], ...]:
        """The label and the cells of each row, as they are read."""
        cells: dict[tuple[str, str], list[Value]] = {}
        for value in self.values:
            cells.setdefault((value.row, value.column), []).append(value)
        labels = self.labels or tuple(dict.fromkeys(value.row for value in self.values))
        return tuple(
            (row, *(self._cell(row, cells, title) for title in self.columns)) for row in labels
        )

    def _cell(self, row: str, cells: dict[tuple[str, str], list[Value]], title: str) -> str:
        values = cells.get((row, title))
        if values:
            return cell(values)
        return MISSING if row in self.missing and title in self.scored else NOTHING

    @cached_property
    def scored(self) -> frozenset[str]:
        """The columns that hold our scores."""
        return frozenset(value.column for value in self.values if value.kind == "score")


def cell(values: Sequence[Value]) -> str:
    """The text of one cell; of several seeds the mean."""
    first, average = values[0], mean(value.value for value in values)
    digits = 1 if len(first.runs) > 1 or len(values) > 1 else 0
    match first.kind:
        case "score":
            return over_seeds([value.value for value in values], first.interval)
        case "printed":
            return f"{100 * average:.2f}"
        case "difference":
            return signed(100 * average)
        case "p":
            return p_value(average)
        case "count":
            return f"{average:,.0f}" if len(values) == 1 else f"{average:,.1f}"
    return signed(average, digits)
