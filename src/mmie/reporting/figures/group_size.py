"""Figure 3 of JMERE-R1: F1 over the number of generated responses G, and what they cost."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from matplotlib.axes import Axes

from mmie.reporting.chosen import newest, scored
from mmie.reporting.figures.drawing import Drawing, canvas, drawing, legend_below, line_look
from mmie.reporting.figures.groups import band_told, by_experiment, mapping, mean_and_band, number
from mmie.reporting.published import QUINTUPLE, RELATION
from mmie.reporting.runs import Run

MAIN = {"jmere": QUINTUPLE[2], "more": RELATION[3]}
G = "grpo.group_size"
ANYWAY = (
    "seed",
    "artifacts",
    "experiment",
    "profile",
    "stages",
    "report",
    "logger",
    "predict",
    "export",
    "paper",
    "trainer.threads",
)
UNITS = (
    (7200, 3600, "hours"),
    (120, 60, "minutes"),
    (0, 1, "seconds"),
)  # from so many seconds, seconds in it, name
Series = dict[str, dict[int, list[Run]]]


def group_size(runs: Sequence[Run]) -> list[Drawing]:
    """F1 of the last model over G, beside it the time of the reinforcement; of runs that differ in G, and in the seed, alone."""
    series = _series(runs)
    if not series:
        return []
    costs = {name: _costs(points) for name, points in series.items()}
    figure, axes = canvas(1, 1 + any(costs.values()), 3.6)
    for index, (name, points) in enumerate(series.items()):
        aside = 2 ** (
            0.08 * (index - (len(series) - 1) / 2)
        )  # so that bars of one G do not hide each other
        _f1(
            axes[0],
            points,
            aside,
            **line_look(index),
            label=f"{name} ({band_told(len(of) for of in points.values())})",
        )
    axes[0].set_ylabel("F1 on the test set, %")
    if any(costs.values()):
        _cost(axes[1], costs)
    for axis in axes:
        sizes = sorted({size for points in series.values() for size in points})
        axis.set_xscale("log", base=2)
        axis.set_xticks(sizes, [str(size) for size in sizes])
        axis.minorticks_off()
        axis.set_xlabel("G, responses a prompt")
    legend_below(figure, axes[0])
    caption = "F1 of the last model over the number of responses in a group; time that the stage took when it was made."
    return [
        drawing("figure3-group-size", "F1 over G, Figure 3", caption, run=runs[0], figure=figure)
    ]


def _series(runs: Sequence[Run]) -> Series:
    """Experiment, with the settings that differ inside it → G → runs of different seeds; with at least two G."""
    found: Series = {}
    for experiment, alike in by_experiment(runs).items():
        settings = [
            (run, _flat(run, run.config)) for run in alike if run.models and run.task in MAIN
        ]
        settings = [(run, keys) for run, keys in settings if G in keys and keys[G] is not None]
        varying = sorted(
            {
                key
                for _, keys in settings
                for key in keys
                if len({str(other.get(key)) for _, other in settings}) > 1
            }
            - {G}
        )
        for run, keys in settings:
            name = ", ".join([experiment, *(f"{key}={keys.get(key)}" for key in varying)])
            found.setdefault(name, {}).setdefault(
                int(number(run, f"config.{G}", keys[G])), []
            ).append(run)
    return {
        name: {size: newest(points[size])[0] for size in sorted(points)}
        for name, points in found.items()
        if len(points) > 1
    }


def _flat(run: Run, config: Any) -> dict[str, Any]:
    """Dotted key → value of what decides a result."""
    entries = _entries("", mapping(run, "config", config))
    return {
        key: value
        for key, value in entries
        if not any(f"{key}.".startswith(f"{anyway}.") for anyway in ANYWAY)
    }


def _entries(prefix: str, config: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    for key, value in config.items():
        if isinstance(value, Mapping):
            yield from _entries(f"{prefix}{key}.", value)
        else:
            yield f"{prefix}{key}", value


def _f1(axis: Axes, points: dict[int, list[Run]], aside: float, **look: Any) -> None:
    found = []
    for size, runs in points.items():
        scores = [
            score
            for run in runs
            if (score := scored(run, [*run.models][-1], MAIN[run.task], row=""))
        ]
        if scores:
            intervals = [score.interval for score in scores if score.interval]
            found.append(
                (aside * size, *mean_and_band([score.value for score in scores], intervals))
            )
    sizes, values, lows, highs = zip(*found, strict=True) if found else ((), (), (), ())
    below = [max(0.0, value - low) for value, low in zip(values, lows, strict=True)]
    above = [max(0.0, high - value) for value, high in zip(values, highs, strict=True)]
    axis.errorbar(sizes, values, yerr=(below, above), capsize=4, **look)


def _costs(points: dict[int, list[Run]]) -> dict[int, tuple[float, float, float]]:
    """G → mean seconds of the reinforcement and their spread over seeds."""
    found = {}
    for size, runs in points.items():
        stages = [
            (
                run,
                mapping(
                    run, "stages.grpo", mapping(run, "stages", run.found.get("stages")).get("grpo")
                ),
            )
            for run in runs
        ]
        spans = [
            (run, stage.get("made_in", None if stage.get("cached") else stage.get("seconds")))
            for run, stage in stages
        ]
        took = [number(run, "stages.grpo.made_in", span) for run, span in spans if span is not None]
        if took:
            found[size] = mean_and_band(took, [])
    return found


def _cost(axis: Axes, costs: dict[str, dict[int, tuple[float, float, float]]]) -> None:
    longest = max(value for points in costs.values() for value, _, _ in points.values())
    scale, unit = next((scale, unit) for least, scale, unit in UNITS if longest >= least)
    for index, points in enumerate(costs.values()):
        values = [[number / scale for number in point] for point in points.values()]
        spreads = [value - low for value, low, _ in values]
        axis.errorbar(
            [*points], [value for value, *_ in values], yerr=spreads, capsize=4, **line_look(index)
        )
    axis.set_ylabel(f"time of the reinforcement, {unit}")
    axis.set_ylim(bottom=0)
