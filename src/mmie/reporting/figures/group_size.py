"""Figure 3 of JMERE-R1: F1 over the number of generated responses G, and what they cost."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from matplotlib.axes import Axes

from mmie.reporting.effects import effective
from mmie.reporting.figures.drawing import Drawing, canvas, drawing, legend_below
from mmie.reporting.figures.groups import Band, band, band_in_words, by_experiment
from mmie.reporting.run_selection import newest
from mmie.reporting.runs import Run
from mmie.reporting.style import line_look

VARIED = ("grpo.group_size", "seed")
# The first unit of which the longest time has at least so many seconds: seconds in it, name.
UNITS = ((7200, 3600, "hours"), (120, 60, "minutes"), (0, 1, "seconds"))
ASIDE = 0.08  # of an octave, between the bars of two series at one G
CAPTION = (
    "F1 of the last system over the number of responses in a group."
    " The time is what the stage took when it was computed."
)


@dataclass(frozen=True)
class Series:
    """Runs that differ in G and in the seed only.

    Attributes:
        name: the experiment, with the settings that tell it from other series.
        seeds: G → number of runs.
        f1: G → F1 of the last system, %.
        seconds: G → time of the reinforcement; empty where no run has it.
    """

    name: str
    seeds: dict[int, int]
    f1: dict[int, Band]
    seconds: dict[int, Band]

    @property
    def label(self) -> str:
        return f"{self.name} ({band_in_words(self.seeds.values())})"


def figures(runs: Sequence[Run]) -> list[Drawing]:
    """F1 over G and, beside it, the time of the reinforcement."""
    series = select(runs)
    if not series:
        return []
    timed = any(one.seconds for one in series)
    figure, axes = canvas(1, 1 + timed, 3.6)
    _draw_f1(axes[0], series)
    if timed:
        _draw_time(axes[1], series)
    for axis in axes:
        _label_sizes(axis, sorted({size for one in series for size in one.f1}))
    legend_below(figure, axes[0])
    name, title = "figure3-group-size", "F1 over G, Figure 3"
    return [drawing(name, title, CAPTION, run=runs[0], figure=figure)]


def select(runs: Sequence[Run]) -> list[Series]:
    """The series with at least two G."""
    series = []
    for experiment, alike in by_experiment(runs).items():
        for settings, sizes in _by_settings(alike).items():
            if len(sizes) > 1:
                series.append(_series(", ".join([experiment, *settings]), sizes))
    return series


def _by_settings(runs: Sequence[Run]) -> dict[tuple[str, ...], dict[int, list[Run]]]:
    """The settings that differ among the runs, as ``key=value`` → G → runs."""
    trained = [run for run in runs if run.systems and _group_size(run)]
    settings = [effective(run.results.config) for run in trained]
    keys = sorted({key for one in settings for key in one} - {*VARIED})
    varying = [key for key in keys if len({one.get(key) for one in settings}) > 1]
    groups: dict[tuple[str, ...], dict[int, list[Run]]] = {}
    for run, one in zip(trained, settings, strict=True):
        name = tuple(f"{key}={one.get(key)}" for key in varying)
        groups.setdefault(name, {}).setdefault(_group_size(run), []).append(run)
    return groups


def _group_size(run: Run) -> int:
    grpo = run.results.settings.grpo
    return (grpo.group_size if grpo else None) or 0


def _series(name: str, sizes: Mapping[int, Sequence[Run]]) -> Series:
    seeds, f1, seconds = {}, {}, {}
    for size in sorted(sizes):
        runs = newest(sizes[size])[0]
        scores = [run.results.last[run.results.main_measure] for run in runs]
        ends = [100 * end for end in scores[0].ci95 or ()]
        times = [run.results.stages["grpo"].made_in for run in runs if "grpo" in run.results.stages]
        seeds[size] = len(runs)
        f1[size] = band([100 * score.f1 for score in scores], ends)
        if times:
            seconds[size] = band(times)
    return Series(name, seeds, f1, seconds)


def _draw_f1(axis: Axes, series: Sequence[Series]) -> None:
    for index, one in enumerate(series):
        aside = 2 ** (ASIDE * (index - (len(series) - 1) / 2))  # bars at one G hide each other
        places = [aside * size for size in one.f1]
        _draw_bars(axis, places, [*one.f1.values()], index, one.label)
    axis.set_ylabel("F1 on the test set, %")


def _draw_time(axis: Axes, series: Sequence[Series]) -> None:
    longest = max(time.value for one in series for time in one.seconds.values())
    scale, unit = next((scale, unit) for least, scale, unit in UNITS if longest >= least)
    for index, one in enumerate(series):
        times = [Band(*(number / scale for number in time)) for time in one.seconds.values()]
        _draw_bars(axis, [*one.seconds], times, index, one.label)
    axis.set_ylabel(f"time of the reinforcement, {unit}")
    axis.set_ylim(bottom=0)


def _draw_bars(
    axis: Axes, places: Sequence[float], bands: Sequence[Band], index: int, label: str
) -> None:
    values = [one.value for one in bands]
    below = [max(0.0, one.value - one.low) for one in bands]
    above = [max(0.0, one.high - one.value) for one in bands]
    axis.errorbar(places, values, yerr=(below, above), capsize=4, label=label, **line_look(index))


def _label_sizes(axis: Axes, sizes: Sequence[int]) -> None:
    axis.set_xscale("log", base=2)
    axis.set_xticks(sizes, [str(size) for size in sizes])
    axis.minorticks_off()
    axis.set_xlabel("G, responses per prompt")
