"""Where the whole method gains on its first stage: F1 by label, for each group of labels."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from functools import partial

from mmie.files import slug
from mmie.reporting.numbers import NOTHING
from mmie.reporting.run_selection import backbone, other_backbone
from mmie.reporting.runs import Run
from mmie.reporting.table import Table, Value

Counts = dict[str, dict[str, list[int]]]  # label → system → correct, predicted, gold


def breakdowns(runs: Sequence[Run]) -> Iterator[Table]:
    """The tables of one task and profile, for an experiment with an analysis of both systems.

    The experiment is the one named after the method where it is there, otherwise the first one.
    """
    having = [run for run in runs if set(_systems(run)) <= run.results.analysis.keys()]
    if not having:
        return
    first = min(having, key=_order)
    alike = [run for run in having if _order(run) == _order(first)]
    analyses = [first.results.analysis[system] for system in _systems(first)]
    for group in dict.fromkeys(name for analysis in analyses for name in analysis.breakdown):
        yield _by_label(alike, group)


def _systems(run: Run) -> tuple[str, str]:
    return run.results.warmed_up, run.results.method


def _order(run: Run) -> tuple[bool, bool, str, str]:
    main = slug(run.experiment) == slug(run.results.method)  # jmere_r1 trains JMERE-R1
    return not main, other_backbone(run) != "", run.experiment, backbone(run)


def _by_label(runs: Sequence[Run], group: str) -> Table:
    """F1 of each label, from the counts of all seeds together; the most frequent first.

    The first row has all test samples, in the main measure.
    """
    run, counts = runs[0], _counts(runs, group)
    systems, everything = _systems(run), next(iter(counts))
    # A label that one system never predicts is missing there, but not its gold.
    gold = {label: max(of[system][2] for system in systems) for label, of in counts.items()}
    values: list[Value] = []
    for label in sorted(gold, key=lambda label: (label != everything, -gold[label], label)):
        value = partial(Value, row=label, runs=tuple(runs))
        values.append(value(column="gold", kind="count", value=gold[label]))
        f1 = []
        for system in systems:
            correct, predicted, _ = counts[label][system]
            f1.append(2 * correct / max(1, predicted + gold[label]))
            values.append(value(column=f"F1 {system}", kind="score", value=f1[-1], system=system))
        values.append(value(column="Δ F1", kind="difference", value=f1[1] - f1[0]))
    seeds = ", ".join(str(run.seed) for run in runs)
    return Table(
        name=f"{run.profile}-{run.task}-breakdown-{group}",
        title=f"{run.task.upper()}: breakdown, {group} ({run.profile} profile)",
        caption=f"{systems[1]} after its {systems[0]}, experiment {run.experiment}, seeds {seeds};"
        " %, from the counts of all seeds together.",
        columns=("gold", *(f"F1 {system}" for system in systems), "Δ F1"),
        values=tuple(values),
    )


def _counts(runs: Sequence[Run], group: str) -> Counts:
    """The sums over the runs; the first label stands for all samples."""
    counts: Counts = defaultdict(lambda: defaultdict(lambda: [0, 0, 0]))
    for run in runs:
        main = run.results.main_measure
        for system in _systems(run):
            total = run.results.scores(system).get(main)
            every = {f"all, {main}": total} if total else {}
            labels = run.results.analysis[system].breakdown.get(group, {})
            for label, scores in {**every, **labels}.items():
                own = (scores.correct, scores.predicted, scores.gold)
                sums = counts[label or NOTHING]
                sums[system] = [sum(pair) for pair in zip(sums[system], own, strict=True)]
    return counts
