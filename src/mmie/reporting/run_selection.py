"""Which runs stand behind a row of a table, and what two rows differ by."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from statistics import mean
from typing import Any, NamedTuple

from mmie.errors import InputError
from mmie.reporting.backbones import name_of, usual
from mmie.reporting.effects import effective
from mmie.reporting.published import Column, Row
from mmie.reporting.runs import Run
from mmie.reporting.table import Value
from mmie.results import Analysis
from mmie.significance import randomisation_over_seeds

NOT_COMPARED = {"seed", "data.images"}  # runs of one system may differ in these
INTERVALS = {"f1": "ci95", "accuracy": "accuracy_ci95"}


class Note(NamedTuple):
    """What a reader must know about the runs of an experiment."""

    experiment: str
    text: str


class Side(NamedTuple):
    """One of two rows that are compared: its runs by seed, and its system."""

    runs: Mapping[int, Run]
    system: str


class Entry(NamedTuple):
    """One system of one run."""

    run: Run
    system: str

    @property
    def analysis(self) -> Analysis | None:
        return self.run.results.analysis.get(self.system)


@dataclass(frozen=True)
class Difference:
    """Mean difference of a score over the common seeds, -1..1, and its p by the paired
    randomisation test; None where the test cannot be made."""

    value: float
    p: float | None
    runs: tuple[Run, ...]


def newest(runs: Iterable[Run]) -> tuple[list[Run], list[Note]]:
    """One run for each profile, task, backbone, experiment and seed, and what to say about it.

    The newest by date is taken; notes say where others differed, and where the seeds of one
    experiment do.
    """
    kept, notes = [], []
    for group in _grouped(runs, with_seed=True):
        *older, last = sorted(group, key=lambda run: (run.results.date, str(run.path)))
        kept.append(last)
        others = [run for run in older if _identity(run) != _identity(last)]
        if others:
            notes.append(Note(last.experiment, _left_out(last, others)))
    for seeds in _grouped(kept, with_seed=False):
        notes += [Note(seeds[0].experiment, text) for text in _unlike(seeds)]
    return kept, notes


def _grouped(runs: Iterable[Run], *, with_seed: bool) -> Iterable[list[Run]]:
    groups: dict[tuple[Any, ...], list[Run]] = defaultdict(list)
    for run in runs:
        seed = run.seed if with_seed else None
        groups[run.profile, run.task, backbone(run), run.experiment, seed].append(run)
    return groups.values()


def _identity(run: Run) -> tuple[str, str]:
    return run.results.key, run.commit


def _left_out(last: Run, others: Sequence[Run]) -> str:
    many = f"{len(others) + 1} runs differ in configuration or commit"
    listed = ", ".join(map(_when, others))
    where = f"{last.experiment}, seed {last.seed}"
    return f"{where}: {many}; the newest is used ({_when(last)}), left out: {listed}."


def _when(run: Run) -> str:
    results = run.results
    return f"date {results.date}, commit {run.commit[:10]}, configuration {results.key}"


def _unlike(seeds: Sequence[Run]) -> Iterator[str]:
    """What the runs of one experiment differ in, beside the seed."""
    settings = [effective(run.results.config) for run in seeds]
    keys = sorted({key for one in settings for key in one} - NOT_COMPARED)
    differing = [key for key in keys if len({one.get(key) for one in settings}) > 1]
    if differing:
        listed = ", ".join(differing)
        yield (
            f"{seeds[0].experiment}: the runs of its seeds differ in {listed};"
            " their mean is of different systems."
        )
    commits = dict.fromkeys(run.commit[:10] for run in seeds)
    if len(commits) > 1:
        listed = ", ".join(commits)
        yield f"{seeds[0].experiment}: the runs of its seeds are of the commits {listed}."


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


def scored(entry: Entry, column: Column, *, row: str) -> Value | None:
    """A score with its interval; None where the results do not hold it."""
    scores = entry.run.systems.get(entry.system, {}).get(column.measure)
    share = getattr(scores, column.score, None)
    if share is None:
        return None
    return Value(
        row=row,
        column=column.title,
        kind="score",
        value=share,
        interval=getattr(scores, INTERVALS.get(column.score, ""), None),
        runs=(entry.run,),
        system=entry.system,
    )


def compared(first: Side, second: Side, column: Column) -> Difference | None:
    """``first`` minus ``second`` on their common seeds; None without any, or where the test sets
    differ.

    Raises:
        InputError: results claim equal test sets whose counts do not go together.
    """
    seeds = sorted(first.runs.keys() & second.runs.keys())
    ours = [Entry(first.runs[seed], first.system) for seed in seeds]
    theirs = [Entry(second.runs[seed], second.system) for seed in seeds]
    differences = []
    for one, other in zip(ours, theirs, strict=True):
        scores = scored(one, column, row=""), scored(other, column, row="")
        if scores[0] is None or scores[1] is None or not _same_test(one, other, column.measure):
            return None
        differences.append(scores[0].value - scores[1].value)
    if not differences:
        return None
    runs = tuple({entry.run.path: entry.run for entry in (*ours, *theirs)}.values())
    return Difference(mean(differences), _p(ours, theirs, column.measure), runs)


def _same_test(first: Entry, second: Entry, measure: str) -> bool:
    """Equal digests of the samples; for results without an analysis, equally many gold items."""
    if first.analysis and second.analysis:
        return first.analysis.ids == second.analysis.ids
    gold = [entry.run.systems[entry.system][measure].gold for entry in (first, second)]
    return gold[0] == gold[1]


def _p(ours: Sequence[Entry], theirs: Sequence[Entry], measure: str) -> float | None:
    """Read where one run has made the test; else computed from the counts of all seeds.

    None where an analysis lacks the counts, or the seeds have test sets of their own.
    """
    if len(ours) == 1 and (p := _p_of_run(ours[0], theirs[0], measure)) is not None:
        return p
    known = [entry.analysis for entry in (*ours, *theirs) if entry.analysis]
    counts = [analysis.counts[measure] for analysis in known if measure in analysis.counts]
    if len(counts) < 2 * len(ours) or len({analysis.ids for analysis in known}) > 1:
        return None
    try:
        return randomisation_over_seeds(counts[: len(ours)], counts[len(ours) :]).p
    except ValueError as error:
        files = ", ".join(dict.fromkeys(str(entry.run.path) for entry in (*ours, *theirs)))
        what = "equal ids of the test samples, but counts of"
        raise InputError(f"{files}: {what} {error}; run one again") from error


def _p_of_run(one: Entry, other: Entry, measure: str) -> float | None:
    """What the run itself says of its two systems."""
    if one.run.path != other.run.path:
        return None
    for comparison in one.run.results.comparisons:
        pair = {comparison.first, comparison.second}
        if pair == {one.system, other.system} and comparison.measure == measure:
            return comparison.p
    return None
