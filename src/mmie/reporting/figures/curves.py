"""Training curves of GRPO, from ``metrics/grpo.csv`` beside the results (``step,name,value``)."""

from __future__ import annotations

import csv
from collections.abc import Iterable, Sequence
from pathlib import Path

import pandas as pd
from matplotlib.figure import Figure

from mmie.errors import InputError
from mmie.json_types import LARGEST
from mmie.reporting.figures.drawing import Drawing, canvas, drawing, legend_below
from mmie.reporting.figures.groups import by_experiment, full_systems
from mmie.reporting.run_selection import newest
from mmie.reporting.runs import Run
from mmie.reporting.style import smooth_line_look

FILE = "metrics/grpo.csv"
HEADER = ["step", "name", "value"]
PART = "train/r_"  # begins the names of the parts of the reward
LAST = {
    "train/kl": "KL to the reference",
    "train/length_mean": "tokens per response",
    "train/zero_variance_groups": "share of groups without variance",
    "val/f1": "F1 on the validation split",
}
WINDOW = 9  # steps that a step of training is smoothed over
MANY = 4  # experiments in one figure
COLUMNS = 3  # of panels
CAPTION = (
    "Reinforcement over steps: the mean of the seeds, and a band from the lowest to the highest."
    f" Training is smoothed over {WINDOW} steps, validation is not; between two validations there"
    " is a straight line. An experiment ends where its shortest seed does."
)
Panels = dict[str, dict[str, pd.DataFrame]]


def figures(runs: Sequence[Run]) -> list[Drawing]:
    """One panel per measure, one colour per experiment.

    Raises:
        InputError: a file of curves cannot be read.
    """
    recorded = [run for run in runs if run.file(FILE)]
    many = len(by_experiment(recorded)) > MANY
    chosen, _ = newest(full_systems(recorded) if many else recorded)
    panels = select(chosen)
    if not panels:
        return []
    figure, title = _draw(panels), "training curves of GRPO, over steps"
    return [drawing("training", title, CAPTION, run=runs[0], figure=figure)]


def select(runs: Sequence[Run]) -> Panels:
    """Title of a panel → experiment → seeds (columns) over steps (rows).

    Rows are the steps of any seed, from the first that all have reached to the last that all have.

    Raises:
        InputError: a file cannot be read.
    """
    read = {name: [_read(run) for run in of] for name, of in by_experiment(runs).items()}
    panels: Panels = {}
    for name, title in _titles(name for of in read.values() for one in of for name in one).items():
        for experiment, seeds in read.items():
            having = [one[name] for one in seeds if name in one]
            if name.startswith("train/"):
                having = [one.rolling(WINDOW, center=True, min_periods=1).mean() for one in having]
            if having:
                joined = pd.concat(having, axis=1).sort_index()
                lines = joined.interpolate("index", limit_area="inside").dropna()
                panels.setdefault(title, {})[experiment] = lines
    return panels


def _titles(recorded: Iterable[str]) -> dict[str, str]:
    """Measure → title, of those that are drawn, in their order: the reward and its parts first."""
    names = list(dict.fromkeys(recorded))
    parts = {name: f"{name.removeprefix('train/')}, before its weight" for name in names}
    own = {name: title for name, title in parts.items() if name.startswith(PART)}
    titles = {"train/reward": "reward", **own, **LAST}
    return {name: title for name, title in titles.items() if name in names}


def _read(run: Run) -> dict[str, pd.Series]:
    """Name → the values by step."""
    path = run.file(FILE) or Path(FILE)
    where, curves = str(path), dict[str, dict[int, float]]()
    try:
        with path.open(encoding="utf-8", newline="") as file:
            for number, row in enumerate(csv.reader(file), start=1):
                where = f"{path}:{number}"
                if row != HEADER:
                    step, name, value = row
                    if not 0 <= int(step) <= LARGEST:
                        raise ValueError(f"{step} is not a step")
                    curves.setdefault(name, {})[int(step)] = float(value)
    except (OSError, ValueError, csv.Error) as error:
        columns, reason = ",".join(HEADER), " ".join(str(error).split())
        raise InputError(f"{where}: not {columns} ({reason}); delete it or run again") from error
    return {name: pd.Series(curve).sort_index() for name, curve in curves.items()}


def _draw(panels: Panels) -> Figure:
    experiments = list(dict.fromkeys(name for lines in panels.values() for name in lines))
    rows = -(-len(panels) // COLUMNS)
    figure, axes = canvas(rows, COLUMNS, 0.9 + 2.1 * rows + 0.1 * len(experiments), sharex=True)
    for axis, (title, lines) in zip(axes, panels.items(), strict=False):
        for experiment, seeds in lines.items():
            look = smooth_line_look(experiments.index(experiment))
            label = f"{experiment}, seeds: {seeds.shape[1]}"
            # One step alone is no line, so it gets a marker.
            marker = "o" if len(seeds) == 1 else None
            mean = seeds.mean(axis=1)
            axis.plot(seeds.index, mean, linewidth=2, marker=marker, label=label, **look)
            ends = seeds.min(axis=1), seeds.max(axis=1)
            axis.fill_between(seeds.index, *ends, color=look["color"], alpha=0.18, linewidth=0)
        axis.set_title(title)
        axis.xaxis.set_tick_params(labelbottom=True)
    for axis in axes[len(panels) :]:
        axis.remove()
    legend_below(figure, max(axes[: len(panels)], key=lambda axis: len(axis.lines)))
    return figure
