"""Finished runs as one HTML page that needs no other file: settings, tables, figures, rollouts."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

from mmie.reporting import rendering
from mmie.reporting.effects import effective
from mmie.reporting.figures import Drawing
from mmie.reporting.formats import short_path
from mmie.reporting.numbers import NOTHING, percent
from mmie.reporting.rollouts import read_rollouts
from mmie.reporting.run_selection import varying
from mmie.reporting.runs import Run
from mmie.reporting.table import Table

RUN_HEADER = ("#", "experiment", "profile", "seed", "date", "commit", "F1", "command", "results")
STEPS_SHOWN = 6
NOT_NUMBERS = ("id", "image")  # columns of a rollout that are neither reward nor advantage

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
    return rendering.html(
        "share.html",
        title=title,
        run_header=RUN_HEADER,
        runs=run_rows(runs),
        differences=differences(runs),
        tables=tables,
        figures=[(drawing, inline_svg(drawing.svg(), drawing.name)) for drawing in figures],
        rollouts=[(run, *recorded) for run in runs if (recorded := _rollouts(run))],
    )


def run_rows(runs: Sequence[Run]) -> list[tuple[str, ...]]:
    """One row for each run, with the columns of ``RUN_HEADER``."""
    return [_run_row(number, run) for number, run in enumerate(runs, 1)]


def _run_row(number: int, run: Run) -> tuple[str, ...]:
    results = run.results
    last = results.last.get(results.main_measure)
    score = (
        f"{percent(last.f1)} ({[*run.systems][-1]}, {results.main_measure})" if last else NOTHING
    )
    name = str(number), run.experiment, run.profile, str(run.seed)
    date = results.date[:16].replace("T", " ")
    return *name, date, run.short_commit, score, results.command, short_path(run.path)


def differences(runs: Sequence[Run]) -> dict[str, Grid]:
    """Task → header and rows of the settings in which its runs differ.

    Runs with the same settings share a column. Seeds are not compared, nor are keys without effect
    on a result.
    """
    grids = {}
    for task in dict.fromkeys(run.task for run in runs):
        alike = {number: run for number, run in enumerate(runs, 1) if run.task == task}
        keys = varying([*alike.values()])
        columns: dict[tuple[str, ...], list[int]] = {}
        for number, run in alike.items():
            settings = effective(run.results.config)
            columns.setdefault(tuple(settings.get(key, NOTHING) for key in keys), []).append(number)
        names = [f"{alike[of[0]].experiment} #{', '.join(map(str, of))}" for of in columns.values()]
        rows = [(key, *cells) for key, cells in zip(keys, zip(*columns, strict=True), strict=True)]
        if rows:
            grids[task] = ("", *names), rows
    return grids


def _rollouts(run: Run) -> tuple[Any, ...]:
    """Number of recorded steps, columns, and responses of some steps from the first to the last.

    Empty where nothing was recorded.
    """
    path = run.file("rollouts.jsonl")
    rollouts = read_rollouts(path) if path else []
    if not rollouts:
        return ()
    recorded = sorted({rollout.step for rollout in rollouts})
    last = len(recorded) - 1
    steps = {recorded[round(turn * last / (STEPS_SHOWN - 1))] for turn in range(STEPS_SHOWN)}
    columns = [name for name in rollouts[0].values if name not in NOT_NUMBERS]
    rows = []
    for rollout in rollouts:
        if rollout.step in steps:
            values = [rollout.reward, *(rollout.values.get(name) for name in columns)]
            rows.append((rollout, [_number(value) for value in values]))
    return len(recorded), ["reward", *columns], rows


def _number(value: Any) -> str:
    return f"{value:.3g}" if isinstance(value, int | float) else str(value)


def inline_svg(text: str, prefix: str) -> rendering.Markup:
    """An SVG file as part of a page: without prolog and metadata, and with ids of its own."""
    picture = re.sub(r"<metadata>.*?</metadata>", "", text[text.index("<svg") :], flags=re.DOTALL)
    return rendering.Markup(re.sub(r'(\bid="|href="#|url\(#)', rf"\g<1>{prefix}-", picture))
