"""Figure 3 of JMERE-R1: F1 over the number of generated responses G, and what they cost."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from matplotlib.axes import Axes

from mmie.reporting.effects import effective
from mmie.reporting.figures.drawing import Drawing, canvas, drawing, legend_below
from mmie.reporting.figures.groups import BANDS, Band, band, by_experiment
from mmie.reporting.run_selection import newest, varying
from mmie.reporting.runs import Run
from mmie.reporting.style import line_look

VARIED = "grpo.group_size"
CAPTION = (
    "F1 of the last system over the number of responses in a group."
    f" The time is what the stage took when it was computed. {BANDS}"
)


class Series(NamedTuple):
    """Runs that differ in G and in the seed only: G → F1 in %, and G → minutes of GRPO."""

    name: str
    f1: dict[int, Band]
    minutes: dict[int, Band]


def figures(runs: Sequence[Run]) -> list[Drawing]:
    """F1 over G and, beside it, the time of the reinforcement."""
    series = select(runs)
    if not series:
        return []
    figure, axes = canvas(1, 2, 3.6)
    for index, one in enumerate(series):
        _draw(axes[0], one.f1, one.name, index)
        _draw(axes[1], one.minutes, one.name, index)
    for axis in axes:
        sizes = sorted({size for one in series for size in one.f1})
        axis.set_xscale("log", base=2)
        axis.set_xticks(sizes, [str(size) for size in sizes])
        axis.minorticks_off()
        axis.set_xlabel("G, responses per prompt")
    axes[0].set_ylabel("F1 on the test set, %")
    axes[1].set_ylabel("time of the reinforcement, minutes")
    axes[1].set_ylim(bottom=0)
    legend_below(figure, axes[0])
    name, title = "figure3-group-size", "F1 over G, Figure 3"
    return [drawing(name, title, CAPTION, run=runs[0], figure=figure)]


def select(runs: Sequence[Run]) -> list[Series]:
    """The series with at least two G; settings that tell them apart are part of the name."""
    series = []
    for experiment, alike in by_experiment(runs).items():
        trained = [run for run in alike if run.systems and _group_size(run)]
        keys = [key for key in varying(trained) if key != VARIED]
        groups: dict[str, dict[int, list[Run]]] = {}
        for run in trained:
            settings = effective(run.results.config)
            name = ", ".join([experiment, *(f"{key}={settings.get(key)}" for key in keys)])
            groups.setdefault(name, {}).setdefault(_group_size(run), []).append(run)
        series += [_series(name, sizes) for name, sizes in groups.items() if len(sizes) > 1]
    return series


def _group_size(run: Run) -> int:
    grpo = run.results.settings.grpo
    return (grpo.group_size if grpo else None) or 0


def _series(name: str, sizes: Mapping[int, Sequence[Run]]) -> Series:
    f1, minutes = {}, {}
    for size in sorted(sizes):
        runs = newest(sizes[size])[0]
        scores = [run.results.last[run.results.main_measure] for run in runs]
        f1[size] = band(
            [100 * score.f1 for score in scores], [100 * end for end in scores[0].ci95 or ()]
        )
        stages = [run.results.stages.get("grpo") for run in runs]
        if times := [stage.made_in / 60 for stage in stages if stage]:
            minutes[size] = band(times)
    return Series(name, f1, minutes)


def _draw(axis: Axes, bands: Mapping[int, Band], label: str, index: int) -> None:
    values = [one.value for one in bands.values()]
    below = [max(0.0, one.value - one.low) for one in bands.values()]
    above = [max(0.0, one.high - one.value) for one in bands.values()]
    axis.errorbar([*bands], values, (below, above), capsize=4, label=label, **line_look(index))
