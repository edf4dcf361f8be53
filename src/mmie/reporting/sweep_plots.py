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


def places(jobs: Sequence[Job], name: str) -> dict[str, float]:
    """Value of a key → place on its axis: numbers where they belong, words side by side."""
    values = list(dict.fromkeys(job.overrides.get(name, "") for job in jobs))
    try:
        numbers = sorted((float(value), value) for value in values)
        if np.isfinite([number for number, _ in numbers]).all():
            return {value: number for number, value in numbers}
    except ValueError:
        pass
    return {value: float(place) for place, value in enumerate(values)}


def _draw_panel(axis: Axes, jobs: Sequence[Job], name: str, best: Job, *, alone: bool) -> None:
    place = places(jobs, name)
    at = {job.number: place[job.overrides.get(name, "")] for job in jobs}
    jobs = sorted(jobs, key=lambda job: at[job.number])
    numbers = all(_is_number(value) for value in place)
    style: dict[str, Any] = {"linestyle": "-" if alone and numbers else "none"}
    for job in jobs if alone else ():
        if job.test is not None and job.test.ci95 is not None:
            axis.plot([at[job.number]] * 2, 100 * np.array(job.test.ci95), color=ORANGE)
    if alone and (tested := [(at[job.number], 100 * job.test.f1) for job in jobs if job.test]):
        axis.plot(*zip(*tested, strict=True), "s", color=ORANGE, label="test, 95 %", **style)
    points = [(at[job.number], 100 * (job.validation_f1 or 0)) for job in jobs]
    axis.plot(*zip(*points, strict=True), "o", color=BLUE, label="validation", **style)
    highest = 100 * (best.validation_f1 or 0)
    axis.plot(at[best.number], highest, "*", color=BEST, markersize=16, zorder=5)
    least, most = min(place.values()), max(place.values())
    if numbers and 0 < LOGARITHMIC * least <= most:
        axis.set_xscale("log")
    if len(place) <= MANY_TICKS:
        axis.set_xticks([*place.values()], [short(value) for value in place], rotation=15)
        axis.minorticks_off()
    axis.margins(x=0.1)
    axis.set_xlabel(name)


def _is_number(value: str) -> bool:
    try:
        return bool(np.isfinite(float(value)))
    except ValueError:
        return False
