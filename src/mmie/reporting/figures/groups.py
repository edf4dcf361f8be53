"""Which runs make a series, and what they say; nothing is taken from a file that does not hold it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from math import isfinite
from typing import Any

from mmie.errors import InputError
from mmie.reporting.chosen import backbone_told, newest
from mmie.reporting.runs import Run
from mmie.significance import mean_and_deviation

FULL = ("jmere_r1", "more_r1")  # what a report of many runs looks at closely


def by_experiment(runs: Iterable[Run]) -> dict[str, list[Run]]:
    """Experiment, with its backbone where that is not the usual one → its runs."""
    found: dict[str, list[Run]] = {}
    for run in runs:
        found.setdefault(run.experiment + backbone_told(run), []).append(run)
    return found


def full_systems(runs: Iterable[Run]) -> list[Run]:
    """The runs of the papers' full systems; where there are none, all of them."""
    found = [*runs]
    return [run for run in found if run.experiment in FULL] or found


def kept(runs: Iterable[Run]) -> tuple[list[Run], str]:
    """The newest run of each experiment and seed, and what is to be said of others, to stand after a caption."""
    found, notes = newest(runs)
    return found, "".join(f" {note}" for _, note in notes)


def seeds(runs: Sequence[Run]) -> str:
    """``seed 0`` or ``seeds 0, 1, 2``."""
    found = sorted({run.seed for run in runs})
    return f"seed{'s' * (len(found) > 1)} {', '.join(map(str, found))}"


def mean_and_band(
    values: Sequence[float], intervals: Sequence[Sequence[float]]
) -> tuple[float, float, float]:
    """(value, low, high): one seed's value and its interval (itself without one), or mean ± standard deviation of several."""
    average, deviation = mean_and_deviation(values)
    if deviation is not None:
        return average, average - deviation, average + deviation
    low, high = intervals[0] if intervals else (average, average)
    return average, low, high


def band_told(numbers: Iterable[int]) -> str:
    """What a band or bar is, from the numbers of seeds behind the points of a series."""
    found = {*numbers}
    low, high = min(found), max(found)
    if high == 1:
        return "95 % interval, 1 seed"
    return (
        f"mean ± sd, {high} seeds"
        if low > 1
        else f"mean ± sd of up to {high} seeds, 95 % interval of 1"
    )


def mapping(run: Run, key: str, found: Any) -> Mapping[str, Any]:
    """A part of the results, empty where it is not there; InputError where it is something else."""
    if found is not None and not isinstance(found, Mapping):
        raise InputError(f"{run.path}: {key} is no mapping; run again")
    return found or {}


def number(run: Run, key: str, found: Any) -> float:
    """A finite number of the results; InputError where it is something else."""
    if type(found) not in (int, float) or not isfinite(found):
        raise InputError(f"{run.path}: {key} is {found!r} and no number; run again")
    return found


def numbers(run: Run, key: str, found: Any) -> list[float]:
    """A list of finite numbers of the results; InputError where it is something else."""
    return [number(run, key, entry) for entry in entries(run, key, found)]


def entries(run: Run, key: str, found: Any) -> list[Any]:
    """A list of the results; InputError where it is something else."""
    if not isinstance(found, list):
        raise InputError(f"{run.path}: {key} is no list; run again")
    return found
