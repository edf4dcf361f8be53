"""Which runs stand behind a row, and what they say of a score; nothing is taken from a file that does not hold it."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from math import isfinite
from statistics import mean
from typing import Any

from mmie.errors import InputError
from mmie.reporting.backbones import name_of, usual
from mmie.reporting.published import Column, Row
from mmie.reporting.runs import Run
from mmie.reporting.table import Value
from mmie.significance import randomisation_over_seeds

Counts = list[tuple[int, int, int]]

WITHOUT_EFFECT = {
    "seed",
    "artifacts",
    "logger",
    "report",
    "predict",
    "export",
    "stages",
    "paper",
    "vision",
    "data.images",
}
INTERVALS = {"f1": "ci95", "accuracy": "accuracy_ci95"}


@dataclass(frozen=True)
class Comparison:
    """Mean difference in points over the common seeds, and its p by the paired randomisation test; None where it cannot be had."""

    difference: float
    p: float | None
    runs: tuple[Run, ...]


def newest(runs: Iterable[Run]) -> tuple[list[Run], list[tuple[str, str]]]:
    """One run for each profile, backbone, experiment and seed, the newest by date; (experiment, note) where others differed."""
    alike: dict[tuple[Any, ...], list[Run]] = defaultdict(list)
    for run in runs:
        alike[run.profile, run.task, backbone(run), run.experiment, run.seed].append(run)
    kept, notes = [], []
    for group in alike.values():
        *older, last = sorted(
            group, key=lambda run: (str(run.found.get("date") or ""), str(run.path))
        )
        kept.append(last)
        others = [run for run in older if _identity(run) != _identity(last)]
        if others:
            told = f"{last.experiment}, seed {last.seed}: {len(others) + 1} runs differ in configuration or commit; the newest is used"
            notes.append(
                (
                    last.experiment,
                    f"{told} ({_when(last)}), left out: {', '.join(map(_when, others))}.",
                )
            )
    return kept, [*notes, *_unlike(kept)]


def _unlike(runs: Iterable[Run]) -> Iterator[tuple[str, str]]:
    """(experiment, note) where the seeds of a row are of other settings than each other, or of other commits."""
    alike: dict[tuple[Any, ...], list[Run]] = defaultdict(list)
    for run in runs:
        alike[run.profile, run.task, backbone(run), run.experiment].append(run)
    for (*_, experiment), seeds in alike.items():
        settings = [dict(_settings(run.config)) for run in seeds if run.config]
        keys = sorted(
            {
                key
                for one in settings
                for key in one
                if any(one[key] != other.get(key) for other in settings)
            }
        )
        if keys:
            yield (
                experiment,
                f"{experiment}: the runs of its seeds differ in {', '.join(keys)}; their mean is of different systems.",
            )
        commits = dict.fromkeys(run.commit[:10] for run in seeds)
        if len(commits) > 1:
            yield (
                experiment,
                f"{experiment}: the runs of its seeds are of the commits {', '.join(commits)}.",
            )


def _settings(value: Any, key: str = "") -> Iterator[tuple[str, Any]]:
    """Every leaf of a configuration on which results depend, by its full key."""
    if isinstance(value, dict):
        for name, inner in value.items():
            if key or name not in WITHOUT_EFFECT:
                yield from _settings(inner, f"{key}.{name}" if key else name)
    elif key not in WITHOUT_EFFECT:
        yield key, value


def backbone(run: Run) -> str:
    """What tables call the model of the run, see ``name_of``."""
    return name_of(run.config.get("model") or {}, profile=run.profile)


def backbone_told(run: Run) -> str:
    """`` (model)``, to stand after the name of an experiment; "" for the usual model of the profile."""
    name = backbone(run)
    return "" if name == usual(run.profile) else f" ({name})"


def runs_of(row: Row, runs: Sequence[Run]) -> dict[int, Run]:
    """Seed → the run that gives the row, of the first of its experiments that has one."""
    found = {}
    for experiment in reversed(row.experiments):
        for run in runs:
            if (
                run.experiment == experiment
                and backbone(run) == row.backbone
                and row.model in run.models
            ):
                found[run.seed] = run
    return dict(sorted(found.items()))


def scored(run: Run, model: str, column: Column, *, row: str) -> Value | None:
    """A score in %, with its interval where the results hold one; None where they do not hold the score.

    Raises:
        InputError: it is no number, or the interval no pair of numbers.
    """
    scores = run.models.get(model, {}).get(column.measure, {})
    if column.score not in scores:
        return None
    interval = scores.get(INTERVALS.get(column.score, ""))
    numbers = [
        scores[column.score],
        *(interval if isinstance(interval, list) else () if interval is None else (None,)),
    ]
    if (
        any(type(number) not in (int, float) or not isfinite(number) for number in numbers)
        or len(numbers) == 2
    ):
        raise InputError(
            f"{run.path}: models.{model}.test/{column.measure}.{column.score} is no number with its interval; run again"
        )
    value, *low_high = (100 * number for number in numbers)
    return Value(
        row, column.title, value, (low_high[0], low_high[1]) if low_high else None, (run,), model
    )


def compared(
    first: tuple[Mapping[int, Run], str], second: tuple[Mapping[int, Run], str], column: Column
) -> Comparison | None:
    """``first`` minus ``second`` (runs by seed, and the model) on their common seeds; None without any, or where test sets differ."""
    (ours, model), (others, other) = first, second
    pairs = [(ours[seed], others[seed]) for seed in sorted(ours.keys() & others.keys())]
    values = [
        (scored(a, model, column, row=""), scored(b, other, column, row="")) for a, b in pairs
    ]
    differences = [a.value - b.value for a, b in values if a and b]
    if len(differences) < max(len(pairs), 1) or not all(
        _same_test(a, model, b, other, column.measure) for a, b in pairs
    ):
        return None
    sides = (
        [_counts(a, model, column.measure) for a, _ in pairs],
        [_counts(b, other, column.measure) for _, b in pairs],
    )
    runs = tuple({run.path: run for pair in pairs for run in pair}.values())
    known = all(map(all, sides)) and len({a.analysis[model]["ids"] for a, _ in pairs}) == 1
    return Comparison(mean(differences), _p(*sides, runs=runs) if known else None, runs)


def _p(first: Sequence[Counts], second: Sequence[Counts], *, runs: Sequence[Run]) -> float:
    try:
        return randomisation_over_seeds(first, second).p
    except ValueError as error:
        files = ", ".join(str(run.path) for run in runs)
        raise InputError(
            f"{files}: equal ids of the test samples, but counts of {error}; run one again"
        ) from error


def _same_test(first: Run, model: str, second: Run, other: str, measure: str) -> bool:
    """Equal digests of the samples' ids; for results without them, as many gold items."""
    ids = [run.analysis.get(name, {}).get("ids") for run, name in ((first, model), (second, other))]
    if all(ids):
        return ids[0] == ids[1]
    return first.models[model][measure].get("gold") == second.models[other][measure].get("gold")


def _counts(run: Run, model: str, measure: str) -> Counts:
    """Correct, predicted, gold of each test sample; empty for results that do not tell, or do not tell the samples."""
    analysis = run.analysis.get(model, {})
    told = analysis.get("counts", {}) if analysis.get("ids") else {}
    counts = told.get(measure, []) if isinstance(told, dict) else [None]
    if not isinstance(counts, list) or not all(
        isinstance(sample, list) and [*map(type, sample)] == [int] * 3 for sample in counts
    ):
        raise InputError(
            f"{run.path}: analysis.{model}.counts.{measure} is no list of (correct, predicted, gold); run again"
        )
    return [(correct, predicted, gold) for correct, predicted, gold in counts]


def _identity(run: Run) -> tuple[Any, Any]:
    return run.found.get("config_fingerprint"), run.commit


def _when(run: Run) -> str:
    date, configuration = (
        run.found.get(key) or "unknown" for key in ("date", "config_fingerprint")
    )
    return f"date {date}, commit {run.commit[:10]}, configuration {configuration}"
