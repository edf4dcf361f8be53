"""What kinds of errors the systems make."""

from __future__ import annotations

from collections.abc import Sequence

import pandas as pd
from matplotlib.figure import Figure

from mmie.reporting.figures.drawing import Drawing, canvas, drawing, legend_below
from mmie.reporting.figures.groups import by_experiment, full_systems, seeds_in_words
from mmie.reporting.run_selection import newest
from mmie.reporting.runs import Run
from mmie.reporting.style import bar_look


def figures(runs: Sequence[Run]) -> list[Drawing]:
    """One figure per experiment, of the papers' full methods where they are among the runs."""
    drawn = []
    analysed = full_systems(run for run in runs if run.results.analysis)
    for experiment, alike in by_experiment(analysed).items():
        chosen, _ = newest(alike)
        errors, never_right = select(chosen)
        if errors.size:
            caption = (
                f"Number of errors of each kind, mean over {seeds_in_words(chosen)}."
                " docs/metrics.md explains the kinds."
            )
            if never_right:
                caption += f" Left out because no answer is right: {', '.join(never_right)}."
            name, title = f"errors-{experiment}", f"kinds of errors, {experiment}"
            drawn.append(drawing(name, title, caption, run=runs[0], figure=_draw(errors)))
    return drawn


def select(runs: Sequence[Run]) -> tuple[pd.DataFrame, list[str]]:
    """Errors by kind (rows) and system (columns), means over the runs of one experiment.

    Systems without one right answer come apart: their one long bar would hide the others.
    """
    systems = dict.fromkeys(system for run in runs for system in run.results.analysis)
    never_right = [system for system in systems if _never_right(runs, system)]
    means = {}
    for system in systems:
        if system not in never_right:
            analyses = [run.results.analysis.get(system) for run in runs]
            counts = pd.DataFrame([analysis.errors for analysis in analyses if analysis])
            means[system] = counts.fillna(0).mean()
    kinds = list(dict.fromkeys(kind for of in means.values() for kind in of.index))
    return pd.DataFrame(means, index=kinds).fillna(0), never_right


def _never_right(runs: Sequence[Run], system: str) -> bool:
    """Whether its F1 is known, and 0 on all measures in all runs."""
    scores = [score for run in runs for score in run.systems.get(system, {}).values()]
    return bool(scores) and not any(score.f1 for score in scores)


def _draw(errors: pd.DataFrame) -> Figure:
    """One group of bars per kind, one bar per system."""
    kinds, systems = errors.shape
    figure, (axis,) = canvas(1, 1, 1.3 + max(0.3, 0.2 * systems) * kinds)
    height = 0.8 / systems
    for index, system in enumerate(errors):
        places = [place + (index - (systems - 1) / 2) * height for place in range(kinds)]
        look = bar_look(index)
        bars = axis.barh(places, errors[system], height=0.9 * height, label=system, **look)
        words = [f"{value:,.1f}".removesuffix(".0") for value in errors[system]]
        axis.bar_label(bars, words, padding=3, fontsize=9)
    axis.set_yticks(range(kinds), [*errors.index])
    axis.invert_yaxis()
    axis.set_xlabel("errors on the test set, mean over seeds")
    axis.margins(x=0.08, y=0.02)
    legend_below(figure, axis)
    return figure
