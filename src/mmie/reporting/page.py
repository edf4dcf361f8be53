"""The report of runs: a page in Markdown with all tables and figures, and each as a file."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from mmie.files import write_text
from mmie.reporting import rendering
from mmie.reporting.figures import drawings
from mmie.reporting.formats import csv_text, latex, markdown
from mmie.reporting.runs import Run
from mmie.reporting.tables import tables


def write_page(runs: Sequence[Run], folder: Path) -> Path:
    """Writes the report and returns its page, ``README.md``.

    Each table is also written as ``<name>.csv`` and ``<name>.tex``, each figure to ``figures``.

    Args:
        runs: to report on.
        folder: of the report.

    Raises:
        InputError: a run lacks what a figure needs, or the folder cannot be written.
    """
    all_tables, all_figures = tables(runs), drawings(runs)
    for table in all_tables:
        write_text(folder / f"{table.name}.csv", csv_text(table))
        write_text(folder / f"{table.name}.tex", latex(table))
    for figure in all_figures:
        figure.save(folder / "figures")
    bodies = [(table, rendering.Markup(markdown(table))) for table in all_tables]
    page = folder / "README.md"
    text = rendering.markdown("report.md", runs=runs, tables=bodies, figures=all_figures)
    write_text(page, text)
    return page
