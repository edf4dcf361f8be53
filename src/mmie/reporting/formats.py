"""A table as Markdown, CSV and LaTeX, and where each of its cells comes from."""

from __future__ import annotations

import csv
from collections.abc import Iterable
from io import StringIO
from pathlib import Path

from mmie.reporting.escaping import in_code, in_latex, in_markdown
from mmie.reporting.runs import Run
from mmie.reporting.table import Table, Value

CSV_HEADER = (
    "table",
    "row",
    "column",
    "origin",
    "value",
    "low",
    "high",
    "seed",
    "experiment",
    "model",
    "command",
    "commit",
    "date",
    "path",
    "source",
)


def markdown(table: Table) -> str:
    """The caption, the table, its notes, and the list of where each cell comes from."""
    lines = [
        _markdown_row(table.header),
        "|" + "---|" + "---:|" * (len(table.header) - 1),
        *map(_markdown_row, table.rows),
    ]
    notes = [f"- {in_markdown(note)}" for note in table.notes]
    parts = [in_markdown(table.caption), "\n".join(lines), *(["\n".join(notes)] if notes else [])]
    return "\n\n".join([*parts, "Where each cell comes from:", "\n".join(_origins(table))]) + "\n"


def csv_text(table: Table) -> str:
    """One line a number: ours with seed, command, commit and file, the papers' with their source; several runs' joined by ``; ``."""
    text = StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(CSV_HEADER)
    for value in table.values:
        low, high = (f"{bound:.2f}" for bound in value.interval) if value.interval else ("", "")
        number = f"{value.value:.4f}" if value.column == "p" else f"{value.value:.2f}"
        origin = "ours" if value.runs else "paper"
        writer.writerow(
            (
                table.name,
                value.row,
                value.column,
                origin,
                number,
                low,
                high,
                *_runs_columns(value),
                value.source,
            )
        )
    return text.getvalue()


def latex(table: Table) -> str:
    """A ``table`` environment; the document needs ``booktabs``."""
    columns = "l" + "r" * (len(table.header) - 1)
    body = [_latex_row(row) for row in table.rows]
    caption = rf"\caption{{{in_latex(table.title)}. {in_latex(table.caption)}}}"
    return "\n".join(
        (
            r"\begin{table}",
            r"\centering",
            caption,
            rf"\label{{tab:{table.name}}}",
            rf"\begin{{tabular}}{{{columns}}}",
            r"\toprule",
            _latex_row(table.header),
            r"\midrule",
            *body,
            r"\bottomrule",
            r"\end{tabular}",
            rf"\par\smallskip\footnotesize {' '.join(map(in_latex, table.notes))}",
            r"\end{table}",
            "",
        )
    )


def short_path(path: Path) -> str:
    """From the working folder where the path lies in it."""
    return str(path.relative_to(Path.cwd()) if path.is_relative_to(Path.cwd()) else path)


def _origins(table: Table) -> list[str]:
    """For each row the runs of its cells; rows of the same runs (breakdowns) in one line."""
    rows: dict[tuple[Path, ...], tuple[list[str], list[Run]]] = {}
    for label in dict.fromkeys(value.row for value in table.values):
        runs = {
            run.path: run
            for value in table.values
            if value.row == label and len(value.runs) == 1
            for run in value.runs
        }
        runs = runs or {
            run.path: run for value in table.values if value.row == label for run in value.runs
        }
        if runs:
            rows.setdefault(tuple(runs), ([], [*runs.values()]))[0].append(label)
    lines = []
    for labels, of_rows in rows.values():
        lines.append(f"- {in_markdown('; '.join(labels))}")
        for run in of_rows:
            where = f"commit {in_code(run.commit[:10])}, {in_code(short_path(run.path))}"
            lines.append(f"  - seed {run.seed}: {_command(run)}, {where}")
    return lines


def _command(run: Run) -> str:
    told = "" if run.found.get("command") else " (not kept with the results; this makes such a run)"
    return f"{in_code(run.command)}{told}"


def _runs_columns(value: Value) -> Iterable[str]:
    yield _joined(run.seed for run in value.runs)
    yield _joined(run.experiment for run in value.runs)
    yield value.model
    yield _joined(run.command for run in value.runs)
    yield _joined(run.commit for run in value.runs)
    yield _joined(run.found.get("date") or "" for run in value.runs)
    yield _joined(short_path(run.path) for run in value.runs)


def _joined(entries: Iterable[object]) -> str:
    texts = [str(entry) for entry in entries]
    return "; ".join(texts) if len(set(texts)) > 1 else "".join(texts[:1])


def _markdown_row(cells: Iterable[str]) -> str:
    return "| " + " | ".join(map(in_markdown, cells)) + " |"


def _latex_row(cells: Iterable[str]) -> str:
    """Braces keep a cell that begins with a bracket from being read as an argument of the line before."""
    plain = [in_latex(cell) for cell in cells]
    return " & ".join(f"{{}}{cell}" if cell.startswith("[") else cell for cell in plain) + r" \\"
