"""Training curves of GRPO, from the ``metrics/grpo.csv`` beside the results (``step,name,value``)."""

from __future__ import annotations

import csv
from collections.abc import Sequence
from pathlib import Path
from statistics import mean
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.lines import Line2D

from mmie.errors import InputError
from mmie.reporting.figures.drawing import COLOURS, LINES, Drawing, canvas, drawing
from mmie.reporting.figures.groups import by_experiment, full_systems, kept
from mmie.reporting.runs import Run
from mmie.results import LARGEST

FILE = "metrics/grpo.csv"
PANELS = {
    "train/reward": "reward",
    "train/r_q": "accuracy reward, r_q",
    "train/r_p": "partial reward, r_p",
    "train/r_f": "format reward, r_f",
    "train/r_l": "length reward, r_l",
    "train/r_a": "answer reward, r_a",
    "train/kl": "KL to the reference",
    "train/length_mean": "tokens a response",
    "train/zero_variance_groups": "share of groups without variance",
    "val/f1": "F1 on the validation split",
}
WINDOW = 9  # steps that a curve is smoothed by: its step, four before and four after
MANY = 4  # experiments in one figure
Curve = dict[int, float]


def curves(runs: Sequence[Run]) -> list[Drawing]:
    """A panel a measure, a colour an experiment: the mean over seeds, a band from the lowest to the highest; of many, the full systems."""
    having = [run for run in runs if run.file(FILE)]
    found, note = kept(having if len(by_experiment(having)) <= MANY else full_systems(having))
    read = {
        experiment: [_read(run) for run in alike]
        for experiment, alike in by_experiment(found).items()
    }
    panels = [
        name
        for name in PANELS
        if any(name in of_run for of_runs in read.values() for of_run in of_runs)
    ]
    if not panels:
        return []
    rows = -(-len(panels) // 3)
    figure, axes = canvas(rows, 3, 0.9 + 2.1 * rows + 0.2 * len(read) / 2, sharex=True)
    for axis, name in zip(axes, panels, strict=False):
        for index, of_runs in enumerate(read.values()):
            _panel(
                axis,
                [of_run[name] for of_run in of_runs if name in of_run],
                index,
                smooth=not name.startswith("val/"),
            )
        axis.set_title(PANELS[name])
        axis.xaxis.set_tick_params(labelbottom=True)
    for axis in axes[len(panels) :]:
        axis.remove()
    handles = [Line2D([], [], linewidth=2, **_look(index)) for index in range(len(read))]
    labels = [
        f"{experiment} ({len(of_runs)} seed{'s' * (len(of_runs) > 1)})"
        for experiment, of_runs in read.items()
    ]
    figure.legend(
        handles, labels, loc="outside lower center", ncols=min(2, len(labels)), handlelength=4
    )
    caption = (
        f"Reinforcement, over steps: mean of the seeds, the band from the lowest to the highest, smoothed over {WINDOW} steps; validation"
        f" not smoothed, and between two validations a straight line. An experiment ends where its shortest seed does.{note}"
    )
    return [
        drawing(
            "training", "training curves of GRPO, over steps", caption, run=runs[0], figure=figure
        )
    ]


def _panel(axis: Axes, seeds: Sequence[Curve], index: int, *, smooth: bool) -> None:
    """From the first step that all seeds have come to, to the last that all have; straight lines where one has no value."""
    if not seeds:
        return
    begin, end = max(min(curve) for curve in seeds), min(max(curve) for curve in seeds)
    steps = [
        step for step in sorted({step for curve in seeds for step in curve}) if begin <= step <= end
    ]
    values = np.array([_smoothed(curve, WINDOW // 2 if smooth else 0, steps) for curve in seeds])
    look = _look(index)
    axis.fill_between(
        steps, values.min(0), values.max(0), color=look["color"], alpha=0.18, linewidth=0
    )
    axis.plot(steps, values.mean(0), linewidth=2, **look)


def _smoothed(curve: Curve, half: int, steps: Sequence[int]) -> np.ndarray:
    """The curve at these steps; each of its values is the mean of up to ``half`` before, itself and ``half`` after."""
    values = [*curve.values()]
    means = [mean(values[max(0, place - half) : place + half + 1]) for place in range(len(values))]
    return np.interp(steps, [*curve], means)


def _look(index: int) -> dict[str, Any]:
    turn = index + index // len(COLOURS)
    return {"color": COLOURS[index % len(COLOURS)], "linestyle": LINES[turn % len(LINES)]}


def _read(run: Run) -> dict[str, Curve]:
    """Name → step → value; InputError with file and line for anything else."""
    path = run.file(FILE)
    assert path is not None
    found: dict[str, Curve] = {}
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"{path}: cannot be read ({error}); run again") from error
    for place, line in enumerate(lines, start=1):
        if line != "step,name,value":
            step, name, value = _row(line, path, place)
            found.setdefault(name, {})[step] = value
    return {name: dict(sorted(curve.items())) for name, curve in found.items()}


def _row(line: str, path: Path, place: int) -> tuple[int, str, float]:
    """One line; no name in the log has a line break in it."""
    try:
        [(step, name, value)] = csv.reader([line])
        if not 0 <= int(step) <= LARGEST:
            raise ValueError(f"no step: {step}")
        return int(step), name, float(value)
    except (ValueError, csv.Error) as error:
        raise InputError(
            f"{path}:{place}: not step,name,value; delete the line or run again"
        ) from error
