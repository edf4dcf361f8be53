"""Validation F1 over what a sweep varies.

One key gives a line, two keys a heat map, more keys parallel coordinates.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import matplotlib as mpl
import numpy as np
from matplotlib import colormaps
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle

from mmie.reporting import scales
from mmie.reporting.figures.drawing import Drawing
from mmie.reporting.style import BEST, BLUE, LOOK, ORANGE, SCORES
from mmie.reporting.sweep import FIGURE, Job, best_of, short, varying

FILLED = 0.5  # share of its cells that a heat map must have
MANY_TICKS = 12
TEXT_BOX = {"boxstyle": "square,pad=0.1", "facecolor": "white", "edgecolor": "none", "alpha": 0.7}


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


def kind(
    jobs: Sequence[Job], names: Sequence[str]
) -> Callable[[Sequence[Job], Sequence[str]], Figure]:
    """The kind of picture that suits a sweep over these keys."""
    if len(names) == 1:
        return line
    return heat_map if len(names) == 2 and filled(jobs, names) >= FILLED else parallel


def filled(jobs: Sequence[Job], names: Sequence[str]) -> float:
    """The number of jobs as a share of all combinations of values."""
    return len(jobs) / np.prod([len(levels(jobs, name)) for name in names])


def levels(jobs: Sequence[Job], name: str) -> list[str]:
    """The values of a key: numbers by size, others as they come."""
    values = list(dict.fromkeys(_value(job, name) for job in jobs))
    return sorted(values, key=float) if scales.numeric(values) else values


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
class LineData:
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


def line_data(jobs: Sequence[Job], name: str) -> LineData:
    """What the line shows of a sweep over one key."""
    values = levels(jobs, name)
    numbers = map(float, values) if scales.numeric(values) else range(len(values))
    places: dict[str, float] = dict(zip(values, numbers, strict=True))
    placed = sorted(((places[_value(job, name)], job) for job in jobs), key=lambda pair: pair[0])
    test = []
    for place, job in placed:
        if job.test is not None and job.test.ci95 is not None:
            low, high = job.test.ci95
            test.append((place, 100 * job.test.f1, 100 * low, 100 * high))
    f1 = {job.number: score for job, score in scored(jobs)}
    best, highest = scored(jobs)[-1]
    return LineData(
        places=places,
        validation=[(place, f1[job.number]) for place, job in placed if job.number in f1],
        test=test,
        best=(places[_value(best, name)], highest),
        failed=[place for place, job in placed if job.error],
    )


def line(jobs: Sequence[Job], names: Sequence[str]) -> Figure:
    """Validation F1 and, with its interval, test F1. Words on the axis are not connected."""
    [name] = names
    data = line_data(jobs, name)
    numeric = scales.numeric([*data.places])
    style = "-" if numeric else "none"
    figure = Figure(figsize=(6, 4), layout="constrained")
    axis = figure.subplots()
    if data.test:
        x, f1, low, high = np.array(data.test).T
        look: dict[str, Any] = {"color": ORANGE, "marker": "s", "linewidth": 1, "capsize": 3}
        ends = (f1 - low, high - f1)
        axis.errorbar(x, f1, ends, linestyle=style, label="test, 95 % interval", **look)
    x, f1 = np.array(data.validation).T
    axis.plot(x, f1, color=BLUE, linestyle=style, marker="o", label="validation")
    axis.plot(*data.best, "*", color=BEST, markersize=16, zorder=5)
    if numeric and scales.logarithmic([*data.places.values()]):
        axis.set_xscale("log")
    for place in data.failed:
        transform = axis.get_xaxis_transform()
        axis.text(place, 0.02, "failed", rotation="vertical", ha="center", transform=transform)
    _label_values(axis, data.places, numeric=numeric)
    axis.set(xlabel=name, ylabel="F1, %", title=_title(jobs, "star"))
    axis.legend()
    return figure


def _label_values(axis: Axes, places: dict[str, float], *, numeric: bool) -> None:
    if len(places) > MANY_TICKS:
        return
    turned: dict[str, Any] = {} if numeric else {"rotation": 15, "ha": "right"}
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


@dataclass(frozen=True)
class Parallel:
    """Jobs as lines through upright axes, one per key and the last one for validation F1.

    Attributes:
        lines: for each job, from the worst to the best, its height (0..1) on every axis.
        marks: for each axis, (height, text).
    """

    lines: list[list[float]]
    marks: list[list[tuple[float, str]]]


def parallel_data(jobs: Sequence[Job], names: Sequence[str]) -> Parallel:
    """What the parallel coordinates show. Within a value, better jobs run higher."""
    ranked = scored(jobs)
    reached = scales.to_scale([f1 for _, f1 in ranked], digits=3)
    axes = [scales.upright(levels(jobs, name), short) for name in names]
    lines = []
    for (job, _), height in zip(ranked, reached.heights, strict=True):
        through = zip(axes, names, strict=True)
        lines.append([axis.at(_value(job, name), height) for axis, name in through] + [height])
    return Parallel(lines, [*(axis.marks for axis in axes), reached.marks])


def parallel(jobs: Sequence[Job], names: Sequence[str]) -> Figure:
    """The better a job, the darker its line; the best one lies on top."""
    data = parallel_data(jobs, names)
    figure = Figure(figsize=(2 + 1.8 * len(names), 4.5), layout="constrained")
    axis = figure.subplots()
    *others, best = data.lines
    for heights in others:
        colour = colormaps[SCORES](1 - heights[-1])
        axis.plot(heights, color=colour, linewidth=1.2, marker="o", markersize=3)
    axis.plot(best, color=BEST, linewidth=3, marker="o", markersize=3)
    for x, marks in enumerate(data.marks):
        axis.axvline(x, color="black", linewidth=0.8, zorder=0)
        for height, text in marks:
            place: dict[str, Any] = {"textcoords": "offset points", "va": "center"}
            axis.annotate(text, (x, height), (6, 0), fontsize="small", bbox=TEXT_BOX, **place)
    axis.set_xticks(range(len(names) + 1), [*names, "validation F1, %"])
    axis.set(yticks=[], xlim=(-0.1, len(names) + 0.4), title=_title(jobs, "thick line"))
    axis.tick_params(length=0)
    axis.spines[:].set_visible(False)
    return figure
