"""Validation F1 over what a sweep varies.

Two keys that form a grid give a heat map, other keys one panel each.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import matplotlib as mpl
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle

from mmie.reporting.figures.drawing import Drawing
from mmie.reporting.style import BEST, BLUE, LOOK, ORANGE, SCORES
from mmie.reporting.sweep import FIGURE, Job, best_of, short, varying

FILLED = 0.5  # share of its cells that a heat map must have
MANY_TICKS = 12


def draw(jobs: Sequence[Job], folder: Path) -> None:
    """Writes ``sweep.svg`` and ``sweep.png``; nothing where there is nothing to compare.

    Raises:
        InputError: the files cannot be written.
    """
    names = varying(jobs)
    if not names or sum(job.validation_f1 is not None for job in jobs) < 2:
        return
    with mpl.rc_context(LOOK):
        figure = kind(jobs, names)(jobs, names)
    Drawing(FIGURE, "", "", figure).save(folder)


def kind(jobs: Sequence[Job], names: Sequence[str]) -> Callable[..., Figure]:
    """The kind of picture that suits a sweep over these keys."""
    return heat_map if len(names) == 2 and filled(jobs, names) >= FILLED else panels


def filled(jobs: Sequence[Job], names: Sequence[str]) -> float:
    """The number of jobs as a share of all combinations of values."""
    return len(jobs) / np.prod([len(levels(jobs, name)) for name in names])


def levels(jobs: Sequence[Job], name: str) -> list[str]:
    """The values of a key: numbers by size, others as they come."""
    values = list(dict.fromkeys(_value(job, name) for job in jobs))
    return sorted(values, key=float) if numeric(values) else values


def numeric(values: Sequence[str]) -> bool:
    """Whether all values are finite numbers."""
    try:
        return bool(np.isfinite([float(value) for value in values]).all())
    except ValueError:
        return False


def logarithmic(numbers: Sequence[float]) -> bool:
    """Whether the logarithms are spread more evenly than the numbers themselves."""
    if min(numbers) <= 0 or min(numbers) == max(numbers):
        return False
    return _unevenness(np.log(numbers)) < _unevenness(np.asarray(numbers))


def _unevenness(numbers: np.ndarray) -> float:
    """How far the median is from the middle of the range, as a share of the range."""
    middle = (numbers.min() + numbers.max()) / 2
    return float(abs(np.median(numbers) - middle) / np.ptp(numbers))


def scored(jobs: Sequence[Job]) -> list[tuple[Job, float]]:
    """Jobs with their validation F1 in %: the worst first, the best of the sweep last."""
    order = sorted(jobs, key=lambda job: (job.validation_f1 or 0, -job.number))
    return [(job, 100 * job.validation_f1) for job in order if job.validation_f1 is not None]


def _value(job: Job, name: str) -> str:
    return job.overrides.get(name, "")


def _title(jobs: Sequence[Job], mark: str) -> str:
    best, failed = best_of(jobs), sum(job.error is not None for job in jobs)
    assert best is not None
    failures = f"; {failed} of {len(jobs)} jobs failed" if failed else ""
    return f"{mark}: best validation F1, job {best.number}{failures}"


@dataclass(frozen=True)
class Panel:
    """F1 in % over the places of a key's values.

    Attributes:
        places: value → place on the axis.
        validation: (place, F1).
        test: (place, F1, low, high).
        best: (place, F1).
        failed: places of failed jobs.
    """

    places: dict[str, float]
    validation: list[tuple[float, float]]
    test: list[tuple[float, float, float, float]]
    best: tuple[float, float]
    failed: list[float]


def panel_data(jobs: Sequence[Job], name: str) -> Panel:
    """Where the jobs stand on the panel of a key."""
    values = levels(jobs, name)
    numbers = map(float, values) if numeric(values) else range(len(values))
    places: dict[str, float] = dict(zip(values, numbers, strict=True))
    placed = sorted(((places[_value(job, name)], job) for job in jobs), key=lambda pair: pair[0])
    test = []
    for place, job in placed:
        if job.test is not None and job.test.ci95 is not None:
            low, high = job.test.ci95
            test.append((place, 100 * job.test.f1, 100 * low, 100 * high))
    f1 = {job.number: score for job, score in scored(jobs)}
    best, highest = scored(jobs)[-1]
    return Panel(
        places=places,
        validation=[(place, f1[job.number]) for place, job in placed if job.number in f1],
        test=test,
        best=(places[_value(best, name)], highest),
        failed=[place for place, job in placed if job.error],
    )


def panels(jobs: Sequence[Job], names: Sequence[str]) -> Figure:
    """One panel per key. With a single key, numbers are connected and test F1 stands beside."""
    alone = len(names) == 1
    size = (6, 4) if alone else (1 + 2.8 * len(names), 3.6)
    figure = Figure(figsize=size, layout="constrained")
    axes = figure.subplots(1, len(names), squeeze=False, sharey=True)[0]
    for axis, name in zip(axes, names, strict=True):
        _draw_panel(axis, panel_data(jobs, name), alone=alone)
        axis.set_xlabel(name)
    axes[0].set_ylabel("F1, %" if alone else "validation F1, %")
    if alone:
        axes[0].legend()
    figure.suptitle(_title(jobs, "star"))
    return figure


def _draw_panel(axis: Axes, data: Panel, *, alone: bool) -> None:
    numbers = numeric([*data.places])
    style = "-" if alone and numbers else "none"
    if data.test and alone:
        x, f1, low, high = np.array(data.test).T
        look: dict[str, Any] = {"color": ORANGE, "marker": "s", "linewidth": 1, "capsize": 3}
        ends = (f1 - low, high - f1)
        axis.errorbar(x, f1, ends, linestyle=style, label="test, 95 % interval", **look)
    x, f1 = np.array(data.validation).T
    axis.plot(x, f1, color=BLUE, linestyle=style, marker="o", label="validation")
    axis.plot(*data.best, "*", color=BEST, markersize=16, zorder=5)
    if numbers and logarithmic([*data.places.values()]):
        axis.set_xscale("log")
    for place in data.failed if alone else ():
        transform = axis.get_xaxis_transform()
        axis.text(place, 0.02, "failed", rotation="vertical", ha="center", transform=transform)
    _label_values(axis, data.places, numbers=numbers)
    axis.margins(x=0.1 if alone else 0.2)


def _label_values(axis: Axes, places: dict[str, float], *, numbers: bool) -> None:
    if len(places) > MANY_TICKS:
        return
    turned: dict[str, Any] = {} if numbers else {"rotation": 15, "ha": "right"}
    axis.set_xticks([*places.values()], [short(value) for value in places], **turned)
    axis.minorticks_off()


@dataclass(frozen=True)
class Grid:
    """Validation F1 in the cells of two keys.

    Attributes:
        side, below: the keys; the one with the longer values stands at the side.
        rows, columns: their values.
        f1: [rows, columns] in %, NaN where there is none.
        texts: (row, column) → what the cell says.
        best: row and column of the best job.
    """

    side: str
    below: str
    rows: list[str]
    columns: list[str]
    f1: np.ndarray
    texts: dict[tuple[int, int], str]
    best: tuple[int, int]


def grid_data(jobs: Sequence[Job], names: Sequence[str]) -> Grid:
    """What the heat map shows of a sweep over two keys."""
    longest = {name: max(len(short(value)) for value in levels(jobs, name)) for name in names}
    side, below = sorted(names, key=lambda name: -longest[name])
    rows, columns = levels(jobs, side), levels(jobs, below)
    cells = {}
    for job in jobs:
        cells[job.number] = rows.index(_value(job, side)), columns.index(_value(job, below))
    f1 = np.full((len(rows), len(columns)), np.nan)
    texts = {cells[job.number]: "failed" for job in jobs if job.error}
    for job, score in scored(jobs):
        f1[cells[job.number]] = score
        texts[cells[job.number]] = f"{score:.1f}"
    best = scored(jobs)[-1][0]
    return Grid(side, below, rows, columns, f1, texts, cells[best.number])


def heat_map(jobs: Sequence[Job], names: Sequence[str]) -> Figure:
    data = grid_data(jobs, names)
    size = (3 + 0.9 * len(data.columns), 1.6 + 0.6 * len(data.rows))
    figure = Figure(figsize=size, layout="constrained")
    axis = figure.subplots()
    image = axis.imshow(data.f1, cmap=SCORES, aspect="auto", origin="lower")
    middle = (np.nanmin(data.f1) + np.nanmax(data.f1)) / 2
    for (row, column), text in data.texts.items():
        dark = data.f1[row, column] < middle  # false for a failed job's cell, which stays white
        colour = "white" if dark else "black"
        axis.text(column, row, text, ha="center", va="center", color=colour)
    row, column = data.best
    frame: dict[str, Any] = {"fill": False, "edgecolor": BEST, "linewidth": 3, "clip_on": False}
    axis.add_patch(Rectangle((column - 0.5, row - 0.5), 1, 1, **frame))
    axis.set_xticks(range(len(data.columns)), [short(value) for value in data.columns])
    axis.set_yticks(range(len(data.rows)), [short(value) for value in data.rows])
    axis.set(xlabel=data.below, ylabel=data.side, title=_title(jobs, "frame"))
    axis.spines[:].set_visible(False)
    figure.colorbar(image, label="validation F1, %")
    return figure
