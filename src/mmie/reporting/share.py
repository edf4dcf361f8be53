"""Finished runs to be passed on: one HTML page and, where it is asked for, a report on wandb.

    python -m mmie.reporting.share RUN [RUN …] --out report.html [--title TITLE]
        [--wandb ENTITY/PROJECT]

The page needs no network. For ``--wandb`` the runs must have been synced there, and the extra is
needed: ``pip install -c constraints.txt -e '.[report]'``.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from mmie.files import write_text
from mmie.reporting.command import one_line_errors, parser
from mmie.reporting.figures import drawings
from mmie.reporting.runs import load_runs
from mmie.reporting.share_page import page
from mmie.reporting.share_wandb import publish
from mmie.reporting.tables import tables


def share(sources: Sequence[str], out: Path, *, title: str, wandb: str | None = None) -> None:
    """Writes the page, then publishes the report; the page is there even where wandb is not.

    Raises:
        InputError: no runs, runs of another shape, nowhere to write, or no way to wandb.
    """
    runs = load_runs(sources)
    made = tables(runs)
    write_text(out, page(title, runs, tables=made, figures=drawings(runs)))
    print(f"page: {out}")
    if wandb is not None:
        print(f"report: {publish(title, runs, made, wandb)}")


def main() -> None:
    made = parser("share", __doc__)
    made.add_argument("--wandb", metavar="ENTITY/PROJECT", help="publish a wandb report, too")
    made.add_argument("--title", default="Results")
    given = made.parse_args()
    with one_line_errors():
        share(given.runs, given.out, title=given.title, wandb=given.wandb)


if __name__ == "__main__":
    main()
