"""Which relation is taken for which."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from matplotlib.axes import Axes

from mmie.errors import InputError
from mmie.reporting.figures.drawing import WIDTH, Drawing, canvas, drawing
from mmie.reporting.figures.groups import by_experiment, entries, full_systems, kept, seeds
from mmie.reporting.runs import Run

NOTHING = "nothing"
Counts = Counter[tuple[str, str]]


def confusions(runs: Sequence[Run]) -> list[Drawing]:
    """A heat map an experiment, of its last model; summed over seeds; of the papers' full systems where they are among the runs."""
    drawn = []
    for experiment, of_experiment in by_experiment(
        full_systems(run for run in runs if run.analysis)
    ).items():
        alike, note = kept(of_experiment)
        model = [*alike[-1].analysis][-1]
        having = [run for run in alike if (run.analysis.get(model) or {}).get("confusion")]
        counts = sum((_counts(run, model) for run in having), Counter())
        if counts:
            title = f"confusion of relations, {model} in {experiment}"
            caption = (
                f"Rows: gold relation; columns: predicted; number of items, {seeds(having)} together; shade: share of the row."
                f" “{NOTHING}”: missed gold, or invented or invalid answers.{note}"
            )
            drawn.append(_map(counts, f"confusion-{experiment}", title, caption, run=runs[0]))
    return drawn


def _counts(run: Run, model: str) -> Counts:
    found: Counts = Counter()
    for entry in entries(run, f"analysis.{model}.confusion", run.analysis[model]["confusion"]):
        match entry:
            case [str(gold), str(predicted), int(count)] if count >= 0:
                found[gold or NOTHING, predicted or NOTHING] += count
            case _:
                raise InputError(
                    f"{run.path}: analysis.{model}.confusion: {entry!r} is not gold, predicted, count; run again"
                )
    return found


def _map(counts: Counts, name: str, title: str, caption: str, *, run: Run) -> Drawing:
    totals: Counter[str] = Counter()
    for (gold, predicted), count in counts.items():
        totals[gold] += count
        totals[predicted] += 0
    relations = sorted(
        totals, key=lambda relation: (relation == NOTHING, -totals[relation], relation)
    )
    golds = [relation for relation in relations if totals[relation]]
    shares = [[counts[gold, predicted] / totals[gold] for predicted in relations] for gold in golds]
    figure, (axis,) = canvas(1, 1, min(WIDTH + 0.6, 2.2 + 0.36 * len(golds)))
    image = axis.imshow(shares, cmap="Blues", vmin=0, vmax=1, aspect="auto")
    for row, gold in enumerate(golds):
        for column, predicted in enumerate(relations):
            if counts[gold, predicted]:
                colour = "white" if shares[row][column] > 0.55 else "black"
                axis.text(
                    column,
                    row,
                    str(counts[gold, predicted]),
                    ha="center",
                    va="center",
                    color=colour,
                    size=9,
                )
    _label(axis, golds, relations)
    figure.colorbar(image, ax=axis, label="share of the row", shrink=0.8)
    return drawing(name, title, caption, run=run, figure=figure)


def _label(axis: Axes, golds: list[str], relations: list[str]) -> None:
    axis.set_xticks(
        range(len(relations)), relations, rotation=45, ha="right", rotation_mode="anchor"
    )
    axis.set_yticks(range(len(golds)), golds)
    axis.set_xlabel("predicted")
    axis.set_ylabel("gold")
    axis.tick_params(length=0)
    axis.spines[:].set_visible(False)
