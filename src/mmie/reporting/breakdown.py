"""Where the full system gains on its own warm-up: relations, types, kinds of errors, direction. From ``analysis``, where it is there."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from mmie.errors import InputError
from mmie.reporting.chosen import backbone, backbone_told
from mmie.reporting.runs import Run
from mmie.reporting.table import NOTHING, Table, Value, signed

TITLES = ("P", "R", "F1")
POOLED = "from the counts of all seeds together"
COUNTS = ("correct", "predicted", "gold")
Counts = tuple[int, int, int]


@dataclass(frozen=True)
class Systems:
    """A full system and its warm-up in the same runs; one experiment, all its seeds."""

    profile: str
    runs: tuple[Run, ...]
    warm_up: str
    full: str

    @property
    def models(self) -> tuple[str, str]:
        return self.warm_up, self.full

    def table(self, name: str, title: str, scale: str, **parts: Any) -> Table:
        """A table of these runs; ``scale`` says what its numbers are."""
        run, seeds = self.runs[0], ", ".join(str(run.seed) for run in self.runs)
        return Table(
            name=f"{self.profile}-{run.task}-{name}",
            title=f"{run.task.upper()}: {title} ({self.profile} profile)",
            caption=f"{self.full} after its {self.warm_up}, experiment {run.experiment}, seeds {seeds}; {scale}.",
            **parts,
        )


def breakdowns(runs: Sequence[Run], profile: str) -> list[Table]:
    """The tables of each task that has runs with an analysis of both systems.

    Of the experiment of the full system where it is there, otherwise of the first one that has both.

    Raises:
        InputError: an analysis has another shape than a run leaves.
    """
    made: list[Table] = []
    for task, experiment, warm_up, full in (
        ("jmere", "jmere_r1", "warm-up", "JMERE-R1"),
        ("more", "more_r1", "stage 1", "MORE-R1"),
    ):
        having = [
            run for run in runs if run.task == task and {warm_up, full} <= run.analysis.keys()
        ]
        if having:
            first = min(
                (
                    run.experiment != experiment,
                    backbone_told(run) != "",
                    run.experiment,
                    backbone(run),
                )
                for run in having
            )
            chosen = [run for run in having if (run.experiment, backbone(run)) == first[2:]]
            made += [
                table
                for table in _tables(Systems(profile, tuple(chosen), warm_up, full))
                if table.rows
            ]
    return made


def _tables(systems: Systems) -> Iterator[Table]:
    yield _by_class(systems, "per_relation", "relation")
    yield _by_class(systems, "per_type", "type")
    yield _errors(systems)
    yield _direction(systems)


def _by_class(systems: Systems, key: str, what: str) -> Table:
    """P, R and F1 of each class, from the counts of all seeds together; the most frequent class first."""
    pooled = [_pooled(systems, model, key) for model in systems.models]
    gold = {
        name: max(counts.get(name, (0, 0, 0))[2] for counts in pooled)
        for counts in pooled
        for name in counts
    }
    values, cells = [], []
    for name in sorted(gold, key=lambda name: (-gold[name], name)):
        scores = [_prf(counts.get(name, (0, 0, gold[name]))) for counts in pooled]
        for model, prf in zip(systems.models, scores, strict=True):
            values += [
                Value(name, title, value, runs=systems.runs, model=model)
                for title, value in zip(TITLES, prf, strict=True)
            ]
        gained = scores[1][2] - scores[0][2]
        values += [
            Value(name, title, value, runs=systems.runs)
            for title, value in (("gold", gold[name]), ("Δ F1", gained))
        ]
        both = [f"{prf[part]:.1f}" for part in range(3) for prf in scores]
        cells.append((name, str(gold[name]), *both, signed(gained)))
    header = (
        "",
        "gold",
        *(f"{title} {model}" for title in TITLES for model in systems.models),
        "Δ F1",
    )
    parts = {
        "header": header,
        "rows": tuple(cells),
        "values": tuple(values),
        "brief": (0, 1, 6, 7, 8),
    }
    return systems.table(key.replace("_", "-"), f"scores by {what}", f"%, {POOLED}", **parts)


def _errors(systems: Systems) -> Table:
    """Number of errors of each kind, mean over seeds."""
    kinds: dict[str, list[float]] = {}
    for index, model in enumerate(systems.models):
        for run in systems.runs:
            for kind, count in _mapping(run, model, "errors").items():
                kinds.setdefault(kind, [0.0, 0.0])[index] += _number(
                    run, model, f"errors.{kind}", count
                ) / len(systems.runs)
    digits = 0 if len(systems.runs) == 1 else 1
    values, cells = [], []
    for kind, counts in kinds.items():
        for model, count in zip(systems.models, counts, strict=True):
            values.append(Value(kind, "errors", count, runs=systems.runs, model=model))
        values.append(Value(kind, "Δ", counts[1] - counts[0], runs=systems.runs))
        cells.append(
            (
                kind,
                *(f"{count:.{digits}f}" for count in counts),
                signed(counts[1] - counts[0], digits),
            )
        )
    header = ("", *systems.models, "Δ")
    scale = "number on the test set, mean over seeds"
    return systems.table(
        "errors", "kinds of errors", scale, header=header, rows=tuple(cells), values=tuple(values)
    )


def _direction(systems: Systems) -> Table:
    """F1 as it is, and with a swapped head and tail counted as correct."""
    titles = ("F1", "F1, direction-blind", "gained")
    values, cells = [], []
    for model in systems.models:
        if not all(_mapping(run, model, "direction_blind") for run in systems.runs):
            continue
        exact = _summed(
            [
                _counts(run, model, "quintuple", run.models[model].get("quintuple"))
                for run in systems.runs
            ]
        )
        blind = _summed(
            [
                _counts(run, model, "direction_blind", run.analysis[model]["direction_blind"])
                for run in systems.runs
            ]
        )
        f1 = [_prf(exact)[2], _prf(blind)[2]]
        f1.append(f1[1] - f1[0])
        values += [
            Value(model, title, value, runs=systems.runs, model=model)
            for title, value in zip(titles, f1, strict=True)
        ]
        cells.append((model, *(f"{value:.1f}" for value in f1[:2]), signed(f1[2])))
    scale = f"%, {POOLED}; direction-blind: a swapped head and tail counts as correct, as in EEGA"
    header = ("", *titles)
    return systems.table(
        "direction-blind",
        "direction of the relation",
        scale,
        header=header,
        rows=tuple(cells),
        values=tuple(values),
    )


def _pooled(systems: Systems, model: str, key: str) -> dict[str, Counts]:
    found: dict[str, list[Counts]] = {}
    for run in systems.runs:
        for name, scores in _mapping(run, model, key).items():
            found.setdefault(name or NOTHING, []).append(
                _counts(run, model, f"{key}.{name}", scores)
            )
    return {name: _summed(counts) for name, counts in found.items()}


def _summed(counts: Sequence[Counts]) -> Counts:
    correct, predicted, gold = (sum(part) for part in zip(*counts, strict=True))
    return correct, predicted, gold


def _prf(counts: Counts) -> tuple[float, float, float]:
    """Precision, recall and F1 in %; 0 where the denominator is 0."""
    correct, predicted, gold = counts
    parts = (correct, predicted), (correct, gold), (2 * correct, predicted + gold)
    precision, recall, f1 = (100 * above / below if below else 0.0 for above, below in parts)
    return precision, recall, f1


def _mapping(run: Run, model: str, key: str) -> Mapping[str, Any]:
    """A part of the analysis; empty where it is not there."""
    found = run.analysis[model].get(key) or {}
    if not isinstance(found, Mapping):
        raise InputError(f"{run.path}: analysis.{model}.{key} is no mapping; run again")
    return found


def _counts(run: Run, model: str, key: str, scores: Any) -> Counts:
    if not isinstance(scores, Mapping):
        raise InputError(f"{run.path}: analysis.{model}.{key} holds no scores; run again")
    correct, predicted, gold = (
        _number(run, model, f"{key}.{name}", scores.get(name)) for name in COUNTS
    )
    return correct, predicted, gold


def _number(run: Run, model: str, key: str, value: Any) -> int:
    if type(value) is not int or value < 0:
        raise InputError(f"{run.path}: analysis.{model}.{key} is {value!r} and no count; run again")
    return value
