"""Our scores by profile; a paper's numbers stand beside runs of the paper profile alone."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace

from mmie.reporting.backbones import LLAVA, PAPER, QWEN, on_paper_data
from mmie.reporting.breakdown import breakdowns
from mmie.reporting.chosen import (
    Comparison,
    backbone,
    backbone_told,
    compared,
    newest,
    runs_of,
    scored,
)
from mmie.reporting.published import PUBLISHED, QUINTUPLE, RELATION, Column, Published, Row
from mmie.reporting.runs import Run
from mmie.reporting.table import MISSING, NOTHING, Table, Value, cell, signed

BESIDE_PAPER = "The paper's data set and model. Paper: {source}."
ALONE = {
    "toy": "A generated world and a tiny model."
    " These numbers are not to be compared with those of a paper.",
}
OURS = (
    "Ours: % on the test set, mean ± standard deviation over seeds; with one seed the 95 % bootstrap"
    " interval. All seeds have the same data, so ± is the spread of training alone."
)
ABSENT = "“missing”: none of the given runs is of this row."
COMPARED = (
    "Δ: difference in {column} to {against}{same} in points, mean over common seeds with the same test set; p: paired randomisation test"
    " of this mean, two-sided, each test sample swapped in all seeds at once. p speaks of other test samples, ± of other seeds."
)
KNOWN = {
    experiment
    for published in PUBLISHED
    for row in published.rows
    for experiment in row.experiments
}
COMMON = "seeds", "Δ {column}", "p"  # the last columns of every table


def tables(runs: Sequence[Run]) -> list[Table]:
    """Tables of the papers' rows that we have runs of, of other runs, and of kinds of errors.

    The papers' own numbers stand only beside runs of the paper profile.

    Raises:
        InputError: results have another shape than a run leaves.
    """
    made = []
    for profile in sorted({run.profile for run in runs}):
        kept, notes = newest(run for run in runs if run.profile == profile)
        for published in PUBLISHED:
            rows = [run for run in kept if run.task == published.task and not _is_other(run)]
            layout = published if profile == PAPER else _alone(published, rows)
            if any(runs_of(row, rows) for row in layout.rows):
                made.append(_filled(layout, rows, notes, profile))
        for task, columns in (("jmere", QUINTUPLE), ("more", RELATION)):
            others = [run for run in kept if run.task == task and _is_other(run)]
            if others:
                made.append(_others(task, columns, others, notes, profile))
        made += breakdowns(kept, profile)
    return made


def _alone(published: Published, runs: Sequence[Run]) -> Published:
    """Our rows, called after the model of the runs, without anything that a paper prints."""
    names = sorted({backbone(run) for run in runs})
    ours = [row for row in published.rows if row.experiments and row.backbone == QWEN]
    systems = {row.label: row.system or row.label for row in ours}
    nothing = (None,) * len(published.columns)
    rows = [
        replace(
            row,
            label=f"{systems[row.label]} ({name})",
            printed=nothing,
            backbone=name,
            source="",
            system=systems[row.label],
            against=f"{systems[row.against]} ({name})" if row.against else "",
        )
        for row in ours
        for name in names
    ]
    return replace(published, rows=tuple(rows), remarks=())


def _filled(
    published: Published, runs: list[Run], notes: list[tuple[str, str]], profile: str
) -> Table:
    """The rows with our scores, in the paper profile beside the printed ones."""
    beside = profile == PAPER
    rows = {row.label: row for row in published.rows}
    found = {label: runs_of(row, runs) for label, row in rows.items()}
    values: list[Value] = []
    cells = []
    for label, row in rows.items():
        difference = _difference(row, rows, found, published.compared)
        scores = [
            _scores(found[label].values(), row.model, column, label) for column in published.columns
        ]
        values += [
            *_printed(row, published),
            *(score for of_column in scores for score in of_column),
        ]
        values += _compared_values(row, difference, published.compared)
        absent = MISSING if row.experiments and not found[label] else NOTHING
        ours = [cell(of_column) if of_column else absent for of_column in scores]
        shown = _pairs(row, ours) if beside else ours
        cells.append((label, *shown, str(len(found[label]) or NOTHING), *_delta_cells(difference)))
    titles = [
        title
        for column in published.columns
        for title in _titles(column, published.whose, beside=beside)
    ]
    header = ("", *titles, *(title.format(column=published.compared.title) for title in COMMON))
    at = header.index(published.compared.title)
    main = (at, at + 1) if beside else (at,)
    used = {run.experiment for of_row in found.values() for run in of_row.values()}
    return Table(
        name=f"{profile}-{published.name}",
        title=f"{published.title} ({profile} profile)",
        caption=BESIDE_PAPER.format(source=published.source)
        if beside
        else ALONE.get(profile, f"The {profile} profile."),
        header=header,
        rows=tuple(cells),
        values=tuple(values),
        brief=(0, *main, *range(len(header) - len(COMMON), len(header))),
        notes=(
            OURS,
            ABSENT,
            *_what_is_compared(published),
            *published.remarks,
            *_sources(published),
            *_told(used, notes),
        ),
    )


def _titles(column: Column, whose: str, *, beside: bool) -> list[str]:
    return [column.title, f"{column.title} ({whose})"] if beside else [column.title]


def _scores(runs: Iterable[Run], model: str, column: Column, label: str) -> list[Value]:
    return [score for run in runs if (score := scored(run, model, column, row=label))]


def _pairs(row: Row, ours: list[str]) -> list[str]:
    """Our cell and the printed one of each column."""
    printed = [NOTHING if value is None else f"{value:.2f}" for value in row.printed]
    return [shown for pair in zip(ours, printed, strict=True) for shown in pair]


def _printed(row: Row, published: Published) -> list[Value]:
    pairs = zip(published.columns, row.printed, strict=True)
    return [
        Value(row.label, column.title, value, source=row.source or published.source)
        for column, value in pairs
        if value is not None
    ]


def _difference(
    row: Row, rows: dict[str, Row], found: dict[str, dict[int, Run]], column: Column
) -> Comparison | None:
    if not row.against:
        return None
    return compared(
        (found[row.label], row.model), (found[row.against], rows[row.against].model), column
    )


def _delta_cells(difference: Comparison | None) -> tuple[str, str]:
    if difference is None:
        return NOTHING, NOTHING
    p = difference.p
    return signed(
        difference.difference
    ), NOTHING if p is None else "< 0.001" if p < 0.001 else f"{p:.3f}"


def _compared_values(row: Row, difference: Comparison | None, column: Column) -> list[Value]:
    if difference is None:
        return []
    delta = Value(
        row.label, f"Δ {column.title}", difference.difference, runs=difference.runs, model=row.model
    )
    return (
        [delta]
        if difference.p is None
        else [delta, Value(row.label, "p", difference.p, runs=difference.runs, model=row.model)]
    )


def _what_is_compared(published: Published) -> list[str]:
    references = dict.fromkeys(row.against for row in published.rows if row.against)
    bare = dict.fromkeys(reference.partition(" (")[0] for reference in references)
    same = " of the same backbone" if len(bare) < len(references) else ""
    return (
        [COMPARED.format(column=published.compared.title, against=" or ".join(bare), same=same)]
        if references
        else []
    )


def _sources(published: Published) -> list[str]:
    return [f"{row.label}: {row.source}." for row in published.rows if row.source]


def _told(experiments: Iterable[str], notes: list[tuple[str, str]]) -> list[str]:
    return [note for experiment, note in notes if experiment in set(experiments)]


def _is_other(run: Run) -> bool:
    """Whether a run is no row of a paper: another experiment, or there another model or data set."""
    if not run.models:
        return False
    elsewhere = run.profile == PAPER and (
        backbone(run) not in (QWEN, LLAVA) or not on_paper_data(run.profile, run.config.get("data"))
    )
    return run.experiment not in KNOWN or elsewhere


def _others(
    task: str,
    columns: tuple[Column, ...],
    runs: list[Run],
    notes: list[tuple[str, str]],
    profile: str,
) -> Table:
    """Runs that are no row of a paper's table, one row for each experiment and system."""
    groups: dict[tuple[str, str, str], list[Run]] = {}
    for run in runs:
        for model in run.models:
            groups.setdefault((run.experiment, model, backbone_told(run)), []).append(run)
    values, cells = [], []
    for (experiment, model, where), of_row in groups.items():
        label = f"{experiment}: {model}{where}"
        scores = [_scores(of_row, model, column, label) for column in columns]
        values += [score for of_column in scores for score in of_column]
        cells.append((label, *map(cell, scores), str(len(of_row))))
    told = _told({experiment for experiment, *_ in groups}, notes)
    return Table(
        name=f"{profile}-{task}-others",
        title=f"{task.upper()}: other runs ({profile} profile)",
        caption="Runs that are no row of a paper's table.",
        header=("", *(column.title for column in columns), "seeds"),
        rows=tuple(cells),
        values=tuple(values),
        notes=(OURS, *told),
    )
