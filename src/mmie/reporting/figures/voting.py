"""Figure 5 of JMERE-R1: the majority of k responses, as a curve and by label."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import degrees, pi, sin
from statistics import mean
from typing import Any

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from mmie.reporting.figures.drawing import Drawing, canvas, drawing, legend_below
from mmie.reporting.figures.groups import (
    Band,
    band,
    band_in_words,
    by_experiment,
    newest_runs,
    seeds_in_words,
)
from mmie.reporting.runs import Run
from mmie.reporting.style import line_look
from mmie.results import Curve, Voting

PAPER_RANGE = (40.0, 80.0)  # % F1 at the centre and at the rim of the paper's radar
FEWEST_LABELS = 3  # of a radar
TICKS = (1, 2, 5, 10, 20, 50, 100, 200, 500, 1000)
GUESS = (
    "The paper's radar runs from 40 to 80 %. Its text does not name the axes; one axis per label is"
    " our guess."
)


@dataclass(frozen=True)
class Votes:
    """What one system's votes come to.

    Attributes:
        name: the system, with its experiment where several have a system of this name.
        seeds: number of runs.
        curves: way of voting → k → F1 in %, for each k that all seeds have.
        by_label: way of voting → label → F1 in % where all responses vote, mean over the seeds.
    """

    name: str
    seeds: int
    curves: dict[str, dict[int, Band]]
    by_label: dict[str, dict[str, float]]


def figures(runs: Sequence[Run]) -> list[Drawing]:
    """F1 of the vote over k, and F1 by label with all votes as a radar."""
    chosen, note = newest_runs(run for run in runs if run.results.voting)
    votes = select(chosen)
    drawn = []
    if any(one.curves for one in votes):
        caption = f"F1 of the majority of k responses per test sample, {seeds_in_words(chosen)}."
        name, title, figure = "figure5-voting", "majority vote, Figure 5", _draw_curves(votes)
        drawn.append(drawing(name, title, caption + note, run=runs[0], figure=figure))
    ways = [way for way in _ways(votes) if len(_labels(votes, way)) >= FEWEST_LABELS]
    if ways:
        caption = (
            "F1 by label where all responses vote, mean over seeds; a label that a system never"
            f" predicts counts 0. {GUESS}"
        )
        name, title = "figure5-relations", "majority vote by label, Figure 5"
        figure = _draw_radars(votes, ways)
        drawn.append(drawing(name, title, caption + note, run=runs[0], figure=figure))
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
            votes.append(_votes(name, seeds))
    return votes


def _votes(name: str, seeds: Sequence[Voting]) -> Votes:
    ways = list(dict.fromkeys(way for voting in seeds for way in voting.curves))
    curves = {
        way: _curve([voting for voting in seeds if way in voting.curves], way) for way in ways
    }
    by_label = {way: _by_label(seeds, way) for way in ways}
    return Votes(name, len(seeds), curves, by_label)


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


def _ways(votes: Sequence[Votes]) -> list[str]:
    return list(dict.fromkeys(way for one in votes for way in one.curves))


def _labels(votes: Sequence[Votes], way: str) -> list[str]:
    return sorted({label for one in votes for label in one.by_label.get(way, {})})


def _draw_curves(votes: Sequence[Votes]) -> Figure:
    """One panel per way of voting, one line per system."""
    ways = _ways(votes)
    figure, axes = canvas(1, len(ways), 3.8, sharey=True)
    largest = max(k for one in votes for curve in one.curves.values() for k in curve)
    for axis, way in zip(axes, ways, strict=True):
        for index, one in enumerate(votes):
            label = f"{one.name} ({band_in_words([one.seeds])})"
            _draw_curve(axis, one.curves.get(way, {}), label, line_look(index))
        axis.set_xscale("log")
        axis.set_xticks(TICKS, [str(tick) for tick in TICKS])
        axis.minorticks_off()
        axis.set_xlim(0.9, 1.1 * largest)
        axis.set_title(f"vote on: {way}")
        axis.set_xlabel("k, responses that vote")
    axes[0].set_ylabel("F1 on the test set, %")
    legend_below(figure, axes[0])
    return figure


def _draw_curve(axis: Axes, curve: dict[int, Band], label: str, look: dict[str, Any]) -> None:
    bands = curve.values()
    axis.plot([*curve], [one.value for one in bands], label=label, markersize=5, **look)
    lows, highs = [one.low for one in bands], [one.high for one in bands]
    axis.fill_between([*curve], lows, highs, color=look["color"], alpha=0.15, linewidth=0)


def _draw_radars(votes: Sequence[Votes], ways: Sequence[str]) -> Figure:
    """One radar per way of voting, below each other, with one axis per label."""
    polar = {"projection": "polar"}
    figure, axes = canvas(len(ways), 1, 1.2 + 5.4 * len(ways), subplot_kw=polar)
    low, high = radar_range(votes)
    for axis, way in zip(axes, ways, strict=True):
        _draw_radar(axis, votes, way)
        axis.set_ylim(low, high)
        axis.set_yticks([low + (high - low) * quarter / 4 for quarter in (1, 2, 3)])
        paper = ", as in the paper" if (low, high) == PAPER_RANGE else ""
        words = f"vote on: {way}\ncentre {low:.0f} %, rim {high:.0f} %{paper}"
        axis.set_title(words, loc="left", x=-0.42, y=1.2)  # beside the names of the labels
    legend_below(figure, axes[0])
    return figure


def radar_range(votes: Sequence[Votes]) -> tuple[float, float]:
    """The paper's range where it holds all values, else 0 to 100 %."""
    low, high = PAPER_RANGE
    scores = [f1 for one in votes for labels in one.by_label.values() for f1 in labels.values()]
    return PAPER_RANGE if all(low <= score <= high for score in scores) else (0.0, 100.0)


def _draw_radar(axis: Any, votes: Sequence[Votes], way: str) -> None:
    labels = _labels(votes, way)
    angles = [2 * pi * place / len(labels) for place in range(len(labels))]
    for index, one in enumerate(votes):
        scores = [one.by_label.get(way, {}).get(label, 0.0) for label in labels]
        closed = [*angles, angles[0]], [*scores, scores[0]]
        axis.plot(*closed, label=one.name, markersize=5, **line_look(index))
    axis.set_theta_zero_location("N")
    axis.set_theta_direction(-1)
    axis.set_rlabel_position(180 / len(labels))
    axis.set_xticks(angles, [""] * len(angles))
    for angle, label in zip(angles, labels, strict=True):
        _write_outside(axis, angle, label or "nothing")


def _write_outside(axis: Any, angle: float, text: str) -> None:
    """Along its ray, readable from the left on both sides."""
    right = sin(angle) > -1e-9
    axis.annotate(
        text,
        (angle, 1),
        xycoords=axis.get_xaxis_transform(),
        xytext=(6 * sin(angle), 6 * sin(pi / 2 - angle)),
        textcoords="offset points",
        rotation=90 - degrees(angle) + (0 if right else 180),
        rotation_mode="anchor",
        ha="left" if right else "right",
        va="center",
        size=9,
    )
