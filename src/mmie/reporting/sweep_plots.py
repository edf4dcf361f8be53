"""Validation F1 over what a sweep varies: one panel per key."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import matplotlib as mpl
import numpy as np
from matplotlib.axes import Axes

from mmie.reporting.figures.drawing import Drawing, canvas
from mmie.reporting.style import BEST, BLUE, LOOK, ORANGE
from mmie.reporting.sweep import FIGURE, Job, best_of, short, varying

LOGARITHMIC = 50  # ratio of the largest to the smallest number from which the axis is logarithmic
MANY_TICKS = 12


def draw(jobs: Sequence[Job], folder: Path) -> None:
    """Writes ``sweep.svg`` and ``sweep.png``; nothing where there is nothing to compare.

    With a single key, numbers are connected and test F1 stands beside.

    Raises:
        InputError: the files cannot be written.
    """
    names, best = varying(jobs), best_of(jobs)
    scored = [job for job in jobs if job.validation_f1 is not None]
    if best is None or not names or len(scored) < 2:
        return
    with mpl.rc_context(LOOK):
        figure, axes = canvas(1, len(names), 3.8, sharey=True)
        for axis, name in zip(axes, names, strict=True):
            _draw_panel(axis, scored, name, best, alone=len(names) == 1)
        axes[0].set_ylabel("F1, %")
        axes[0].legend()
        figure.suptitle(f"star: best validation F1, job {best.number}")
    Drawing(FIGURE, "", "", figure).save(folder)


def places(jobs: Sequence[Job], name: str) -> tuple[dict[str, float], bool]:
    """Value of a key → place on its axis, and whether all are numbers, which stand where they
    belong; words stand side by side."""
    values = list(dict.fromkeys(job.overrides.get(name, "") for job in jobs))
    try:
        numbers = [float(value) for value in values]
    except ValueError:
        numbers = [float("nan")]
    numeric = bool(np.isfinite(numbers).all())
    return dict(zip(values, numbers if numeric else range(len(values)), strict=True)), numeric


def _draw_panel(axis: Axes, jobs: Sequence[Job], name: str, best: Job, *, alone: bool) -> None:
    place, numeric = places(jobs, name)
    at = {job.number: place[job.overrides.get(name, "")] for job in jobs}
    rows = sorted(((at[job.number], job) for job in jobs), key=lambda row: row[0])
    style: dict[str, Any] = {"linestyle": "-" if alone and numeric else "none"}
    tested = [(x, job.test.f1, *job.test.ci95) for x, job in rows if job.test and job.test.ci95]
    if alone and tested:
        x, f1, low, high = np.array(tested).T
        bars = 100 * np.array((f1 - low, high - f1))
        axis.errorbar(x, 100 * f1, bars, color=ORANGE, marker="s", label="test, 95 %", **style)
    points = [(x, 100 * (job.validation_f1 or 0)) for x, job in rows]
    axis.plot(*zip(*points, strict=True), marker="o", color=BLUE, label="validation", **style)
    highest = 100 * (best.validation_f1 or 0)
    axis.plot(at[best.number], highest, "*", color=BEST, markersize=16, zorder=5)
    if numeric and 0 < LOGARITHMIC * min(place.values()) <= max(place.values()):
        axis.set_xscale("log")
    if len(place) <= MANY_TICKS:
        axis.set_xticks([*place.values()], [short(value) for value in place], rotation=15)
        axis.minorticks_off()
    axis.margins(x=0.1)
    axis.set_xlabel(name)
