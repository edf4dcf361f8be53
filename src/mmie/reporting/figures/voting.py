"""Figure 5 of JMERE-R1: the majority of k responses, as a curve and by relation."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from math import degrees, pi, sin
from typing import Any

from matplotlib.axes import Axes

from mmie.errors import InputError
from mmie.reporting.figures.drawing import Drawing, canvas, drawing, legend_below, line_look
from mmie.reporting.figures.groups import (
    band_told,
    by_experiment,
    kept,
    mapping,
    mean_and_band,
    numbers,
    seeds,
)
from mmie.reporting.runs import Run
from mmie.voting import OTHER_VOTING_KEYS

PAPER = (40.0, 80.0)  # % F1 at the centre and at the rim of the paper's radar
FEW = 8  # relations whose names stand upright around a radar
TICKS = (1, 2, 5, 10, 20, 50, 100, 200, 500, 1000)
Votes = list[tuple[Run, Mapping[str, Any]]]
Curve = dict[float, tuple[float, float, float]]


def majority(runs: Sequence[Run]) -> list[Drawing]:
    """F1 of the vote over k, a panel a way of voting; and F1 by relation with all votes, a radar a way."""
    found, note = kept(run for run in runs if mapping(run, "voting", run.found.get("voting")))
    series = _series(found)
    return [*_curves(series, note), *_radar(series, note)] if series else []


def _series(runs: Sequence[Run]) -> dict[str, Votes]:
    """Model → its votes, one for each seed; with its experiment where several have a model of this name.

    CoT-SFT and JMERE-R1 vote in runs of their own and stand in one figure.
    """
    having = by_experiment(runs)
    experiments: dict[str, set[str]] = {}
    for experiment, alike in having.items():
        for run in alike:
            for model in run.found["voting"]:
                experiments.setdefault(model, set()).add(experiment)
    found: dict[str, Votes] = {}
    for experiment, alike in having.items():
        for run in alike:
            for model, votes in run.found["voting"].items():
                name = model if len(experiments[model]) == 1 else f"{experiment}: {model}"
                found.setdefault(name, []).append((run, mapping(run, f"voting.{model}", votes)))
    return found


def _ways(series: dict[str, Votes]) -> list[str]:
    named = (way for votes in series.values() for _, found in votes for way in found)
    return [*dict.fromkeys(way for way in named if way not in OTHER_VOTING_KEYS)]


def _curves(series: dict[str, Votes], note: str) -> list[Drawing]:
    ways, run = _ways(series), next(iter(series.values()))[0][0]
    if not ways:
        return []
    figure, axes = canvas(1, len(ways), 3.8, sharey=True)
    largest = max(
        (
            k
            for votes in series.values()
            for of, found in votes
            for k in numbers(of, "voting, k", found.get("k"))
        ),
        default=1,
    )
    for axis, way in zip(axes, ways, strict=True):
        for index, (name, votes) in enumerate(series.items()):
            curves = [_points(of, name, found, way) for of, found in votes if way in found]
            _curve(axis, curves, f"{name} ({band_told([len(votes)])})", line_look(index))
        axis.set_xscale("log")
        axis.set_xticks(TICKS, [str(tick) for tick in TICKS])
        axis.minorticks_off()
        axis.set_xlim(0.9, 1.1 * largest)
        axis.set_title(f"vote on: {way}")
        axis.set_xlabel("k, responses that vote")
    axes[0].set_ylabel("F1 on the test set, %")
    legend_below(figure, axes[0])
    caption = f"F1 of the majority of k responses a test sample, {seeds([of for votes in series.values() for of, _ in votes])}.{note}"
    return [drawing("figure5-voting", "majority vote, Figure 5", caption, run=run, figure=figure)]


def _curve(axis: Axes, curves: Sequence[Curve], label: str, look: dict[str, Any]) -> None:
    """The k that all seeds have."""
    points = (
        {
            k: [curve[k] for curve in curves]
            for k in curves[0]
            if all(k in curve for curve in curves)
        }
        if curves
        else {}
    )
    bands = [
        mean_and_band([value for value, *_ in found], [bounds for _, *bounds in found])
        for found in points.values()
    ]
    values, lows, highs = zip(*bands, strict=True) if bands else ((), (), ())
    axis.plot([*points], values, label=label, markersize=5, **look)
    axis.fill_between([*points], lows, highs, color=look["color"], alpha=0.15, linewidth=0)


def _points(run: Run, model: str, found: Mapping[str, Any], way: str) -> Curve:
    """k → F1 and its interval, %."""
    key = f"voting of {model}, {way}"
    curve = mapping(run, key, found[way])
    counts, scores = numbers(run, key, found.get("k")), numbers(run, key, curve.get("f1"))
    bounds = [
        numbers(run, key, pair)
        for pair in curve.get("ci95") or [[score, score] for score in scores]
    ]
    if (
        not len(counts) == len(scores) == len(bounds)
        or any(len(pair) != 2 for pair in bounds)
        or min(counts, default=1) < 1
    ):
        raise InputError(f"{run.path}: {key}: k, f1 and ci95 do not go together; run again")
    return {
        k: (100 * f1, 100 * low, 100 * high)
        for k, f1, (low, high) in zip(counts, scores, bounds, strict=True)
    }


def _radar(series: dict[str, Votes], note: str) -> list[Drawing]:
    """Of the ways with at least three relations; an axis a relation."""
    run = next(iter(series.values()))[0][0]
    scores = {
        way: found
        for way in _ways(series)
        if len(_relations(found := _by_relation(series, way))) > 2
    }
    if not scores:
        return []
    values = [
        value
        for of_way in scores.values()
        for of_model in of_way.values()
        for value in of_model.values()
    ]
    fits = all(PAPER[0] <= value <= PAPER[1] for value in values)
    low, high = PAPER if fits else (0.0, 100.0)
    stacked = max(len(_relations(found)) for found in scores.values()) > FEW
    shape = (len(scores), 1, 0.9 + 5.4 * len(scores)) if stacked else (1, len(scores), 4.6)
    place: dict[str, Any] = (
        {"x": -0.42, "y": 1.25} if stacked else {"pad": 20}
    )  # beside or above the names
    figure, axes = canvas(*shape, subplot_kw={"projection": "polar"})
    for axis, (way, of_way) in zip(axes, scores.items(), strict=True):
        _web(axis, of_way, low, high)
        axis.set_title(f"vote on: {way}", **place)
    legend_below(figure, axes[0])
    told = f"centre {low:.0f} %, rim {high:.0f} %" + (
        " as in the paper" if fits else "; the paper's 40 to 80 % does not hold all values"
    )
    caption = (
        "F1 by relation where all responses vote, mean over seeds; a relation that a model never sees counts 0. The paper's"
        f" text does not name the axes of its radar: one for each relation is our guess.{note}"
    )
    drawn = drawing(
        "figure5-relations", "majority vote by relation, Figure 5", caption, run=run, figure=figure
    )
    figure.suptitle(f"{drawn.title}\n{told}")
    return [drawn]


def _by_relation(series: dict[str, Votes], way: str) -> dict[str, dict[str, float]]:
    """Model → relation → mean F1 over seeds, %."""
    found: dict[str, dict[str, float]] = {}
    for name, votes in series.items():
        for run, vote in votes:
            key = f"voting of {name}, per_relation"
            of_way = mapping(run, key, mapping(run, key, vote.get("per_relation")).get(way))
            for relation, f1 in zip(of_way, numbers(run, key, [*of_way.values()]), strict=True):
                of_model = found.setdefault(name, {})
                of_model[relation] = of_model.get(relation, 0.0) + 100 * f1 / len(votes)
    return found


def _relations(scores: dict[str, dict[str, float]]) -> list[str]:
    return sorted({relation for of_model in scores.values() for relation in of_model})


def _web(axis: Any, scores: dict[str, dict[str, float]], low: float, high: float) -> None:
    relations = _relations(scores)
    angles = [2 * pi * place / len(relations) for place in range(len(relations))]
    for index, (name, of_model) in enumerate(scores.items()):
        values = [of_model.get(relation, 0.0) for relation in relations]
        axis.plot(
            [*angles, angles[0]], [*values, values[0]], label=name, markersize=5, **line_look(index)
        )
    axis.set_theta_zero_location("N")
    axis.set_theta_direction(-1)
    axis.set_rlabel_position(180 / len(relations))
    axis.set_xticks(angles, [""] * len(angles))
    for angle, relation in zip(angles, relations, strict=True):
        right = sin(angle) > -1e-9
        turned = (
            {"rotation": 90 - degrees(angle) + (0 if right else 180), "rotation_mode": "anchor"}
            if len(relations) > FEW
            else {}
        )
        side = "center" if not turned and abs(sin(angle)) < 0.2 else "left" if right else "right"
        axis.text(
            angle,
            low + 1.05 * (high - low),
            relation or "nothing",
            ha=side,
            va="center",
            size=9,
            **turned,
        )
    axis.set_ylim(low, high)
    axis.set_yticks([low + (high - low) * quarter / 4 for quarter in range(1, 4)])
