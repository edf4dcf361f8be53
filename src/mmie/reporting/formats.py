"""A table as Markdown, CSV and LaTeX, and where each of its cells comes from."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

import pandas as pd

from mmie.reporting.escaping import in_code, in_latex, in_markdown
from mmie.reporting.table import Table, Value

LATEX = r"""\begin{{table}}
\centering
\caption{{{caption}}}
\label{{tab:{name}}}
\begin{{tabular}}{{l{columns}}}
\toprule
{header}
\midrule
{rows}
\bottomrule
\end{{tabular}}
\par\smallskip\footnotesize {notes}
\end{{table}}
"""
ORIGINS = "Where the numbers come from:"
FIGURES = {"p": ".4f", "count": "g"}  # kind → format; all others are in %


def markdown(table: Table) -> str:
    """The caption, the table, its notes, and the runs behind it; the CSV has them by number."""
    notes = "\n".join(f"- {in_markdown(note)}" for note in table.notes)
    grid = markdown_grid(table.header, table.rows)
    origins = "\n".join(_origins(table))
    parts = [in_markdown(table.caption), grid, notes, ORIGINS, origins]
    return "\n\n".join(part for part in parts if part) + "\n"


def markdown_grid(header: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """The bare table; its first column stands left, the others right."""
    lines = [[in_markdown(cell) for cell in row] for row in (header, *rows)]
    lines.insert(1, ["---", *["---:"] * (len(header) - 1)])
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def csv_text(table: Table) -> str:
    """One line per number: ours with seed, command, commit and file, a paper's with its source.

    Scores and differences are in %. What several runs have in common stands once, other entries
    are joined by ``; ``.
    """
    records = [{"table": table.name, **_record(value)} for value in table.values]
    return pd.DataFrame(records).to_csv(index=False, lineterminator="\n")


def latex(table: Table) -> str:
    """A ``table`` environment; the document needs ``booktabs``."""
    return LATEX.format(
        caption=f"{in_latex(table.title)}. {in_latex(table.caption)}",
        name=table.name,
        columns="r" * len(table.columns),
        header=_latex_row(table.header),
        rows="\n".join(map(_latex_row, table.rows)),
        notes=" ".join(map(in_latex, table.notes)),
    )


def _latex_row(cells: Iterable[str]) -> str:
    """Braces keep a cell that begins with a bracket from being an argument of the line before."""
    texts = [in_latex(cell) for cell in cells]
    return " & ".join(f"{{}}{text}" if text.startswith("[") else text for text in texts) + r" \\"


def short_path(path: Path) -> str:
    """From the working folder where the path lies in it."""
    return str(path.relative_to(Path.cwd()) if path.is_relative_to(Path.cwd()) else path)


def _origins(table: Table) -> Iterator[str]:
    """One line for each run that a number of the table comes from."""
    for run in {run.path: run for value in table.values for run in value.runs}.values():
        where = f"commit {in_code(run.short_commit)}, {in_code(short_path(run.path))}"
        name = in_markdown(f"{run.experiment}, seed {run.seed}")
        yield f"- {name}: {in_code(run.results.command)}, {where}"


def _record(value: Value) -> dict[str, Any]:
    low, high = (f"{100 * bound:.2f}" for bound in value.interval) if value.interval else ("", "")
    figure = FIGURES.get(value.kind)
    return {
        "row": value.row,
        "column": value.column,
        "origin": "ours" if value.runs else "paper",
        "value": format(value.value, figure) if figure else f"{100 * value.value:.2f}",
        "low": low,
        "high": high,
        "seed": _joined(run.seed for run in value.runs),
        "experiment": _joined(run.experiment for run in value.runs),
        "system": value.system,
        "command": _joined(run.results.command for run in value.runs),
        "commit": _joined(run.commit for run in value.runs),
        "date": _joined(run.results.date for run in value.runs),
        "path": _joined(short_path(run.path) for run in value.runs),
        "source": value.source,
    }


def _joined(entries: Iterable[object]) -> str:
    return "; ".join(dict.fromkeys(map(str, entries)))
