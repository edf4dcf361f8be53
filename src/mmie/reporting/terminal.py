"""The tables of one run on the terminal, from its ``Results``."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from rich.box import SIMPLE_HEAD
from rich.console import RenderableType
from rich.table import Table as RichTable

from mmie.display import plain_text
from mmie.reporting.numbers import p_value, percent, signed, with_interval
from mmie.reporting.recorded import method_against
from mmie.reporting.runs import Run
from mmie.results import Comparison, DifficultyPart, Results, Scores, Voting


def grid(
    title: str,
    columns: Sequence[str],
    rows: Sequence[Sequence[str]],
    *,
    texts: int = 1,
    **more: Any,
) -> RichTable:
    """A table; its first ``texts`` columns stand left, the others right."""
    style = {"title_justify": "left", "box": SIMPLE_HEAD, "pad_edge": False, **more}
    table = RichTable(title=plain_text(title), **style)
    for place, column in enumerate(columns):
        justify: Any = "left" if place < texts else "right"
        table.add_column(plain_text(column), justify=justify, no_wrap=True)
    for row in rows:
        table.add_row(*map(plain_text, row))
    return table


def summary(
    results: Results, recorded: Mapping[str, Run] | None = None
) -> Iterator[RenderableType]:
    """Everything that the run has results for: the scores, what systems differ by, the votes.

    ``recorded``: systems of recorded runs that stand beside the own ones.
    """
    beside = recorded or {}
    if results.systems:
        yield score_table(results, beside)
    if results.text_only:
        yield plain_text(results.text_only, "yellow")
    for comparison in [*results.comparisons, *method_against(results, beside)]:
        yield plain_text(comparison_line(comparison))
    if results.by_difficulty:
        yield difficulty_table(results.by_difficulty)
    if results.voting:
        yield voting_table(results.voting)


def score_table(results: Results, recorded: Mapping[str, Run] | None = None) -> RichTable:
    """One row per system, by the chosen reader; below them the recorded ones."""
    run = f"{results.profile} profile, seed {results.seed}"
    title = f"Test set, {run}: % and the 95 % bootstrap interval of F1"
    beside = recorded or {}
    measures = next(results.scores(system) for system in results.systems)
    columns = ["system"]
    for measure, scores in measures.items():
        columns += ["Acc"] * (scores.accuracy is not None) + ["P", "R", f"{measure} F1"]
    rows = [_row(system, results.scores(system)) for system in results.systems]
    rows += [_row(f"{system} *", run.systems[system]) for system, run in beside.items()]
    # 80 columns hold entities at 100.0, and the title stays in one line.
    table = grid(title, columns, rows, collapse_padding=True, min_width=len(title))
    if beside:
        table.rows[len(results.systems) - 1].end_section = True
        table.caption = plain_text(_origin(beside))
        table.caption_justify = "left"
    return table


def _row(label: str, measures: Mapping[str, Scores]) -> list[str]:
    return [label, *(cell for scores in measures.values() for cell in _cells(scores))]


def _origin(recorded: Mapping[str, Run]) -> str:
    """Where the rows with an asterisk come from."""
    runs = {run.path: run for run in recorded.values()}.values()
    seeds = ", ".join(dict.fromkeys(str(run.seed) for run in runs))
    commits = ", ".join(dict.fromkeys(run.short_commit for run in runs))
    return f"* not trained by this run: recorded with seed {seeds} at commit {commits}"


def _cells(scores: Scores) -> list[str]:
    shares = [scores.accuracy] * (scores.accuracy is not None) + [scores.precision, scores.recall]
    return [*map(percent, shares), with_interval(scores.f1, scores.ci95)]


def comparison_line(comparison: Comparison) -> str:
    """What two systems differ by, in one line."""
    pair = f"{comparison.first} − {comparison.second}"
    p = p_value(comparison.p)
    p = p if p.startswith("<") else f"= {p}"
    return f"{pair}: {signed(100 * comparison.difference)} F1, p {p} (paired randomisation)"


def difficulty_table(parts: dict[str, DifficultyPart]) -> RichTable:
    """One row per part and system: F1 of each measure; for the measure accuracy that is the
    accuracy."""
    title = "Test samples that the warmed-up model gets right (easy) and wrong (hard): F1 in %"
    columns, rows = ["part", "system"], []
    for name, part in parts.items():
        for system, measures in part.systems.items():
            columns = ["part", "system", *measures]
            shares = [percent(scores.f1) for scores in measures.values()]
            rows.append([f"{name} ({part.samples:,})", system, *shares])
    return grid(title, columns, rows, texts=2)


def voting_table(voting: dict[str, Voting]) -> RichTable:
    """One row per number of responses, one column per system and way of voting."""
    title = "Votes of k responses: F1 in % and its 95 % interval"
    columns, cells = ["k"], [[str(k) for k in next(iter(voting.values())).k]]
    for system, votes in voting.items():
        for way, measures in votes.curves.items():
            main = next(iter(measures.values()))
            columns.append(f"{system}\n{way}")
            cells.append([*map(with_interval, main.f1, main.ci95)])
    return grid(title, columns, [*zip(*cells, strict=True)], texts=0, padding=0, show_edge=False)
