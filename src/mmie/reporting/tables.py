"""Our scores by profile; a paper's numbers stand beside runs of the paper profile alone."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace

from mmie.reporting.backbones import LLAVA, PAPER, QWEN, on_paper_data
from mmie.reporting.breakdown import breakdowns
from mmie.reporting.published import Column, Published, Row, experiments, published
from mmie.reporting.run_selection import (
    Entry,
    Note,
    Side,
    backbone,
    compared,
    newest,
    other_backbone,
    runs_of,
    scored,
)
from mmie.reporting.runs import Run
from mmie.reporting.table import Table, Value

BESIDE_PAPER = "The paper's data set and model. Paper: {source}."
ALONE = {
    "toy": "A generated world and a tiny model."
    " These numbers are not to be compared with those of a paper.",
}
OURS = (
    "Ours: % on the test set, mean ± standard deviation over seeds; with one seed the 95 %"
    " bootstrap interval. All seeds have the same data, so ± is the spread of training alone."
)
ABSENT = "“missing”: none of the given runs is of this row."
COMPARED = (
    "Δ: difference in {column} to {against}{same} in points, mean over common seeds with the same"
    " test set; p: paired randomisation test of this mean, two-sided, each test sample swapped in"
    " all seeds at once. p speaks of other test samples, ± of other seeds."
)


def tables(runs: Sequence[Run]) -> list[Table]:
    """The papers' rows that we have runs of, other runs, and breakdowns; by profile and task.

    A paper's own numbers stand only beside runs of the paper profile.

    Raises:
        InputError: results claim equal test sets whose counts do not go together.
    """
    made: list[Table] = []
    for profile in sorted({run.profile for run in runs}):
        kept, notes = newest(run for run in runs if run.profile == profile)
        for task in sorted({run.task for run in kept}):
            made += _of_task([run for run in kept if run.task == task], notes)
    return made


def _of_task(runs: Sequence[Run], notes: Sequence[Note]) -> Iterator[Table]:
    others = [run for run in runs if _is_other(run)]
    rows = [run for run in runs if not _is_other(run)]
    for table in published(runs[0].task):
        layout = table if runs[0].profile == PAPER else _without_paper(table, rows)
        if any(runs_of(row, rows) for row in layout.rows):
            yield _filled(layout, rows, notes)
    if any(run.systems for run in others):
        yield _others(others, notes)
    yield from breakdowns(runs)


def _is_other(run: Run) -> bool:
    """Whether a run is not a row of a paper: another experiment, model or data set."""
    known_model = backbone(run) in (QWEN, LLAVA)
    like_paper = known_model and on_paper_data(run.profile, run.results.settings.data)
    known = run.experiment in experiments(run.task)
    return not known or (run.profile == PAPER and not like_paper)


def _without_paper(table: Published, runs: Sequence[Run]) -> Published:
    """Our rows, named by the models of the runs, without anything that a paper prints."""
    ours = [row for row in table.rows if row.experiments and row.backbone == QWEN]
    bare = {row.label: row.bare for row in ours}
    rows = []
    for row in ours:
        for model in sorted({backbone(run) for run in runs}):
            label = f"{row.bare} ({model})"
            against = f"{bare[row.against]} ({model})" if row.against else ""
            own = replace(row, label=label, against=against, backbone=model)
            rows.append(replace(own, printed=(None,) * len(row.printed), source=""))
    return replace(table, rows=tuple(rows), remarks=())


def _filled(table: Published, runs: Sequence[Run], notes: Sequence[Note]) -> Table:
    """The rows with our scores, in the paper profile beside the printed ones."""
    profile = runs[0].profile
    beside = profile == PAPER
    sides = {row.label: Side(runs_of(row, runs), row.system) for row in table.rows}
    values: list[Value] = []
    for row in table.rows:
        values += _values(table, row, sides)
    columns, main = [*table.columns], [table.compared]
    if beside:
        columns = [name for title in columns for name in (title, _printed_title(table, title))]
        main.append(_printed_title(table, table.compared))
    ends = ("seeds", f"Δ {table.compared}", "p")
    used = {run.experiment for side in sides.values() for run in side.runs.values()}
    about = BESIDE_PAPER.format(source=table.source)
    return Table(
        name=f"{profile}-{table.name}",
        title=f"{table.title} ({profile} profile)",
        caption=about if beside else ALONE.get(profile, f"The {profile} profile."),
        columns=(*columns, *ends),
        values=tuple(values),
        labels=tuple(sides),
        missing=frozenset(r.label for r in table.rows if r.experiments and not sides[r.label].runs),
        brief=(*main, *ends),
        notes=(OURS, ABSENT, *_notes(table), *_about(used, notes)),
    )


def _printed_title(table: Published, title: str) -> str:
    return f"{title} ({table.whose})"


def _values(table: Published, row: Row, sides: dict[str, Side]) -> Iterator[Value]:
    """Every number of one row."""
    own = sides[row.label]
    for title, printed in zip(table.columns, row.printed, strict=True):
        if printed is not None:
            yield Value(
                row=row.label,
                column=_printed_title(table, title),
                kind="printed",
                value=printed / 100,
                source=row.source or table.source,
            )
        yield from _scores(own.runs.values(), row.system, table.column(title), row.label)
    if own.runs:
        yield _count(row.label, tuple(own.runs.values()))
    difference = row.against and compared(own, sides[row.against], table.column(table.compared))
    if difference:
        delta = Value(
            row=row.label,
            column=f"Δ {table.compared}",
            kind="difference",
            value=difference.value,
            runs=difference.runs,
            system=row.system,
        )
        yield delta
        if difference.p is not None:
            yield replace(delta, column="p", kind="p", value=difference.p)


def _scores(runs: Iterable[Run], system: str, column: Column, label: str) -> Iterator[Value]:
    for run in runs:
        value = scored(Entry(run, system), column, row=label)
        if value is not None:
            yield value


def _count(label: str, runs: tuple[Run, ...]) -> Value:
    return Value(row=label, column="seeds", kind="count", value=len(runs), runs=runs)


def _notes(table: Published) -> Iterator[str]:
    """What is compared, what is odd about the printed numbers, and their further sources."""
    labels = {row.label: row.bare for row in table.rows}
    against = dict.fromkeys(row.against for row in table.rows if row.against)
    bare = dict.fromkeys(labels[label] for label in against)
    if against:
        same = " of the same backbone" if len(bare) < len(against) else ""
        column = table.compared
        yield COMPARED.format(column=column, against=" or ".join(bare), same=same)
    yield from table.remarks
    yield from (f"{row.label}: {row.source}." for row in table.rows if row.source)


def _about(used: set[str], notes: Sequence[Note]) -> list[str]:
    return [note.text for note in notes if note.experiment in used]


def _others(runs: Sequence[Run], notes: Sequence[Note]) -> Table:
    """Runs that are not a row of a paper's table: one row per experiment and system."""
    groups: dict[tuple[str, str], list[Run]] = {}
    for run in runs:
        for system in run.systems:
            label = f"{run.experiment}: {system}{other_backbone(run)}"
            groups.setdefault((label, system), []).append(run)
    columns = _main_columns(runs)
    values: list[Value] = []
    for (label, system), alike in groups.items():
        for column in columns:
            values += _scores(alike, system, column, label)
        values.append(_count(label, tuple(alike)))
    task, profile = runs[0].task, runs[0].profile
    return Table(
        name=f"{profile}-{task}-others",
        title=f"{task.upper()}: other runs ({profile} profile)",
        caption="Runs that are not a row of a paper's table.",
        columns=(*(column.title for column in columns), "seeds"),
        values=tuple(values),
        notes=(OURS, *_about({run.experiment for run in runs}, notes)),
    )


def _main_columns(runs: Sequence[Run]) -> list[Column]:
    """The scores of the task's main measure that these runs have."""
    measure = runs[0].results.main_measure
    titles = {"Acc": "accuracy", "P": "precision", "R": "recall", "F1": "f1"}
    found = [run.systems[system].get(measure) for run in runs for system in run.systems]
    return [
        Column(title, measure, score)
        for title, score in titles.items()
        if any(getattr(scores, score, None) is not None for scores in found)
    ]
