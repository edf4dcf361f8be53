"""Figure 7 of JMERE-R1: how many candidates each filter leaves."""

from __future__ import annotations

from collections.abc import Sequence
from statistics import mean
from typing import Any, NamedTuple

from mmie.reporting.figures.drawing import Drawing, canvas, drawing
from mmie.reporting.figures.groups import by_experiment
from mmie.reporting.run_selection import newest
from mmie.reporting.runs import Run
from mmie.reporting.style import BLUE

SAMPLES = "samples"
NOT_FILTERS = ("distilled", "usable", "selected", SAMPLES)


class Setting(NamedTuple):
    """Runs with the same filters, whose ``name`` lists these in order, with their parameters.

    ``left`` is step → candidates left after it, in order, and ``samples`` the number of training
    samples with a candidate left; both are means over the runs.
    """

    name: str
    experiments: tuple[str, ...]
    left: dict[str, float]
    samples: float


def figures(runs: Sequence[Run]) -> list[Drawing]:
    """One panel per filter setting, one bar per filter."""
    chosen, _ = newest(runs)
    settings = select(chosen)
    if not settings:
        return []
    most = max(len(setting.left) for setting in settings)
    columns = min(2, len(settings))
    rows = -(-len(settings) // columns)
    figure, axes = canvas(rows, columns, 0.6 + rows * (0.9 + 0.28 * most), sharex=True)
    for axis, setting in zip(axes, settings, strict=False):
        bars = axis.barh([*setting.left], [*setting.left.values()], color=BLUE, height=0.7)
        axis.bar_label(bars, [f"{count:,.0f}" for count in setting.left.values()], padding=3)
        axis.set_title(f"{setting.name}\n{setting.samples:,.0f} samples", loc="left")
        axis.set_ylim(most - 0.5, -0.5)
        axis.tick_params(axis="x", bottom=False, labelbottom=False)
        axis.margins(x=0.18)
    for axis in axes[len(settings) :]:
        axis.remove()
    named = [f"{setting.name}: {', '.join(setting.experiments)}" for setting in settings]
    caption = (
        "Candidates left after each filter, in order; mean over seeds."
        f" Experiments by filters: {'; '.join(named)}."
    )
    name, title = "figure7-chains", "candidates left after each filter, Figure 7"
    return [drawing(name, title, caption, run=runs[0], figure=figure)]


def select(runs: Sequence[Run]) -> list[Setting]:
    """The filter settings of the runs that filtered, those with the most filters first."""
    groups: dict[str, list[tuple[str, Run]]] = {}
    for experiment, alike in by_experiment(runs).items():
        for run in alike:
            if run.results.chains:
                groups.setdefault(_name(run), []).append((experiment, run))
    settings = []
    for name, group in groups.items():
        counts = [run.results.chains for _, run in group]
        means = {step: mean(of[step] for of in counts if step in of) for step in counts[0]}
        samples = means.pop(SAMPLES, 0)
        experiments = tuple(sorted({experiment for experiment, _ in group}))
        settings.append(Setting(name, experiments, means, samples))
    return sorted(settings, key=lambda setting: -len(setting.left))


def _name(run: Run) -> str:
    """The filters in order, with their parameters where the configuration holds them."""
    parameters = run.results.settings.filter or {}
    filters = [step for step in run.results.chains if step not in NOT_FILTERS]
    return ", ".join(_words(step, parameters.get(step, {})) for step in filters) or "no filter"


def _words(name: str, parameters: dict[str, Any]) -> str:
    words = [f"{key} {value}" for key, value in parameters.items() if not key.startswith("_")]
    return f"{name} ({', '.join(words)})" if words else name
