"""Measures what one GPU does with this engine, part by part, and writes one JSON file.

    python -m mmie.bench.gpu --json gpu.json [--minutes 9] [--parts card,step]

experiments/gpu/README.md explains the parts and their figures. A part that fails or runs out of
time leaves its error in the file, and the others still run. ``--parts none`` only lists them.
``--tiny`` tries everything on the CPU with a tiny model, whose figures mean nothing.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from collections.abc import Sequence
from datetime import UTC, datetime
from importlib import import_module
from pathlib import Path
from typing import Any

from rich.console import Console

from mmie.artifacts import commit
from mmie.bench.gpu.notes import Notes
from mmie.bench.gpu.process import Part, Running
from mmie.bench.gpu.table import table
from mmie.display import terminal
from mmie.errors import InputError
from mmie.reporting.command import names, one_line_errors

# The most valuable first: the later ones get what is left of the time.
PARTS = (
    Part("card", 60),
    Part("simulated", 200, beside=True),
    Part("step", 180),
    Part("decode", 100),
    Part("paper", 200),
    Part("peer", 150),
    Part("zero2", 90),
)
LEAST_SECONDS = 15  # less than that is no use to a part


def main(arguments: Sequence[str]) -> None:
    """``python -m mmie.bench.gpu``."""
    options = _parser().parse_args(arguments)
    if options.part:
        part(options.part, options.json, tiny=options.tiny)
        return
    console, chosen = terminal(), choose(options.parts)
    for each in PARTS:
        console.print(
            f"{each.name:10} at most {each.seconds} s{'' if each in chosen else ', not run'}"
        )
    if not chosen:
        return
    facts = {"date": datetime.now(UTC).isoformat(timespec="seconds"), "tiny": options.tiny}
    notes = Notes(options.json)
    notes.add(**facts, commit=options.commit or commit(), minutes=options.minutes, parts={})
    measure(chosen, notes, console)
    console.print(table(notes.values["parts"]))
    console.print(f"figures: {options.json}")


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m mmie.bench.gpu",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--json", type=Path, default=Path("gpu.json"), help="file for the figures")
    parser.add_argument("--minutes", type=float, default=9.0, help="limit of all parts together")
    parser.add_argument("--parts", help="names with commas between them, or none; default: all")
    parser.add_argument("--tiny", action="store_true", help="a tiny model, also without a GPU")
    parser.add_argument("--commit", help="of this code, where there is no git repository")
    parser.add_argument("--part", help=argparse.SUPPRESS)  # this process is that part
    return parser


def choose(listed: str | None) -> list[Part]:
    """The parts of these names.

    Raises:
        InputError: there is no such part.
    """
    known = {part.name: part for part in PARTS}
    wanted = [*known] if listed is None else [name for name in names(listed) if name != "none"]
    for name in wanted:
        if name not in known:
            raise InputError(f"--parts: there is no part {name}; choose from {', '.join(known)}")
    return [part for part in PARTS if part.name in wanted]


def part(name: str, file: Path, *, tiny: bool) -> None:
    """Runs one part in this process."""
    from mmie.bench.gpu.size import REAL, TINY  # with the libraries that read conf/

    start, notes = time.monotonic(), Notes(file)
    import_module(f"mmie.bench.gpu.{name}").run(TINY if tiny else REAL, notes)
    notes.add(part_seconds=round(time.monotonic() - start, 1))


def measure(parts: Sequence[Part], notes: Notes, console: Console) -> None:
    """Runs the parts one after the other, and beside them those that need no GPU.

    Args:
        parts: which.
        notes: has the limit in ``minutes``; gets the figures of each part as soon as it ends.
        console: for the progress.
    """
    deadline = time.monotonic() + 60 * notes.values["minutes"]
    figures, tiny = notes.values["parts"], notes.values["tiny"]
    with tempfile.TemporaryDirectory() as folder:
        beside = [Running(part, Path(folder), tiny=tiny) for part in parts if part.beside]
        try:
            for part in parts:
                if not part.beside:
                    figures[part.name] = _run(part, Path(folder), deadline, tiny=tiny)
                    _tell(part, figures, notes, console)
            for running in beside:
                figures[running.part.name] = running.finish(deadline)
                _tell(running.part, figures, notes, console)
        finally:
            for running in beside:
                running.stop()


def _run(part: Part, folder: Path, deadline: float, *, tiny: bool) -> dict[str, Any]:
    if deadline - time.monotonic() < LEAST_SECONDS:
        return {"part_seconds": 0.0, "error": "no time was left"}
    return Running(part, folder, tiny=tiny).finish(deadline)


def _tell(part: Part, figures: dict[str, Any], notes: Notes, console: Console) -> None:
    notes.add(parts=figures)
    result = figures[part.name]
    console.print(f"{part.name}: {result['error'] or 'done'}, {result['part_seconds']} s")


if __name__ == "__main__":
    with one_line_errors():
        main(sys.argv[1:])
