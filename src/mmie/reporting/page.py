"""The page of a report: all tables and figures of the runs, in Markdown for reading; CSV, LaTeX, SVG and PNG beside it."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from rich.box import SIMPLE_HEAD
from rich.console import Console, JustifyMethod
from rich.table import Table as RichTable
from rich.text import Text

from mmie.display import plain_text
from mmie.files import write_text
from mmie.reporting.escaping import in_markdown
from mmie.reporting.figures import Drawing, drawings
from mmie.reporting.formats import csv_text, latex, markdown
from mmie.reporting.runs import Run
from mmie.reporting.table import Table
from mmie.reporting.tables import tables


def write_page(runs: Sequence[Run], folder: Path, *, console: Console | None = None) -> Path:
    """Writes ``README.md``, a table each ``<name>.csv`` and ``<name>.tex``, and ``figures``; with a console prints the tables there.

    Raises:
        InputError: results have another shape than a run leaves, or the folder cannot be written.
    """
    made, drawn = tables(runs), drawings(runs)
    for table in made:
        write_text(folder / f"{table.name}.csv", csv_text(table))
        write_text(folder / f"{table.name}.tex", latex(table))
        if console is not None:
            console.print(on_terminal(table))
    for drawing in drawn:
        drawing.save(folder / "figures")
    page = folder / "README.md"
    write_text(
        page,
        "\n".join(
            ["# Results\n", f"Runs: {len(runs)}.\n", *map(_section, made), *map(_shown, drawn)]
        ),
    )
    return page


def on_terminal(table: Table) -> RichTable:
    """The columns that a terminal has room for."""
    title = Text("\n").join([plain_text(table.title, "bold"), plain_text(table.caption)])
    shown = RichTable(title=title, title_justify="left", box=SIMPLE_HEAD, pad_edge=False)
    columns = table.brief or range(len(table.header))
    for index in columns:
        side: JustifyMethod = "right" if index else "left"
        shown.add_column(plain_text(table.header[index]), justify=side, no_wrap=index > 0)
    for row in table.rows:
        shown.add_row(*(plain_text(row[index]) for index in columns))
    return shown


def _section(table: Table) -> str:
    files = f"[CSV]({table.name}.csv), [LaTeX]({table.name}.tex)"
    return f"## {in_markdown(table.title)}\n\n{markdown(table)}\n{files}\n"


def _shown(drawing: Drawing) -> str:
    path = f"figures/{drawing.name}"
    title = in_markdown(drawing.title)
    caption, files = in_markdown(drawing.caption), f"[SVG]({path}.svg), [PNG]({path}.png)"
    return f"## {title}\n\n![{title}]({path}.svg)\n\n{caption}\n\n{files}\n"
