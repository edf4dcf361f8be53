"""What kinds of errors the systems make."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from statistics import mean

from matplotlib.axes import Axes

from mmie.reporting.figures.drawing import Drawing, canvas, drawing, legend_below
from mmie.reporting.figures.groups import by_experiment, full_systems, newest_runs, seeds_in_words
from mmie.reporting.runs import Run
from mmie.reporting.style import bar_look


@dataclass(frozen=True)
class Errors:
    """The errors of one experiment.

    Attributes:
        kinds: in the order of the results.
        means: system → number of errors of each kind, mean over the seeds that have the system.
        never_right: systems without one right answer. Their one long bar would hide the others.
    """

    kinds: tuple[str, ...]
    means: dict[str, tuple[float, ...]]
    never_right: tuple[str, ...]


def figures(runs: Sequence[Run]) -> list[Drawing]:
    """One figure per experiment, of the papers' full methods where they are among the runs."""
    drawn = []
    analysed = full_systems(run for run in runs if run.results.analysis)
    for experiment, alike in by_experiment(analysed).items():
        chosen, note = newest_runs(alike)
        errors = select(chosen)
        if errors.means and errors.kinds:
            drawn.append(_drawing(experiment, errors, chosen, note))
    return drawn


def select(runs: Sequence[Run]) -> Errors:
    """The errors of the runs of one experiment."""
    systems = list(dict.fromkeys(system for run in runs for system in run.results.analysis))
    never_right = tuple(system for system in systems if _never_right(runs, system))
    counts: dict[str, list[dict[str, int]]] = {}
    for system in systems:
        if system not in never_right:
            analyses = [run.results.analysis.get(system) for run in runs]
            counts[system] = [analysis.errors for analysis in analyses if analysis]
    errors = [one for of_system in counts.values() for one in of_system]
    kinds = tuple(dict.fromkeys(kind for one in errors for kind in one))
    means = {
        system: tuple(mean(one.get(kind, 0) for one in of_system) for kind in kinds)
        for system, of_system in counts.items()
    }
    return Errors(kinds, means, never_right)


def _never_right(runs: Sequence[Run], system: str) -> bool:
    """Whether its F1 is known, and 0 on all measures in all runs."""
    scores = [score for run in runs for score in run.systems.get(system, {}).values()]
    return bool(scores) and not any(score.f1 for score in scores)


def _drawing(experiment: str, errors: Errors, runs: Sequence[Run], note: str) -> Drawing:
    per_kind = max(0.3, 0.2 * len(errors.means))
    figure, (axis,) = canvas(1, 1, 1.3 + per_kind * len(errors.kinds))
    _draw(axis, errors)
    legend_below(figure, axis)
    caption = (
        f"Number of errors of each kind, mean over {seeds_in_words(runs)}."
        " docs/metrics.md explains the kinds."
    )
    if errors.never_right:
        caption += f" Left out because no answer is right: {', '.join(errors.never_right)}."
    name, title = f"errors-{experiment}", f"kinds of errors, {experiment}"
    return drawing(name, title, caption + note, run=runs[0], figure=figure)


def _draw(axis: Axes, errors: Errors) -> None:
    """One group of bars per kind, one bar per system."""
    height = 0.8 / len(errors.means)
    for index, (system, means) in enumerate(errors.means.items()):
        aside = (index - (len(errors.means) - 1) / 2) * height
        places = [place + aside for place in range(len(errors.kinds))]
        bars = axis.barh(places, means, height=0.9 * height, label=system, **bar_look(index))
        words = [f"{value:,.1f}".removesuffix(".0") for value in means]
        axis.bar_label(bars, words, padding=3, fontsize=9)
    axis.set_yticks(range(len(errors.kinds)), errors.kinds)
    axis.invert_yaxis()
    axis.set_xlabel("errors on the test set, mean over seeds")
    axis.tick_params(axis="y", length=0)
    axis.margins(x=0.08, y=0.02)
