"""Where the whole method gains on its first stage: by group of labels, and kinds of errors."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from statistics import mean
from typing import Any

import pandas as pd

from mmie.files import slug
from mmie.reporting.numbers import NOTHING
from mmie.reporting.run_selection import backbone, other_backbone
from mmie.reporting.runs import Run
from mmie.reporting.table import Kind, Table, Value

COUNTS, TITLES = ("correct", "predicted", "gold"), ("P", "R", "F1")
KEYS = ["label", "system"]


@dataclass(frozen=True)
class Pair:
    """A first stage and the whole method in the same runs; one experiment, all its seeds."""

    runs: tuple[Run, ...]
    systems: tuple[str, str]

    def table(self, name: str, title: str, scale: str, **parts: Any) -> Table:
        """A table of these runs; ``scale`` says what its numbers are."""
        run, (first, whole) = self.runs[0], self.systems
        seeds = ", ".join(str(run.seed) for run in self.runs)
        of = f"{whole} after its {first}, experiment {run.experiment}, seeds {seeds}"
        return Table(
            name=f"{run.profile}-{run.task}-{name}",
            title=f"{run.task.upper()}: {title} ({run.profile} profile)",
            caption=f"{of}; {scale}.",
            **parts,
        )


def breakdowns(runs: Sequence[Run]) -> Iterator[Table]:
    """The tables of one task and profile, for an experiment with an analysis of both systems.

    The experiment is the one named after the method where it is there, otherwise the first one.
    """
    having = [run for run in runs if set(_systems(run)) <= run.results.analysis.keys()]
    if not having:
        return
    first = min(having, key=_order)
    alike = [run for run in having if _order(run) == _order(first)]
    pair = Pair(tuple(alike), _systems(first))
    groups = [first.results.analysis[system].breakdown for system in pair.systems]
    for group in dict.fromkeys(name for names in groups for name in names):
        yield _by_label(pair, group)
    if any(run.results.analysis[system].errors for run in alike for system in pair.systems):
        yield _errors(pair)


def _systems(run: Run) -> tuple[str, str]:
    return run.results.warmed_up, run.results.method


def _order(run: Run) -> tuple[bool, bool, str, str]:
    main = slug(run.experiment) == slug(run.results.method)  # jmere_r1 trains JMERE-R1
    return not main, other_backbone(run) != "", run.experiment, backbone(run)


def _by_label(pair: Pair, group: str) -> Table:
    """P, R and F1 of each label, from the counts of all seeds together; the most frequent first.

    The first row has all test samples, in the main measure.
    """
    scores = _scores(pair, group)
    values: list[Value] = []
    for label in dict.fromkeys(scores.index.get_level_values("label")):
        of_label = scores.loc[label]
        values.append(_value(pair, label, "gold", "count", of_label["gold"].max()))
        for title in TITLES:
            for system in pair.systems:
                share = of_label.at[system, title]
                values.append(_value(pair, label, f"{title} {system}", "score", share, system))
        first, whole = (of_label.at[system, "F1"] for system in pair.systems)
        values.append(_value(pair, label, "Δ F1", "difference", whole - first))
    titles = [f"{title} {system}" for title in TITLES for system in pair.systems]
    return pair.table(
        f"breakdown-{group}",
        f"breakdown, {group}",
        "%, from the counts of all seeds together",
        columns=("gold", *titles, "Δ F1"),
        values=tuple(values),
        brief=("gold", *titles[-2:], "Δ F1"),
    )


def _scores(pair: Pair, group: str) -> pd.DataFrame:
    """Counts and scores of each (label, system), in the order of the table."""
    counts = pd.DataFrame(_counts(pair, group)).groupby(["label", "system"]).sum()
    both = pd.MultiIndex.from_product([counts.index.levels[0], pair.systems], names=KEYS)
    scores = counts.reindex(both, fill_value=0)
    # A label that one system never predicts is missing there, but not its gold.
    scores["gold"] = scores.groupby("label")["gold"].transform("max")
    scores["P"] = scores["correct"] / scores["predicted"]
    scores["R"] = scores["correct"] / scores["gold"]
    scores["F1"] = 2 * scores["correct"] / (scores["predicted"] + scores["gold"])
    scores["first"] = scores.index.get_level_values("label") == _all(pair)
    order = ["first", "gold", "label"]
    return scores.fillna(0).sort_values(order, ascending=[False, False, True], kind="stable")


def _counts(pair: Pair, group: str) -> Iterator[dict[str, Any]]:
    """Of each label in each run of each system; first of all test samples."""
    for run in pair.runs:
        for system in pair.systems:
            total = run.results.scores(system).get(run.results.main_measure)
            labels = run.results.analysis[system].breakdown.get(group, {})
            for label, scores in {_all(pair): total, **labels}.items():
                if scores is not None:
                    counts = {name: getattr(scores, name) for name in COUNTS}
                    yield {"label": label or NOTHING, "system": system, **counts}


def _all(pair: Pair) -> str:
    return f"all, {pair.runs[0].results.main_measure}"


def _errors(pair: Pair) -> Table:
    """Number of errors of each kind."""
    values: list[Value] = []
    for kind, found in _error_counts(pair).items():
        for system, counts in found.items():
            for run, count in zip(pair.runs, counts, strict=True):
                values.append(
                    replace(_value(pair, kind, system, "count", count, system), runs=(run,))
                )
        first, whole = (mean(found[system]) for system in pair.systems)
        values.append(_value(pair, kind, "Δ", "change", whole - first))
    scale = "number on the test set, mean over seeds"
    columns = (*pair.systems, "Δ")
    return pair.table("errors", "kinds of errors", scale, columns=columns, values=tuple(values))


def _error_counts(pair: Pair) -> dict[str, dict[str, list[int]]]:
    """Kind → system → count of each run."""
    errors = {
        system: [run.results.analysis[system].errors for run in pair.runs]
        for system in pair.systems
    }
    kinds = dict.fromkeys(kind for of_runs in errors.values() for one in of_runs for kind in one)
    return {
        kind: {name: [one.get(kind, 0) for one in of_runs] for name, of_runs in errors.items()}
        for kind in kinds
    }


def _value(pair: Pair, row: str, column: str, kind: Kind, value: float, system: str = "") -> Value:
    number = float(value)
    return Value(row=row, column=column, kind=kind, value=number, runs=pair.runs, system=system)
