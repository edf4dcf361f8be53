"""Finished runs as one HTML page that needs nothing but itself: runs, what differs between them, tables, figures, rollouts."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Sequence
from itertools import chain, groupby
from pathlib import Path
from typing import Any

from mmie.data.source import read
from mmie.errors import InputError
from mmie.files import parse_json
from mmie.reporting.formats import short_path
from mmie.reporting.runs import Run
from mmie.reporting.share_html import STYLE, Markup, grid, inline_svg, joined, tag
from mmie.reporting.table import NOTHING, Table
from mmie.results import ShapeError, rollout

TOLD = (
    "seed",
    "experiment",
    "profile",
    "paper",
    "artifacts",
)  # elsewhere on the page, or of no consequence
RUN_HEADER = ("#", "experiment", "profile", "seed", "date", "commit", "F1", "command", "results")
STEPS_SHOWN = 6
FIRST = ("text", "response", "reward")
NOT_SHOWN = ("step", "id", "image", "advantage", *FIRST)  # or in a place of their own


def page(
    title: str, runs: Sequence[Run], *, tables: Sequence[Table], figures: Sequence[Path]
) -> str:
    """The whole page.

    Args:
        title: of the page.
        runs: as they are numbered on it, from 1.
        tables: of these runs.
        figures: SVG files.

    Raises:
        InputError: a run's rollouts are no rollouts.
    """
    sections = [
        section
        for section in (
            ("Runs", _runs(runs)),
            ("What differs", _differences(runs)),
            ("Tables", joined(_table(table, runs) for table in tables)),
            ("Figures", joined(_figure(path, number) for number, path in enumerate(figures))),
            ("Rollouts", joined(_rollouts(number, run) for number, run in enumerate(runs, 1))),
        )
        if section[1]
    ]
    links = tag("nav", *(tag("a", name, href=f"#{_anchor(name)}") for name, _ in sections))
    body = [
        part for name, content in sections for part in (tag("h2", name, id=_anchor(name)), content)
    ]
    head = tag(
        "head",
        Markup(
            '<meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">'
        ),
        tag("title", title),
        tag("style", Markup(STYLE)),
    )
    count = f"{len(runs)} run{'s' * (len(runs) != 1)}"
    return f"<!doctype html>\n{tag('html', head, tag('body', tag('h1', title), tag('p', count, class_='soft'), links, *body), lang='en')}\n"


def _anchor(name: str) -> str:
    return name.lower().replace(" ", "-")


def run_rows(runs: Sequence[Run]) -> list[tuple[str, ...]]:
    """One row a run, as in ``RUN_HEADER``."""
    return [
        (
            str(number),
            run.experiment,
            run.profile,
            str(run.seed),
            str(run.found.get("date") or NOTHING)[:16].replace("T", " "),
            str(run.commit)[:10],
            _score(run),
            run.command
            if run.found.get("command")
            else f"{run.command} (not kept; this makes such a run)",
            short_path(run.path),
        )
        for number, run in enumerate(runs, 1)
    ]


def _score(run: Run) -> str:
    """F1 of the last model on the task's first measure; the tables show one of several runs of the same experiment and seed."""
    for model, measures in reversed(run.models.items()):
        for measure, scores in measures.items():
            if scores.get("f1") is not None:
                return f"{100 * scores['f1']:.1f} ({model}, {measure})"
    return NOTHING


def _runs(runs: Sequence[Run]) -> Markup:
    rows = [
        (tag("span", number, id=f"run-{number}"), *told, tag("code", command), tag("code", place))
        for number, *told, command, place in run_rows(runs)
    ]
    return grid(RUN_HEADER, rows, texts=(0, 1, 2, 7, 8))


Grid = tuple[tuple[str, ...], list[tuple[str, ...]]]


def differences(runs: Sequence[Run]) -> dict[str, Grid]:
    """Task → header and rows of the configuration keys that differ, one column for runs that differ in their seeds alone."""
    made = {task: _differing(runs, task) for task in dict.fromkeys(run.task for run in runs)}
    return {task: (header, rows) for task, (header, rows) in made.items() if rows}


def _differing(runs: Sequence[Run], task: str) -> Grid:
    columns: dict[str, list[int]] = {}
    for number, run in enumerate(runs, 1):
        if run.config and run.task == task:
            columns.setdefault(json.dumps(_flat(run.config), sort_keys=True), []).append(number)
    configs = [json.loads(text) for text in columns]
    keys = sorted({key for config in configs for key in config})
    rows = [(key, *(config.get(key, NOTHING) for config in configs)) for key in keys]
    header = (
        "",
        *(
            f"{runs[numbers[0] - 1].experiment} #{', '.join(map(str, numbers))}"
            for numbers in columns.values()
        ),
    )
    return header, [row for row in rows if len({*row[1:]}) > 1]


def _flat(config: Any, path: str = "") -> dict[str, str]:
    """Dotted key → value, as JSON where it is no string."""
    if not isinstance(config, dict) or not config:
        return {path: config if isinstance(config, str) else json.dumps(config, ensure_ascii=False)}
    return {
        key: value
        for name, part in config.items()
        if path or name not in TOLD
        for key, value in _flat(part, f"{path}.{name}".lstrip(".")).items()
    }


def _differences(runs: Sequence[Run]) -> Markup:
    grids = differences(runs)
    without = [str(number) for number, run in enumerate(runs, 1) if not run.config]
    told = (
        tag("p", f"Without their configuration: run {', '.join(without)}.", class_="soft")
        if without
        else Markup()
    )
    parts = (
        (tag("h3", task.upper()), grid(header, rows, texts=range(len(header))))
        for task, (header, rows) in grids.items()
    )
    return joined([*chain.from_iterable(parts), told])


def _table(table: Table, runs: Sequence[Run]) -> Markup:
    numbers = {run.path: number for number, run in enumerate(runs, 1)}
    of_row: dict[str, set[int]] = {}
    for value in table.values:
        of_row.setdefault(value.row, set()).update(numbers[run.path] for run in value.runs)
    origins = [tag("li", row, ": run ", *_links(found)) for row, found in of_row.items() if found]
    notes = tag("ul", *(tag("li", note) for note in table.notes)) if table.notes else Markup()
    where = (
        tag("details", tag("summary", "Where each row comes from"), tag("ul", *origins))
        if origins
        else Markup()
    )
    return joined(
        [
            tag("h3", table.title),
            tag("p", table.caption),
            grid(table.header, table.rows),
            notes,
            where,
        ]
    )


def _links(numbers: Iterable[int]) -> list[Markup]:
    return [
        joined([", " if index else "", tag("a", number, href=f"#run-{number}")])
        for index, number in enumerate(sorted(numbers))
    ]


def _figure(path: Path, number: int) -> Markup:
    drawing = inline_svg(path.read_text(encoding="utf-8"), prefix=f"figure{number}")
    return tag("figure", tag("figcaption", path.stem), drawing)


def rollouts(run: Run) -> list[dict[str, Any]]:
    """The rows of ``rollouts.jsonl`` beside the results; none where it is not there.

    Raises:
        InputError: a line is no rollout.
    """
    path = run.file("rollouts.jsonl")
    lines = read(path).split(b"\n") if path else []
    return [_rollout(line, f"{path}:{number}") for number, line in enumerate(lines, 1) if line]


def _rollout(line: bytes, where: str) -> dict[str, Any]:
    try:
        row = parse_json(line)
        rollout(row, "")
    except ShapeError as error:
        raise InputError(f"{where}: no rollout, {error}; copy the file anew") from error
    except ValueError as error:
        raise InputError(f"{where}: no JSON ({error}); copy the file anew") from error
    return row


def _rollouts(number: int, run: Run) -> Markup:
    """Some of the recorded steps, from the first to the last."""
    rows = rollouts(run)
    if not rows:
        return Markup()
    recorded = sorted({row["step"] for row in rows})
    shown = {
        recorded[round(turn * (len(recorded) - 1) / (STEPS_SHOWN - 1))]
        for turn in range(STEPS_SHOWN)
    }
    parts = [key for key in rows[0] if key not in NOT_SHOWN]
    header = tag(
        "tr",
        *(
            tag("th", name, class_="text" if name in FIRST[:2] else "")
            for name in ("step", *FIRST, *parts, "advantage")
        ),
    )
    groups = groupby(
        (row for row in rows if row["step"] in shown), key=lambda row: (row["step"], row["text"])
    )
    table = tag(
        "table",
        tag("thead", header),
        tag("tbody", *(line for _, group in groups for line in _group(group, parts))),
    )
    told = f"Run {number}, {run.experiment}, seed {run.seed}: {len(shown)} of {len(recorded)} recorded steps"
    return tag("details", tag("summary", told), tag("div", table, class_="wide"))


def _group(rows: Iterable[dict[str, Any]], parts: Sequence[str]) -> Iterator[Markup]:
    """Responses to one prompt; its text stands with the first."""
    for index, row in enumerate(rows):
        prose = (
            tag("td", "" if index else row["text"], class_="prose"),
            tag("td", row["response"], class_="prose"),
        )
        numbers = (tag("td", _number(row.get(name))) for name in ("reward", *parts, "advantage"))
        yield tag("tr", tag("td", row["step"]), *prose, *numbers, class_="" if index else "first")


def _number(value: Any) -> str:
    return (
        f"{value:.3g}"
        if isinstance(value, (int, float))
        else NOTHING
        if value is None
        else str(value)
    )
