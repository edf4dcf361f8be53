"""Finished runs as one HTML page that needs no other file: settings, tables, figures, rollouts."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence

from mmie.reporting import rendering
from mmie.reporting.effects import effective
from mmie.reporting.figures import Drawing
from mmie.reporting.formats import short_path
from mmie.reporting.numbers import NOTHING, percent
from mmie.reporting.rollouts import sampled
from mmie.reporting.runs import Run
from mmie.reporting.table import Table

RUN_HEADER = ("#", "experiment", "profile", "seed", "date", "commit", "F1", "command", "results")

Grid = tuple[tuple[str, ...], list[tuple[str, ...]]]


def page(
    title: str, runs: Sequence[Run], *, tables: Sequence[Table], figures: Sequence[Drawing]
) -> str:
    """The whole page.

    Args:
        title: of the page.
        runs: in the order of their numbers on it, which start from 1.
        tables: of these runs.
        figures: of these runs.

    Raises:
        InputError: a line of a run's rollouts is not a rollout.
    """
    numbered = [(number, run, sampled(run)) for number, run in enumerate(runs, 1)]
    return rendering.html(
        "share.html",
        title=title,
        runs=run_rows(runs),
        differences=differences(runs),
        tables=[(table, _origins(table, runs)) for table in tables],
        figures=[(drawing, inline_svg(drawing.svg(), drawing.name)) for drawing in figures],
        rollouts=[entry for entry in numbered if entry[2] is not None],
    )


def run_rows(runs: Sequence[Run]) -> list[tuple[str, ...]]:
    """One row for each run, with the columns of ``RUN_HEADER``."""
    return [_run_row(number, run) for number, run in enumerate(runs, 1)]


def _run_row(number: int, run: Run) -> tuple[str, ...]:
    results = run.results
    name = run.experiment, run.profile, str(run.seed)
    date = results.date[:16].replace("T", " ")
    made = date, run.commit[:10], _score(run), results.command, short_path(run.path)
    return str(number), *name, *made


def _score(run: Run) -> str:
    """F1 of the last system in the main measure."""
    measure = run.results.main_measure
    if measure not in run.results.last:
        return NOTHING
    return f"{percent(run.results.last[measure].f1)} ({[*run.systems][-1]}, {measure})"


def differences(runs: Sequence[Run]) -> dict[str, Grid]:
    """Task → header and rows of the configuration keys in which its runs differ.

    Runs with the same settings share one column. Seeds are not compared, nor are keys without
    effect on a result.
    """
    grids = {task: _differing(runs, task) for task in dict.fromkeys(run.task for run in runs)}
    return {task: (header, rows) for task, (header, rows) in grids.items() if rows}


def _differing(runs: Sequence[Run], task: str) -> Grid:
    columns: dict[str, list[int]] = {}
    for number, run in enumerate(runs, 1):
        if run.task == task:
            settings = json.dumps(_compared(run), sort_keys=True)
            columns.setdefault(settings, []).append(number)
    header = [""]
    for numbers in columns.values():
        header.append(f"{runs[numbers[0] - 1].experiment} #{', '.join(map(str, numbers))}")
    configs = [json.loads(settings) for settings in columns]
    rows = []
    for key in sorted({key for config in configs for key in config}):
        values = [config.get(key, NOTHING) for config in configs]
        if len(set(values)) > 1:
            rows.append((key, *values))
    return tuple(header), rows


def _compared(run: Run) -> dict[str, str]:
    settings = effective(run.results.config)
    return {key: value for key, value in settings.items() if key != "seed"}


def _origins(table: Table, runs: Sequence[Run]) -> dict[str, list[int]]:
    """Row → the numbers of the runs behind its cells."""
    numbers = {run.path: number for number, run in enumerate(runs, 1)}
    origins: dict[str, set[int]] = {}
    for value in table.values:
        if value.runs:
            origins.setdefault(value.row, set()).update(numbers[run.path] for run in value.runs)
    return {row: sorted(found) for row, found in origins.items()}


def inline_svg(text: str, prefix: str) -> rendering.Markup:
    """An SVG file as part of a page: without prolog and metadata, and with ids of its own."""
    picture = re.sub(r"<metadata>.*?</metadata>", "", text[text.index("<svg") :], flags=re.DOTALL)
    return rendering.Markup(re.sub(r'(\bid="|href="#|url\(#)', rf"\g<1>{prefix}-", picture))
