"""Our scores by profile; a paper's numbers stand beside runs of the paper profile alone."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from functools import partial

from mmie.reporting.backbones import LLAVA, PAPER, QWEN, on_paper_data
from mmie.reporting.breakdown import breakdowns
from mmie.reporting.published import Column, Published, Row, experiments, published
from mmie.reporting.run_selection import (
    Note,
    Side,
    backbone,
    by_point,
    compared,
    newest,
    other_backbone,
    runs_of,
)
from mmie.reporting.runs import Run
from mmie.reporting.table import Table, Value

BESIDE_PAPER = "The paper's data set and model. Paper: {source}."
ALONE = {
    "toy": "A generated world and a tiny model."
    " These numbers are not to be compared with those of a paper.",
    "small": "Real tweets without their pictures, a model of 135 M parameters, and chains made of"
    " templates. A paper's methods see the pictures.",
}
OURS = (
    "Ours: % on the test set, mean ± standard deviation over seeds; with one seed the 95 %"
    " bootstrap interval. All seeds have the same data, so ± is the spread of training alone."
)
COMPARED = (
    "Δ: difference in {column} to {against}{same} in points, mean over common seeds with the same"
    " test set; p: two-sided paired randomisation test of it. p speaks of other test samples, ± of"
    " other seeds."
)
INTERVALS = {"f1": "ci95", "accuracy": "accuracy_ci95"}
SCORES = {"Acc": "accuracy", "P": "precision", "R": "recall", "F1": "f1"}


def tables(runs: Sequence[Run]) -> list[Table]:
    """The papers' rows that we have runs of, other runs, and breakdowns; by profile and task.

    A paper's own numbers stand only beside runs of the paper profile.

    Raises:
        InputError: results claim equal test sets whose counts do not go together.
    """
    made: list[Table] = []
    for profile in sorted({run.profile for run in runs}):
        own = [run for run in runs if run.profile == profile]
        for task in sorted({run.task for run in own}):
            made += _of_task([run for run in own if run.task == task])
    return made


def _of_task(every: Sequence[Run]) -> Iterator[Table]:
    runs, notes = newest(every)
    others = [run for run in every if _is_other(run)]
    rows = [run for run in runs if not _is_other(run)]
    for table in published(runs[0].task):
        layout = table if runs[0].profile == PAPER else _without_paper(table, rows)
        if any(runs_of(row, rows) for row in layout.rows):
            yield _filled(layout, rows, notes)
    if any(run.systems for run in others):
        yield _others(others)
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
    columns = [*table.columns]
    if beside:
        columns = [name for title in columns for name in (title, _printed_title(table, title))]
    used = {run.experiment for side in sides.values() for run in side.runs.values()}
    about = BESIDE_PAPER.format(source=table.source)
    return Table(
        name=f"{profile}-{table.name}",
        title=f"{table.title} ({profile} profile)",
        caption=about if beside else ALONE.get(profile, f"The {profile} profile."),
        columns=(*columns, "seeds", f"Δ {table.compared}", "p"),
        values=tuple(value for row in table.rows for value in _values(table, row, sides)),
        notes=(OURS, *_notes(table), *_about(used, notes)),
    )


def _printed_title(table: Published, title: str) -> str:
    return f"{title} ({table.whose})"


def _values(table: Published, row: Row, sides: dict[str, Side]) -> Iterator[Value]:
    """Every number of one row."""
    own, main = sides[row.label], table.column(table.compared)
    value = partial(Value, row=row.label)
    for title, printed in zip(table.columns, row.printed, strict=True):
        if printed is not None:
            column, source = _printed_title(table, title), row.source or table.source
            yield value(column=column, kind="printed", value=printed / 100, source=source)
    columns = [table.column(title) for title in table.columns]
    yield from _ours([*own.runs.values()], row.system, columns, row.label)
    difference = row.against and compared(own, sides[row.against], main)
    if difference:
        value = partial(value, runs=difference.runs, system=row.system)
        yield value(column=f"Δ {main.title}", kind="difference", value=difference.value)
        if difference.p is not None:
            yield value(column="p", kind="p", value=difference.p)


def _ours(runs: Sequence[Run], system: str, columns: Sequence[Column], row: str) -> Iterator[Value]:
    """The scores of each run, and how many runs there are."""
    for column in columns:
        for run in runs:
            scores = run.systems[system].get(column.measure)
            share = getattr(scores, column.score, None)
            if share is not None:
                interval = getattr(scores, INTERVALS.get(column.score, ""), None)
                value = partial(Value, row=row, column=column.title, runs=(run,), system=system)
                yield value(kind="score", value=share, interval=interval)
    if runs:
        yield Value(row=row, column="seeds", kind="count", value=len(runs), runs=tuple(runs))


def _notes(table: Published) -> Iterator[str]:
    """What is compared, what is odd about the printed numbers, and their further sources."""
    labels = {row.label: row.bare for row in table.rows}
    against = dict.fromkeys(row.against for row in table.rows if row.against)
    bare = dict.fromkeys(labels[label] for label in against)
    if against:
        same = " of the same backbone" if len(bare) < len(against) else ""
        yield COMPARED.format(column=table.compared, against=" or ".join(bare), same=same)
    yield from table.remarks
    yield from (f"{row.label}: {row.source}." for row in table.rows if row.source)


def _about(used: set[str], notes: Sequence[Note]) -> list[str]:
    return [*dict.fromkeys(note.text for note in notes if note.experiment in used)]


def _others(every: Sequence[Run]) -> Table:
    """Runs that are not a row of a paper's table: one row per system of an experiment or point of
    a sweep."""
    groups: dict[tuple[str, str], list[Run]] = {}
    about: list[str] = []
    for point, alike in by_point(every).items():
        runs, notes = newest(alike)
        about += [note.text for note in notes]
        for run in runs:
            for system in run.systems:
                label = f"{point}: {system}{other_backbone(run)}"
                groups.setdefault((label, system), []).append(run)
    measure = every[0].results.main_measure
    columns = [Column(title, measure, score) for title, score in SCORES.items()]
    values: list[Value] = []
    for (label, system), of in groups.items():
        values += _ours(of, system, columns, label)
    scores = {value.column for value in values}
    task, profile = every[0].task, every[0].profile
    return Table(
        name=f"{profile}-{task}-others",
        title=f"{task.upper()}: other runs ({profile} profile)",
        caption="Runs that are not a row of a paper's table.",
        columns=tuple(title for title in (*SCORES, "seeds") if title in scores),
        values=tuple(values),
        notes=(OURS, *dict.fromkeys(about)),
    )
