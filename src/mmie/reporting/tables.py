"""Our scores beside the papers', one set of tables a profile: toy and paper never stand in one table."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from mmie.reporting.breakdown import breakdowns
from mmie.reporting.chosen import Comparison, backbone, compared, newest, runs_of, scored
from mmie.reporting.published import LLAVA, PUBLISHED, QUINTUPLE, QWEN, RELATION, Column, Published, Row
from mmie.reporting.runs import Run
from mmie.reporting.table import MISSING, NOTHING, Table, Value, cell, signed

PROFILES = {
    "toy": "A generated world and a tiny model. The paper's columns are for orientation: they are of another data set"
    " and another model, and are not to be compared with ours.",
    "paper": "The paper's data set and model.",
}
OURS = "Ours: % on the test set, mean ± standard deviation over seeds; with one seed the 95 % bootstrap interval."
ABSENT = "“missing”: none of the given runs is of this row."
COMPARED = (
    "Δ: difference in {column} to {against}{same} in points, mean over common seeds with the same test set; p: paired randomisation test"
    " of this mean, two-sided, each test sample swapped in all seeds at once. p speaks of other test samples, ± of other seeds."
)
KNOWN = {experiment for published in PUBLISHED for row in published.rows for experiment in row.experiments}


def tables(runs: Sequence[Run]) -> list[Table]:
    """The papers' tables for which there is a run of ours, runs that are in none of them, and what errors are made of.

    Raises:
        InputError: results have another shape than a run leaves.
    """
    made = []
    for profile in sorted({run.profile for run in runs}):
        kept, notes = newest(run for run in runs if run.profile == profile)
        made += [_beside(published, kept, notes, profile) for published in PUBLISHED if _has_runs(published, kept)]
        made += [_others(task, columns, kept, notes, profile) for task, columns in (("jmere", QUINTUPLE), ("more", RELATION))
                 if any(_is_other(run, task) for run in kept)]  # fmt: skip
        made += breakdowns(kept, profile)
    return made


def _has_runs(published: Published, runs: Sequence[Run]) -> bool:
    return any(runs_of(row, _of_task(published.task, runs)) for row in published.rows)


def _of_task(task: str, runs: Iterable[Run]) -> list[Run]:
    return [run for run in runs if run.task == task]


def _beside(published: Published, kept: list[Run], notes: list[tuple[str, str]], profile: str) -> Table:
    """A paper's table with our columns beside its own."""
    rows = {row.label: row for row in published.rows}
    found = {label: runs_of(row, _of_task(published.task, kept)) for label, row in rows.items()}
    values: list[Value] = []
    cells = []
    for label, row in rows.items():
        difference = _difference(row, rows, found, published.compared)
        ours = [_scores(found[label].values(), row.model, column, label) for column in published.columns]
        values += [*_printed(row, published), *(score for scores in ours for score in scores)]
        values += _compared_values(row, difference, published.compared)
        absent = MISSING if _ours_to_run(row, profile) and not found[label] else NOTHING
        pairs = _pairs(row, published, [cell(scores) if scores else absent for scores in ours])
        cells.append((label, *pairs, str(len(found[label]) or NOTHING), *_delta_cells(difference)))
    header = ("", *(title for column in published.columns if column.shown for title in (column.title, f"{column.title} (paper)")))
    header += ("seeds", f"Δ {published.compared.title}", "p")
    at = header.index(published.compared.title)
    used = {run.experiment for of_row in found.values() for run in of_row.values()}
    return Table(
        name=f"{profile}-{published.name}", title=f"{published.title} ({profile} profile)",
        caption=f"{PROFILES.get(profile, '')} Paper: {published.source}.".strip(),
        header=header, rows=tuple(cells), values=tuple(values), brief=(0, at, at + 1, *range(len(header) - 3, len(header))),
        notes=(OURS, ABSENT, *_what_is_compared(published), *published.remarks, *_sources(published), *_told(used, notes)),
    )  # fmt: skip


def _scores(runs: Iterable[Run], model: str, column: Column, label: str) -> list[Value]:
    return [score for run in runs if (score := scored(run, model, column, row=label))]


def _pairs(row: Row, published: Published, ours: list[str]) -> list[str]:
    """Our cell and the paper's of each column that is shown."""
    shown = zip(published.columns, ours, row.printed, strict=True)
    return [cell for column, own, value in shown if column.shown for cell in (own, NOTHING if value is None else f"{value:.2f}")]


def _printed(row: Row, published: Published) -> list[Value]:
    pairs = zip(published.columns, row.printed, strict=True)
    return [Value(row.label, column.title, value, source=row.source or published.source) for column, value in pairs if value is not None]


def _ours_to_run(row: Row, profile: str) -> bool:
    """Other people's systems are not; the toy profile has one backbone."""
    return bool(row.experiments) and not (profile == "toy" and row.backbone == LLAVA)


def _difference(row: Row, rows: dict[str, Row], found: dict[str, dict[int, Run]], column: Column) -> Comparison | None:
    if not row.against:
        return None
    return compared((found[row.label], row.model), (found[row.against], rows[row.against].model), column)


def _delta_cells(difference: Comparison | None) -> tuple[str, str]:
    if difference is None:
        return NOTHING, NOTHING
    p = difference.p
    return signed(difference.difference), NOTHING if p is None else "< 0.001" if p < 0.001 else f"{p:.3f}"


def _compared_values(row: Row, difference: Comparison | None, column: Column) -> list[Value]:
    if difference is None:
        return []
    delta = Value(row.label, f"Δ {column.title}", difference.difference, runs=difference.runs, model=row.model)
    return [delta] if difference.p is None else [delta, Value(row.label, "p", difference.p, runs=difference.runs, model=row.model)]


def _what_is_compared(published: Published) -> list[str]:
    references = dict.fromkeys(row.against for row in published.rows if row.against)
    bare = dict.fromkeys(reference.partition(" (")[0] for reference in references)
    same = " of the same backbone" if len(bare) < len(references) else ""
    return [COMPARED.format(column=published.compared.title, against=" or ".join(bare), same=same)] if references else []


def _sources(published: Published) -> list[str]:
    return [f"{row.label}: {row.source}." for row in published.rows if row.source]


def _told(experiments: Iterable[str], notes: list[tuple[str, str]]) -> list[str]:
    return [note for experiment, note in notes if experiment in set(experiments)]


def _is_other(run: Run, task: str) -> bool:
    return run.task == task and (run.experiment not in KNOWN or backbone(run) not in (QWEN, LLAVA)) and bool(run.models)


def _others(task: str, columns: tuple[Column, ...], kept: list[Run], notes: list[tuple[str, str]], profile: str) -> Table:
    """Runs of experiments that are no row of a paper, one row a model."""
    groups: dict[tuple[str, str, str], list[Run]] = {}
    for run in kept:
        for model in run.models if _is_other(run, task) else ():
            groups.setdefault((run.experiment, model, "" if backbone(run) == QWEN else f" ({backbone(run)})"), []).append(run)
    values, cells = [], []
    for (experiment, model, where), of_row in groups.items():
        label = f"{experiment}: {model}{where}"
        scores = [_scores(of_row, model, column, label) for column in columns]
        values += [score for of_column in scores for score in of_column]
        cells.append((label, *map(cell, scores), str(len(of_row))))
    told = _told({experiment for experiment, *_ in groups}, notes)
    return Table(
        name=f"{profile}-{task}-others", title=f"{task.upper()}: other runs ({profile} profile)",
        caption="Runs of experiments that are no row of a paper's table.", header=("", *(column.title for column in columns), "seeds"),
        rows=tuple(cells), values=tuple(values), notes=(OURS, *told),
    )  # fmt: skip
