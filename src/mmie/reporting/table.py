"""A table of finished runs: cells as they are read, and behind each the numbers and the runs that it comes from."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from mmie.files import slug
from mmie.reporting.runs import Run
from mmie.significance import mean_and_deviation

NOTHING, MISSING = "–", "missing"


@dataclass(frozen=True)
class Value:
    """One number behind a cell, % (p: 0..1); ``runs`` that it is taken from, or ``source`` for a printed one."""

    row: str
    column: str
    value: float
    interval: tuple[float, float] | None = None
    runs: tuple[Run, ...] = ()
    model: str = ""
    source: str = ""


@dataclass(frozen=True, kw_only=True)
class Table:
    """One table.

    Attributes:
        name: of its files, always a ``slug``; its profile comes first.
        title: a few words and the profile.
        caption: what it shows, in full sentences.
        header, rows: the cells; the first column holds the rows' labels.
        brief: the columns that a terminal has room for; none for all.
        values: the numbers behind the cells.
        notes: what a reader must know, one sentence or more each.
    """

    name: str
    title: str
    caption: str
    header: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    values: tuple[Value, ...]
    brief: tuple[int, ...] = ()
    notes: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        object.__setattr__(self, "name", slug(self.name))  # the profile may come from anywhere


def cell(values: Sequence[Value]) -> str:
    """Mean ± standard deviation (n−1) of several seeds; one seed's value and its interval, where it has one."""
    if not values:
        return NOTHING
    average, deviation = mean_and_deviation([entry.value for entry in values])
    if deviation is not None:
        return f"{average:.1f} ± {deviation:.1f}"
    low_high = values[0].interval
    return f"{average:.1f}" + (f" [{low_high[0]:.1f}, {low_high[1]:.1f}]" if low_high else "")


def signed(points: float, digits: int = 1) -> str:
    """With its sign and a real minus."""
    return f"{round(points, digits) + 0.0:+.{digits}f}".replace("-", "−")
