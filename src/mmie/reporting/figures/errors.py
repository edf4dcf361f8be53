"""What kinds of errors the models make."""

from __future__ import annotations

from collections.abc import Sequence

from mmie.error_kinds import KINDS
from mmie.reporting.figures.drawing import Drawing, bar_look, canvas, drawing, legend_below
from mmie.reporting.figures.groups import by_experiment, full_systems, kept, mapping, number, seeds
from mmie.reporting.runs import Run


def error_kinds(runs: Sequence[Run]) -> list[Drawing]:
    """A group of bars a kind, a bar a model, mean over seeds; one figure an experiment, of the papers' full systems where they are."""
    having = by_experiment(full_systems(run for run in runs if run.analysis))
    return [
        drawn for experiment, alike in having.items() for drawn in _of(experiment, *kept(alike))
    ]


def _of(experiment: str, runs: list[Run], note: str) -> list[Drawing]:
    named = dict.fromkeys(model for run in runs for model in run.analysis)
    silent = [model for model in named if _silent(runs, model)]
    models = {model: _counts(runs, model) for model in named if model not in silent}
    kinds = [
        *dict.fromkeys(
            kind
            for kind in (*KINDS, *(kind for counts in models.values() for kind in counts))
            if any(kind in counts for counts in models.values())
        )
    ]
    if not kinds:
        return []
    height = 0.8 / len(models)
    figure, (axis,) = canvas(1, 1, 1.3 + len(kinds) * max(0.3, 0.2 * len(models)))
    for index, (model, counts) in enumerate(models.items()):
        places = [place + (index - (len(models) - 1) / 2) * height for place in range(len(kinds))]
        values = [counts.get(kind, 0.0) for kind in kinds]
        bars = axis.barh(places, values, height=0.9 * height, label=model, **bar_look(index))
        axis.bar_label(
            bars, [f"{value:,.1f}".removesuffix(".0") for value in values], padding=3, fontsize=9
        )
    axis.set_yticks(range(len(kinds)), kinds)
    axis.invert_yaxis()
    axis.set_xlabel("errors on the test set, mean over seeds")
    axis.tick_params(axis="y", length=0)
    axis.margins(x=0.08, y=0.02)
    legend_below(figure, axis)
    invalid = (
        " All quintuples of an invalid answer are missed as well."
        if runs[0].task == "jmere"
        else ""
    )
    left_out = (
        f" Left out, as nothing that they say is right: {', '.join(silent)}." if silent else ""
    )
    caption = f"Number of errors of each kind, mean over {seeds(runs)}.{invalid}{left_out}{note}"
    return [
        drawing(
            f"errors-{experiment}",
            f"kinds of errors, {experiment}",
            caption,
            run=runs[0],
            figure=figure,
        )
    ]


def _silent(runs: list[Run], model: str) -> bool:
    """Whether its F1 is known, and 0 in all runs: its one long bar would hide the others."""
    scores = [scores.get("f1") for run in runs for scores in run.models.get(model, {}).values()]
    return bool(scores) and not any(scores)


def _counts(runs: list[Run], model: str) -> dict[str, float]:
    """Kind → mean over the seeds that have the model."""
    having = [run for run in runs if model in run.analysis]
    found: dict[str, float] = {}
    for run in having:
        for kind, count in mapping(
            run, f"analysis.{model}.errors", run.analysis[model].get("errors")
        ).items():
            found[kind] = found.get(kind, 0.0) + number(
                run, f"analysis.{model}.errors.{kind}", count
            ) / len(having)
    return found
