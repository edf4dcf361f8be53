"""Figure 5 of JMERE-R1: the majority of k responses, as a curve and by label."""

from __future__ import annotations

from collections.abc import Sequence
from math import pi
from statistics import mean
from typing import Any, NamedTuple

from matplotlib.figure import Figure

from mmie.reporting.figures.drawing import Drawing, canvas, drawing, legend_below
from mmie.reporting.figures.groups import (
    BANDS,
    Band,
    band,
    by_experiment,
    seeds_in_words,
)
from mmie.reporting.run_selection import newest
from mmie.reporting.runs import Run
from mmie.reporting.style import line_look
from mmie.results import Curve, Voting

PAPER_RANGE = (40.0, 80.0)  # % F1 at the centre and at the rim of the paper's radar
FEWEST_LABELS = 3  # of a radar
TICKS = (1, 2, 5, 10, 20, 50, 100, 200, 500, 1000)
RADAR = (
    "F1 by label where all responses vote, mean over seeds; a label that a system never predicts"
    " counts 0. The paper's radar runs from 40 to 80 %. Its text does not name the axes; one axis"
    " per label is our guess."
)


class Votes(NamedTuple):
    """The votes of one system, whose name has the experiment where several have such a system.

    ``curves`` is way of voting → k → F1 in %, for each k that all seeds have; ``by_label`` is way
    of voting → label → F1 in % where all responses vote, mean over the seeds.
    """

    name: str
    curves: dict[str, dict[int, Band]]
    by_label: dict[str, dict[str, float]]


def figures(runs: Sequence[Run]) -> list[Drawing]:
    """F1 of the vote over k, and F1 by label with all votes as a radar."""
    chosen, _ = newest(run for run in runs if run.results.voting)
    votes = select(chosen)
    ways = list(dict.fromkeys(way for one in votes for way in one.curves))
    if not ways:
        return []
    caption = (
        f"F1 of the majority of k responses per test sample, {seeds_in_words(chosen)}. {BANDS}"
    )
    name, title, figure = "figure5-voting", "majority vote, Figure 5", _draw_curves(votes, ways)
    drawn = [drawing(name, title, caption, run=runs[0], figure=figure)]
    ways = [way for way in ways if len(_labels(votes, way)) >= FEWEST_LABELS]
    if ways:
        name, title = "figure5-relations", "majority vote by label, Figure 5"
        figure = _draw_radars(votes, ways)
        drawn.append(drawing(name, title, RADAR, run=runs[0], figure=figure))
    return drawn


def select(runs: Sequence[Run]) -> list[Votes]:
    """The votes of each system.

    CoT-SFT and JMERE-R1 vote in runs of their own and stand in one figure, so systems of several
    experiments come together here.
    """
    named: dict[str, dict[str, list[Voting]]] = {}
    for experiment, alike in by_experiment(runs).items():
        for run in alike:
            for system, voting in run.results.voting.items():
                named.setdefault(system, {}).setdefault(experiment, []).append(voting)
    votes = []
    for system, experiments in named.items():
        for experiment, seeds in experiments.items():
            name = system if len(experiments) == 1 else f"{experiment}: {system}"
            ways = list(dict.fromkeys(way for voting in seeds for way in voting.curves))
            curves = {way: _curve([one for one in seeds if way in one.curves], way) for way in ways}
            votes.append(Votes(name, curves, {way: _by_label(seeds, way) for way in ways}))
    return votes


def _curve(seeds: Sequence[Voting], way: str) -> dict[int, Band]:
    """The curve of the main measure, which comes first."""
    points: dict[int, list[tuple[float, list[float]]]] = {}
    for voting in seeds:
        curve: Curve = next(iter(voting.curves[way].values()))
        for k, f1, ends in zip(voting.k, curve.f1, curve.ci95, strict=True):
            points.setdefault(k, []).append((100 * f1, [100 * end for end in ends]))
    shared = {k: found for k, found in points.items() if len(found) == len(seeds)}
    return {k: band([f1 for f1, _ in found], found[0][1]) for k, found in shared.items()}


def _by_label(seeds: Sequence[Voting], way: str) -> dict[str, float]:
    found = [voting.by_label.get(way, {}) for voting in seeds]
    labels = sorted({label for scores in found for label in scores})
    return {label: 100 * mean(scores.get(label, 0) for scores in found) for label in labels}


def _labels(votes: Sequence[Votes], way: str) -> list[str]:
    return sorted({label for one in votes for label in one.by_label.get(way, {})})


def _draw_curves(votes: Sequence[Votes], ways: Sequence[str]) -> Figure:
    """One panel per way of voting, one line per system."""
    figure, axes = canvas(1, len(ways), 3.8, sharey=True)
    for axis, way in zip(axes, ways, strict=True):
        for index, one in enumerate(votes):
            curve, look = one.curves.get(way, {}), line_look(index)
            values, lows, highs = zip(*curve.values(), strict=True) if curve else ((), (), ())
            axis.plot([*curve], values, label=one.name, markersize=5, **look)
            axis.fill_between([*curve], lows, highs, color=look["color"], alpha=0.15, linewidth=0)
        largest = max((k for one in votes for k in one.curves.get(way, {})), default=1)
        axis.set_xscale("log")
        axis.set_xticks(TICKS, [str(tick) for tick in TICKS])
        axis.minorticks_off()
        axis.set_xlim(0.9, 1.1 * largest)
        axis.set(title=f"vote on: {way}", xlabel="k, responses that vote")
    axes[0].set_ylabel("F1 on the test set, %")
    legend_below(figure, axes[0])
    return figure


def _draw_radars(votes: Sequence[Votes], ways: Sequence[str]) -> Figure:
    """One radar per way of voting, below each other, with one axis per label."""
    polar = {"projection": "polar"}
    figure, axes = canvas(len(ways), 1, 1.2 + 5.4 * len(ways), subplot_kw=polar)
    low, high = radar_range(votes)
    for axis, way in zip(axes, ways, strict=True):
        polar_axis: Any = axis
        labels = _labels(votes, way)
        angles = [2 * pi * place / len(labels) for place in range(len(labels))]
        for index, one in enumerate(votes):
            scores = [one.by_label.get(way, {}).get(label, 0.0) for label in labels]
            closed = [*angles, angles[0]], [*scores, scores[0]]
            axis.plot(*closed, label=one.name, markersize=5, **line_look(index))
        axis.set_xticks(angles, [label or "nothing" for label in labels])
        axis.tick_params(axis="x", pad=26)
        axis.set_ylim(low, high)
        polar_axis.set_rlabel_position(180 / len(labels))
        axis.set_title(f"vote on: {way}\ncentre {low:.0f} %, rim {high:.0f} %", pad=24)
    legend_below(figure, axes[0])
    return figure


def radar_range(votes: Sequence[Votes]) -> tuple[float, float]:
    """The paper's range where it holds all values, else 0 to 100 %."""
    low, high = PAPER_RANGE
    scores = [f1 for one in votes for labels in one.by_label.values() for f1 in labels.values()]
    return PAPER_RANGE if all(low <= score <= high for score in scores) else (0.0, 100.0)
