"""Which runs make a series, and what is drawn of several seeds."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import NamedTuple

from mmie.files import slug
from mmie.reporting.run_selection import other_backbone
from mmie.reporting.runs import Run
from mmie.significance import mean_and_deviation

BANDS = "Bars and bands: standard deviation over seeds; the 95 % interval of a single seed."


class Band(NamedTuple):
    """A value, and the ends of its bar or band."""

    value: float
    low: float
    high: float


def band(values: Sequence[float], interval: Sequence[float] | None = None) -> Band:
    """Mean ± standard deviation of several seeds; one seed's value with its own interval."""
    average, deviation = mean_and_deviation(values)
    if deviation is not None:
        return Band(average, average - deviation, average + deviation)
    low, high = interval or (average, average)
    return Band(average, low, high)


def by_experiment(runs: Iterable[Run]) -> dict[str, list[Run]]:
    """Experiment → its runs; the backbone is part of the name unless it is the usual one."""
    groups: dict[str, list[Run]] = {}
    for run in runs:
        groups.setdefault(run.experiment + other_backbone(run), []).append(run)
    return groups


def full_systems(runs: Iterable[Run]) -> list[Run]:
    """The runs of the papers' full methods; all runs where there are none.

    The experiment of a full method is called after it: ``jmere_r1`` trains JMERE-R1.
    """
    every = [*runs]
    full = [run for run in every if slug(run.experiment) == slug(run.results.method)]
    return full or every


def seeds_in_words(runs: Iterable[Run]) -> str:
    """``seed 0`` or ``seeds 0, 1, 2``."""
    seeds = sorted({run.seed for run in runs})
    return f"seed{'s' * (len(seeds) > 1)} {', '.join(map(str, seeds))}"
