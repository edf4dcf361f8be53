"""What the commands of this package share."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from mmie.errors import InputError


def parser(module: str, description: str | None, *, runs: bool = True) -> argparse.ArgumentParser:
    """The parser of ``python -m mmie.reporting.<module>``, with runs and ``--out`` if wanted."""
    made = argparse.ArgumentParser(
        prog=f"python -m mmie.reporting.{module}",
        description=description,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    if runs:
        help_runs = "a results.json, or a folder that is searched through for them"
        made.add_argument("runs", nargs="+", metavar="RUN", help=help_runs)
        made.add_argument("--out", type=Path, required=True, help="the page to write")
    return made


def names(text: str) -> list[str]:
    """The names in a list with commas between them."""
    return [name.strip() for name in text.split(",") if name.strip()]


@contextmanager
def one_line_errors() -> Iterator[None]:
    """Bad input ends the command with one line and status 2."""
    try:
        yield
    except InputError as error:
        print(f"error: {error}", file=sys.stderr)
        sys.exit(2)
