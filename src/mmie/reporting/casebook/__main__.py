"""Puts the predictions of runs over one test set on a page to look through: picture, text, gold, what each model reasoned and answered.

    python -m mmie.reporting.casebook RUN [RUN …] --out casebook.html [--models warm-up,JMERE-R1] [--limit N]

The page needs neither a server nor the network.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from mmie.errors import InputError
from mmie.files import write_text
from mmie.reporting.casebook.answers import read_models
from mmie.reporting.casebook.cases import merged
from mmie.reporting.casebook.page import book, page
from mmie.reporting.casebook.thumbnails import PLACES, beside, embedded, place, thumbnails
from mmie.reporting.runs import load_runs


def write_casebook(
    sources: list[str], out: Path, *, models: list[str], limit: int | None, pictures: str | None
) -> None:
    """Writes the page and says how much is on it.

    Args:
        sources: results files, or folders to search through.
        out: the page.
        models: names of the models to show; all where there is none.
        limit: samples to show, the first ones.
        pictures: one of ``PLACES``; None decides by their size.
    """
    shown_models = read_models(load_runs(sources), models)
    cases = merged(shown_models, limit)
    found = thumbnails(picture for case in cases for picture in case.pictures)
    missing = sum(small is None for small in found.values())
    if missing:
        print(
            f"warning: {missing} of {len(found)} pictures are missing or unreadable; placeholders stand in",
            file=sys.stderr,
        )
    inside = (pictures or place(found.values())) == "embed"
    shown = embedded(found) if inside else beside(out, found)
    write_text(out, page(book(shown_models, cases, shown)))
    print(
        f"{out}: {len(cases)} samples, {len(shown_models)} models, {out.stat().st_size / 2**20:.1f} MB"
    )


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
    parser.add_argument(
        "--models", default="", help="names with commas between them; all models without"
    )
    parser.add_argument("--limit", type=_count, help="samples to show, the first ones; all without")
    parser.add_argument(
        "--pictures",
        choices=PLACES,
        help="inside the page, or in a folder beside it; by size without: 15 MB go inside",
    )
    return parser


def main() -> None:
    arguments = _parser().parse_args()
    names = [name.strip() for name in arguments.models.split(",") if name.strip()]
    try:
        write_casebook(
            arguments.runs,
            arguments.out,
            models=names,
            limit=arguments.limit,
            pictures=arguments.pictures,
        )
    except InputError as error:
        print(f"error: {error}", file=sys.stderr)
        sys.exit(2)


if __name__ == "__main__":
    main()
