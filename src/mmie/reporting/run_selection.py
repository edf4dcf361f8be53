"""Which runs stand behind a row of a table, and what two rows differ by."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from statistics import mean
from typing import Any, NamedTuple

from mmie.errors import InputError
from mmie.reporting.backbones import name_of, usual
from mmie.reporting.effects import effective
from mmie.reporting.published import Column, Row
from mmie.reporting.runs import Run
from mmie.results import Scores
from mmie.significance import randomisation_over_seeds

NOT_COMPARED = {"seed", "data.images"}  # runs of one system may differ in these
POINT_KEYS = 3  # that a label can hold


class Note(NamedTuple):
    """What a reader must know about the runs of an experiment."""

    experiment: str
    text: str


class Side(NamedTuple):
    """One of two rows that are compared: its runs by seed, and its system."""

    runs: Mapping[int, Run]
    system: str


class Difference(NamedTuple):
    """Mean difference of a score over the common seeds, -1..1, and its p by the paired
    randomisation test; None where the test cannot be made."""

    value: float
    p: float | None
    runs: tuple[Run, ...]


def newest(runs: Iterable[Run]) -> tuple[list[Run], list[Note]]:
    """The newest run of each profile, task, backbone, experiment and seed.

    Notes say where older ones, or the seeds of one experiment, differ, and which are text only.
    """
    same: dict[tuple[Any, ...], list[Run]] = {}
    for run in sorted(runs, key=lambda run: (run.results.date, str(run.path))):
        system = (run.profile, run.task, backbone(run), run.experiment)
        same.setdefault((*system, run.seed), []).append(run)
    notes = []
    seeds: dict[tuple[Any, ...], list[Run]] = {}
    for (*alike, seed), group in same.items():
        last = group[-1]
        seeds.setdefault(tuple(alike), []).append(last)
        if len({(run.results.key, run.commit) for run in group}) > 1:
            differ = f"{len(group)} runs differ in configuration or commit"
            used = f"the newest is used, of {last.results.date}"
            text = f"{last.experiment}, seed {seed}: {differ}; {used}."
            notes.append(Note(last.experiment, text))
    for chosen in seeds.values():
        about = [*_unlike(chosen), *(run.text_only for run in chosen if run.text_only)]
        notes += [Note(chosen[0].experiment, text) for text in about]
    return [run for chosen in seeds.values() for run in chosen], notes


def varying(runs: Sequence[Run]) -> list[str]:
    """The keys of the configuration that decide a result and in which the runs differ."""
    settings = [effective(run.results.config) for run in runs]
    keys = sorted({key for one in settings for key in one} - NOT_COMPARED)
    return [key for key in keys if len({one.get(key) for one in settings}) > 1]


def by_point(runs: Sequence[Run]) -> dict[str, list[Run]]:
    """Experiment → its runs; the points of a sweep apart, each named by the keys that vary.

    Runs that differ in more than ``POINT_KEYS`` keys are no sweep and stay together.
    """
    points: dict[str, list[Run]] = {}
    for experiment in dict.fromkeys(run.experiment for run in runs):
        of = [run for run in runs if run.experiment == experiment]
        keys = varying(of)
        for run in of:
            settings = effective(run.results.config)
            told = [f"{key}={settings.get(key)}" for key in keys]
            name = ", ".join([experiment, *(told if len(keys) <= POINT_KEYS else [])])
            points.setdefault(name, []).append(run)
    return points


def _unlike(seeds: Sequence[Run]) -> Iterator[str]:
    """What the runs of one experiment differ in, beside the seed."""
    runs = f"{seeds[0].experiment}: the runs of its seeds"
    if differing := varying(seeds):
        yield f"{runs} differ in {', '.join(differing)}; their mean is of different systems."
    commits = dict.fromkeys(run.short_commit for run in seeds)
    if len(commits) > 1:
        yield f"{runs} are of the commits {', '.join(commits)}."
    machines = dict.fromkeys(run.results.hardware for run in seeds if run.results.hardware)
    if len(machines) > 1:
        yield f"{runs} ended on different hardware: {' and '.join(machines)}."


def backbone(run: Run) -> str:
    """What tables call the model of the run, see ``name_of``."""
    return name_of(run.results.settings.model, profile=run.profile)


def other_backbone(run: Run) -> str:
    """`` (model)``, to stand behind a name; "" for the usual model of the profile."""
    name = backbone(run)
    return "" if name == usual(run.profile) else f" ({name})"


def runs_of(row: Row, runs: Sequence[Run]) -> dict[int, Run]:
    """Seed → the run that gives the row, of the first of its experiments that has one."""
    found = {}
    for experiment in reversed(row.experiments):
        for run in runs:
            same = run.experiment == experiment and backbone(run) == row.backbone
            if same and row.system in run.systems:
                found[run.seed] = run
    return dict(sorted(found.items()))


def compared(first: Side, second: Side, column: Column) -> Difference | None:
    """``first`` minus ``second`` on their common seeds; None without any, or where the test sets
    differ.

    Raises:
        InputError: results claim equal test sets whose counts do not go together.
    """
    differences = []
    seeds = sorted(first.runs.keys() & second.runs.keys())
    for seed in seeds:
        sides = [(side.runs[seed], side.system) for side in (first, second)]
        scores = [run.systems[system].get(column.measure) for run, system in sides]
        shares = [
            share for one in scores if (share := getattr(one, column.score, None)) is not None
        ]
        test_sets = {_test_set(*side, one) for side, one in zip(sides, scores, strict=True)}
        if len(shares) < 2 or len(test_sets) > 1:
            return None
        differences.append(shares[0] - shares[1])
    if not differences:
        return None
    used = {side.runs[seed].path: side.runs[seed] for side in (first, second) for seed in seeds}
    p = _p(first, second, seeds, column.measure)
    return Difference(mean(differences), p, tuple(used.values()))


def _test_set(run: Run, system: str, scores: Scores | None) -> object:
    """The digest of its samples; for results without an analysis, the number of gold items."""
    analysis = run.results.analysis.get(system)
    return analysis.ids if analysis else scores and scores.gold


def _p(first: Side, second: Side, seeds: Sequence[int], measure: str) -> float | None:
    """From the counts of all seeds; None where they lack, or seeds have their own test sets."""
    sides = []
    for side in (first, second):
        known = [side.runs[seed].results.analysis.get(side.system) for seed in seeds]
        sides.append([one for one in known if one and measure in one.counts])
    every = [*sides[0], *sides[1]]
    if len(every) < 2 * len(seeds) or len({one.ids for one in every}) > 1:
        return None
    try:
        counts = [[one.counts[measure] for one in side] for side in sides]
        return randomisation_over_seeds(*counts).p
    except ValueError as error:
        files = {str(side.runs[seed].path) for side in (first, second) for seed in seeds}
        what = "equal ids of the test samples, but counts of"
        raise InputError(f"{', '.join(sorted(files))}: {what} {error}; run one again") from error
