"""Validation F1 over what a sweep varies: a line for one key, a heat map for two, parallel coordinates for more."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from matplotlib import colormaps
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle

from mmie.files import disk_errors
from mmie.reporting.sweep import FIGURE, Job, best_of, short, varying

VALIDATION, TEST, BEST = "#0072B2", "#E69F00", "#D55E00"  # Okabe and Ito
MAP = colormaps["cividis"]
LABEL = {"boxstyle": "square,pad=0.1", "facecolor": "white", "edgecolor": "none", "alpha": 0.7}
LEVELS = 6  # up to so many values of a key are evenly spaced bands; more numbers than that are drawn to scale
FILLED = 0.5  # share of its cells that a heat map must have


def draw(jobs: Sequence[Job], folder: Path) -> None:
    """Writes ``sweep.svg`` and ``sweep.png`` where two jobs or more have a validation F1 and something varies."""
    names = varying(jobs)
    if not names or sum(job.validation_f1 is not None for job in jobs) < 2:
        return
    figure = _kind(jobs, names)(jobs, names)
    for suffix in ("svg", "png"):
        path = folder / f"{FIGURE}.{suffix}"
        with disk_errors(path):
            figure.savefig(path, dpi=150)


def _kind(
    jobs: Sequence[Job], names: Sequence[str]
) -> Callable[[Sequence[Job], Sequence[str]], Figure]:
    if len(names) == 1:
        return line
    cells = np.prod([len(levels(jobs, name)) for name in names])
    return heat_map if len(names) == 2 and len(jobs) >= FILLED * cells else parallel


def levels(jobs: Sequence[Job], name: str) -> list[str]:
    """The values of a key: numbers by size, others as they come."""
    found = list(dict.fromkeys(job.overrides.get(name, "") for job in jobs))
    return sorted(found, key=float) if _numeric(found) else found


def _numeric(values: Sequence[str]) -> bool:
    try:
        return bool(np.isfinite([float(value) for value in values]).all())
    except ValueError:
        return False


def _logarithmic(numbers: Sequence[float]) -> bool:
    """Whether the logarithms are spread more evenly than the numbers: their median is nearer to the middle."""
    if min(numbers) <= 0:
        return False
    plain, logs = (
        abs(np.median(of) - (of.min() + of.max()) / 2) / np.ptp(of)
        for of in (np.asarray(numbers), np.log(numbers))
    )
    return bool(logs < plain)


def _scored(jobs: Sequence[Job]) -> list[tuple[Job, float]]:
    """Jobs with their validation F1 in %, the worst first, ``best_of`` last."""
    order = sorted(jobs, key=lambda job: (job.validation_f1 or 0, -job.number))
    return [(job, 100 * job.validation_f1) for job in order if job.validation_f1 is not None]


def _title(jobs: Sequence[Job], mark: str) -> str:
    best, failed = best_of(jobs), sum(job.error is not None for job in jobs)
    assert best is not None
    return f"{mark}: best validation F1, job {best.number}" + (
        f"; {failed} of {len(jobs)} jobs failed" if failed else ""
    )


def line(jobs: Sequence[Job], names: Sequence[str]) -> Figure:
    """Validation F1 and, with its 95 % interval, test F1 over one key."""
    figure = Figure(figsize=(6, 4), layout="constrained")
    axis = figure.subplots()
    values = levels(jobs, names[0])
    place = {
        value: float(value) if _numeric(values) else number for number, value in enumerate(values)
    }
    placed = sorted(
        ((place[job.overrides.get(names[0], "")], job) for job in jobs), key=lambda pair: pair[0]
    )
    drawn = "-" if _numeric(values) else "none"
    tested = np.array(
        [
            (x, 100 * score.f1, *(100 * end for end in score.ci95))
            for x, job in placed
            if (score := job.test) and score.ci95
        ]
    )
    if tested.size:
        x, f1, low, high = tested.T
        axis.errorbar(
            x,
            f1,
            (f1 - low, high - f1),
            color=TEST,
            linestyle=drawn,
            marker="s",
            linewidth=1,
            capsize=3,
            label="test, 95 % interval",
        )
    valid = [(x, 100 * job.validation_f1) for x, job in placed if job.validation_f1 is not None]
    axis.plot(
        *zip(*valid, strict=True), color=VALIDATION, linestyle=drawn, marker="o", label="validation"
    )
    best = _scored(jobs)[-1]
    axis.plot(place[best[0].overrides[names[0]]], best[1], "*", color=BEST, markersize=16)
    if _numeric(values) and _logarithmic([*place.values()]):
        axis.set_xscale("log")
    if len(values) <= 2 * LEVELS:
        angle, end = (0, "center") if _numeric(values) else (15, "right")
        axis.set_xticks(
            [*place.values()], [short(value) for value in values], rotation=angle, ha=end
        )
        axis.minorticks_off()
    for x, job in placed:
        if job.error:
            axis.text(
                x,
                0.02,
                "failed",
                rotation="vertical",
                ha="center",
                transform=axis.get_xaxis_transform(),
            )
    axis.set(xlabel=names[0], ylabel="F1, %")
    axis.set_title(_title(jobs, "star"), fontsize="medium")
    axis.spines[["top", "right"]].set_visible(False)
    axis.legend(frameon=False)
    return figure


def heat_map(jobs: Sequence[Job], names: Sequence[str]) -> Figure:
    """Validation F1 in the cells of two keys; the key with the longer values stands at the side."""
    side, below = sorted(
        names, key=lambda name: -max(len(short(value)) for value in levels(jobs, name))
    )
    rows, columns = levels(jobs, side), levels(jobs, below)
    grid = np.full((len(rows), len(columns)), np.nan)
    cells = {
        job.number: (
            rows.index(job.overrides.get(side, "")),
            columns.index(job.overrides.get(below, "")),
        )
        for job in jobs
    }
    texts = {cells[job.number]: "failed" for job in jobs if job.error}
    for job, f1 in _scored(jobs):
        cell = cells[job.number]
        grid[cell], texts[cell] = f1, f"{f1:.1f}"
    figure = Figure(figsize=(3 + 0.9 * len(columns), 1.6 + 0.6 * len(rows)), layout="constrained")
    axis = figure.subplots()
    middle = (np.nanmin(grid) + np.nanmax(grid)) / 2
    picture = axis.imshow(grid, cmap=MAP, aspect="auto", origin="lower")
    for (row, column), text in texts.items():
        dark = grid[row, column] < middle  # false for a failed job's cell, which stays white
        axis.text(column, row, text, ha="center", va="center", color="white" if dark else "black")
    row, column = cells[_scored(jobs)[-1][0].number]
    axis.add_patch(
        Rectangle(
            (column - 0.5, row - 0.5), 1, 1, fill=False, edgecolor=BEST, linewidth=3, clip_on=False
        )
    )
    axis.set_xticks(range(len(columns)), [short(value) for value in columns])
    axis.set_yticks(range(len(rows)), [short(value) for value in rows])
    axis.set(xlabel=below, ylabel=side)
    axis.set_title(_title(jobs, "frame"), fontsize="medium")
    axis.spines[:].set_visible(False)
    figure.colorbar(picture, label="validation F1, %")
    return figure


def parallel(jobs: Sequence[Job], names: Sequence[str]) -> Figure:
    """One line a job through its values and its validation F1: the better, the darker and the higher within a value; the best on top."""
    figure = Figure(figsize=(2 + 1.8 * len(names), 4.5), layout="constrained")
    axis = figure.subplots()
    scored = _scored(jobs)
    scales = [_scale(levels(jobs, name)) for name in names]
    reached, marks = _measured([f1 for _, f1 in scored], digits=3)
    for (job, _), height in zip(scored, reached, strict=True):
        heights = [
            scale.at(job.overrides.get(name, ""), height)
            for scale, name in zip(scales, names, strict=True)
        ]
        best = job is scored[-1][0]
        colour, width = (BEST, 3) if best else (MAP(1 - height), 1.2)
        axis.plot([*heights, height], color=colour, linewidth=width, marker="o", markersize=3)
    for x, texts in enumerate([*(scale.marks for scale in scales), marks]):
        axis.axvline(x, color="black", linewidth=0.8, zorder=0)
        for height, text in texts:
            axis.annotate(
                text,
                (x, height),
                (6, 0),
                textcoords="offset points",
                va="center",
                fontsize="small",
                bbox=LABEL,
            )
    axis.set_xticks(range(len(names) + 1), [*names, "validation F1, %"])
    axis.set(yticks=[], xlim=(-0.1, len(names) + 0.4))
    axis.set_title(_title(jobs, "thick line"), fontsize="medium")
    axis.tick_params(length=0)
    axis.spines[:].set_visible(False)
    return figure


@dataclass(frozen=True)
class _Scale:
    """An upright axis: ``heights`` (0..1) of the values, each a band of so much ``width``, and ``marks`` (height, text)."""

    heights: dict[str, float]
    width: float
    marks: list[tuple[float, str]]

    def at(self, value: str, share: float) -> float:
        return self.heights[value] + self.width * (share - 0.5)


def _scale(values: Sequence[str]) -> _Scale:
    if _numeric(values) and len(values) > LEVELS:
        heights, marks = _measured([float(value) for value in values], digits=2)
        return _Scale(dict(zip(values, heights, strict=True)), 0, marks)
    places = {value: (place + 0.5) / len(values) for place, value in enumerate(values)}
    return _Scale(
        places, 0.6 / len(values), [(height, short(value)) for value, height in places.items()]
    )


def _measured(
    numbers: Sequence[float], *, digits: int
) -> tuple[list[float], list[tuple[float, str]]]:
    """Heights (0..1) of numbers to scale, and marks beside them; equal numbers stand in the middle."""
    if min(numbers) == max(numbers):
        return [0.5] * len(numbers), [(0.5, f"{numbers[0]:.{digits}g}")]
    onto, back = (
        (np.log10, lambda found: 10**found)
        if digits == 2 and _logarithmic(numbers)
        else (np.asarray, float)
    )
    found = onto(numbers)
    marks = [
        (height, f"{back(found.min() + height * np.ptp(found)):.{digits}g}")
        for height in np.linspace(0, 1, 5)
    ]
    return ((found - found.min()) / np.ptp(found)).tolist(), marks
