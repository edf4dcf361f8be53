"""A page to look through the predictions of runs over one test set.

    python -m mmie.reporting.casebook RUN [RUN …] --out casebook.html \\
        [--models warm-up,JMERE-R1] [--limit N]

Each sample shows its picture, text and gold, and what each system reasoned and answered. The page
needs neither a server nor the network.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from mmie.files import write_text
from mmie.reporting.casebook.answers import read_models
from mmie.reporting.casebook.cases import merged
from mmie.reporting.casebook.page import book, page
from mmie.reporting.casebook.thumbnails import PLACES, beside, embedded, place, thumbnails
from mmie.reporting.command import one_line_errors
from mmie.reporting.runs import load_runs


def write_casebook(
    sources: list[str], out: Path, *, models: list[str], limit: int | None, pictures: str | None
) -> None:
    """Writes the page and prints how much is on it.

    Args:
        sources: results files, or folders to search through.
        out: the page.
        models: names of the systems to show; empty for all.
        limit: number of samples to show, the first ones; None for all.
        pictures: one of ``PLACES``; None decides by their size.

    Raises:
        InputError: the runs or their predictions do not go together, or cannot be read.
    """
    systems = read_models(load_runs(sources), models)
    cases = merged(systems, limit)
    small = thumbnails(picture for case in cases for picture in case.pictures)
    missing = sum(thumbnail is None for thumbnail in small.values())
    if missing:
        print(
            f"warning: {missing} of {len(small)} pictures are missing or unreadable;"
            " the page has placeholders for them",
            file=sys.stderr,
        )
    inside = (pictures or place(small.values())) == "embed"
    known = book(systems, cases, embedded(small) if inside else beside(out, small))
    write_text(out, page(known))
    size = out.stat().st_size / 2**20
    print(f"{out}: {len(cases)} samples, {len(systems)} systems, {size:.1f} MB")


def _count(text: str) -> int:
    if int(text) < 1:
        raise ValueError
    return int(text)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m mmie.reporting.casebook",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument(
        "runs",
        nargs="+",
        metavar="RUN",
        help="a results.json, or a folder that is searched through for them",
    )
    parser.add_argument("--out", type=Path, required=True, help="the page to write")
    parser.add_argument("--models", default="", help="systems, separated by commas; default: all")
    parser.add_argument("--limit", type=_count, help="number of samples to show; default: all")
    parser.add_argument(
        "--pictures",
        choices=PLACES,
        help="inside the page, or in a folder beside it; default: inside up to 15 MB",
    )
    return parser


def main() -> None:
    arguments = _parser().parse_args()
    names = [name.strip() for name in arguments.models.split(",") if name.strip()]
    with one_line_errors():
        write_casebook(
            arguments.runs,
            arguments.out,
            models=names,
            limit=arguments.limit,
            pictures=arguments.pictures,
        )


if __name__ == "__main__":
    main()
