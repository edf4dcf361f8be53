"""Training curves of GRPO, from ``metrics/grpo.csv`` beside the results (``step,name,value``)."""

from __future__ import annotations

import csv
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import mean
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from mmie.errors import InputError
from mmie.json_types import LARGEST
from mmie.reporting.figures.drawing import Drawing, canvas, drawing
from mmie.reporting.figures.groups import by_experiment, full_systems, newest_runs
from mmie.reporting.runs import Run
from mmie.reporting.style import smooth_line_look

FILE = "metrics/grpo.csv"
HEADER = "step,name,value"
PART = "train/r_"  # begins the names of the parts of the reward
FIRST = {"train/reward": "reward"}
LAST = {
    "train/kl": "KL to the reference",
    "train/length_mean": "tokens per response",
    "train/zero_variance_groups": "share of groups without variance",
    "val/f1": "F1 on the validation split",
}
NOT_SMOOTHED = "val/"
HALF_WINDOW = 4  # steps before and after a step that it is smoothed with
MANY = 4  # experiments in one figure
COLUMNS = 3  # of panels
CAPTION = (
    "Reinforcement over steps: the mean of the seeds, and a band from the lowest to the highest."
    f" Each step is smoothed with {HALF_WINDOW} steps before and after it. Validation is not"
    " smoothed; between two validations there is a straight line. An experiment ends where its"
    " shortest seed does."
)
Curve = dict[int, float]


@dataclass(frozen=True)
class Line:
    """One measure of one experiment: over the steps, the mean, lowest and highest of the seeds."""

    steps: tuple[int, ...]
    means: tuple[float, ...]
    lows: tuple[float, ...]
    highs: tuple[float, ...]


@dataclass(frozen=True)
class Curves:
    """What the figure shows.

    Attributes:
        seeds: experiment → number of seeds.
        panels: title of a panel → experiment → line.
    """

    seeds: dict[str, int]
    panels: dict[str, dict[str, Line]]


def figures(runs: Sequence[Run]) -> list[Drawing]:
    """One panel per measure, one colour per experiment.

    Raises:
        InputError: a file of curves cannot be read.
    """
    recorded = [run for run in runs if run.file(FILE)]
    many = len(by_experiment(recorded)) > MANY
    chosen, note = newest_runs(full_systems(recorded) if many else recorded)
    known = select(chosen)
    if not known.panels:
        return []
    figure, title = _draw(known), "training curves of GRPO, over steps"
    return [drawing("training", title, CAPTION + note, run=runs[0], figure=figure)]


def select(runs: Sequence[Run]) -> Curves:
    """The curves of runs that have a file of them.

    Raises:
        InputError: a file cannot be read.
    """
    experiments = {name: [_read(run) for run in of] for name, of in by_experiment(runs).items()}
    recorded = (name for seeds in experiments.values() for seed in seeds for name in seed)
    panels: dict[str, dict[str, Line]] = {}
    for name, title in _titles(recorded).items():
        for experiment, seeds in experiments.items():
            having = [seed[name] for seed in seeds if name in seed]
            if having:
                half = 0 if name.startswith(NOT_SMOOTHED) else HALF_WINDOW
                panels.setdefault(title, {})[experiment] = _line(having, half)
    return Curves({name: len(seeds) for name, seeds in experiments.items()}, panels)


def _titles(recorded: Iterable[str]) -> dict[str, str]:
    """Measure → title, of those that are drawn, in their order: the reward and its parts first."""
    names = list(dict.fromkeys(recorded))
    parts = {
        name: f"{name.removeprefix('train/')}, part of the reward"
        for name in names
        if name.startswith(PART)
    }
    titles = {**FIRST, **parts, **LAST}
    return {name: title for name, title in titles.items() if name in names}


def _line(seeds: Sequence[Curve], half: int) -> Line:
    """From the first step that all seeds have reached to the last that all have."""
    begin, end = max(min(curve) for curve in seeds), min(max(curve) for curve in seeds)
    steps = sorted({step for curve in seeds for step in curve if begin <= step <= end})
    values = np.array([_smoothed(curve, half, steps) for curve in seeds])
    means, lows, highs = values.mean(0), values.min(0), values.max(0)
    return Line(tuple(steps), tuple(means), tuple(lows), tuple(highs))


def _smoothed(curve: Curve, half: int, steps: Sequence[int]) -> np.ndarray:
    """The curve at these steps; straight lines where it has no value."""
    values = [*curve.values()]
    means = [mean(values[max(0, at - half) : at + half + 1]) for at in range(len(values))]
    return np.interp(steps, [*curve], means)


def _read(run: Run) -> dict[str, Curve]:
    """Name → step → value."""
    path = run.file(FILE)
    assert path is not None
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"{path}: cannot be read ({error}); run again") from error
    named: dict[str, Curve] = {}
    for number, line in enumerate(lines, start=1):
        if line != HEADER:
            step, name, value = _row(line, path, number)
            named.setdefault(name, {})[step] = value
    return {name: dict(sorted(curve.items())) for name, curve in named.items()}


def _row(line: str, path: Path, number: int) -> tuple[int, str, float]:
    """One line; no name has a line break in it."""
    try:
        [(step, name, value)] = csv.reader([line])
        if not 0 <= int(step) <= LARGEST:
            raise ValueError(f"not a step: {step}")
        return int(step), name, float(value)
    except (ValueError, csv.Error) as error:
        raise InputError(f"{path}:{number}: not {HEADER}; delete the line or run again") from error


def _draw(known: Curves) -> Figure:
    rows = -(-len(known.panels) // COLUMNS)
    figure, axes = canvas(rows, COLUMNS, 0.9 + 2.1 * rows + 0.1 * len(known.seeds), sharex=True)
    looks = {experiment: smooth_line_look(at) for at, experiment in enumerate(known.seeds)}
    for axis, (title, lines) in zip(axes, known.panels.items(), strict=False):
        for experiment, line in lines.items():
            _draw_line(axis, line, looks[experiment])
        axis.set_title(title)
        axis.xaxis.set_tick_params(labelbottom=True)
    for axis in axes[len(known.panels) :]:
        axis.remove()
    handles = [Line2D([], [], linewidth=2, **look) for look in looks.values()]
    labels = [f"{name} ({seeds} seed{'s' * (seeds > 1)})" for name, seeds in known.seeds.items()]
    columns = min(2, len(labels))
    figure.legend(handles, labels, loc="outside lower center", ncols=columns, handlelength=4)
    return figure


def _draw_line(axis: Axes, line: Line, look: dict[str, Any]) -> None:
    shade = {"color": look["color"], "alpha": 0.18, "linewidth": 0}
    axis.fill_between(line.steps, line.lows, line.highs, **shade)
    axis.plot(line.steps, line.means, linewidth=2, **look)
