"""Times one GRPO step: this engine, the same code with G repeated rows, and TRL if installed.

TRL comes with ``pip install -c constraints.txt -e '.[bench]'``.

    python -m mmie.bench [--group-size 8] [--json FILE] [--sweep FOLDER]

Every engine runs in a process of its own on a random Qwen2.5-VL of 6 M parameters; no data is
needed. ``--sweep`` repeats the comparison over G and over the prompt length and draws the cost.

``python -m mmie.bench memory`` simulates memory at the paper's scale, and ``python -m
mmie.bench.gpu`` measures a whole GPU in minutes; ``--help`` explains each of them.
"""

from __future__ import annotations

import argparse
import importlib.util
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

from rich.console import Console

from mmie.artifacts import commit, versions
from mmie.bench.compare import ENGINES, compare, shipped_work, table
from mmie.bench.work import Work, write_checkpoint
from mmie.display import terminal
from mmie.files import write_json
from mmie.reporting.command import one_line_errors

GROUP_SIZES = (1, 2, 4, 8, 16)
PROMPT_TOKENS = (256, 560, 1024)


def main() -> None:
    if sys.argv[1:2] == ["memory"]:
        from mmie.bench import memory_command

        with one_line_errors():
            memory_command.main(sys.argv[2:])
        return
    parser = _parser()
    options = vars(parser.parse_args())
    engines = options.pop("engines").split(",")
    unknown = sorted({*engines} - {*ENGINES})
    if unknown or "shared" not in engines:
        parser.error(f"--engines: shared and any of {', '.join(ENGINES[1:])}, with commas")
    json_file, sweep_folder = options.pop("json"), options.pop("sweep")
    console = terminal()
    if "trl" not in engines or importlib.util.find_spec("trl") is None:
        engines = [engine for engine in engines if engine != "trl"]
        console.print(
            "TRL is left out or not installed: pip install -c constraints.txt -e '.[bench]'"
        )
    with tempfile.TemporaryDirectory() as checkpoint:
        if options["model"] is None:
            write_checkpoint(Path(checkpoint))
            options["model"] = checkpoint
        work = Work(**options)
        if sweep_folder is not None:
            sweep(work, engines, sweep_folder, console)
            return
        with console.status("measuring"):
            compared = {**compare(work, engines), "commit": commit(), "versions": versions()}
    console.print(table(compared))
    for name, value in compared.items():
        if isinstance(value, float):
            console.print(f"{name}: {value:.4g}")
    if json_file is not None:
        write_json(json_file, compared)


def _parser() -> argparse.ArgumentParser:
    """One option per field of ``Work``, and what to run and where to write."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    defaults = asdict(shipped_work(model=""))
    del defaults["model"]
    for name, default in defaults.items():
        parser.add_argument(f"--{name.replace('_', '-')}", type=type(default), default=default)
    parser.add_argument("--model", help="a Qwen2.5-VL checkpoint folder; default: a random one")
    parser.add_argument(
        "--engines", default="shared,repeated,trl", help=f"which of {', '.join(ENGINES)}"
    )
    parser.add_argument("--json", type=Path, help="file for the figures")
    parser.add_argument("--sweep", type=Path, help="folder for the figures and plots of a sweep")
    return parser


def sweep(work: Work, engines: Sequence[str], folder: Path, console: Console) -> None:
    """Compares over G and over the prompt length; writes the figures and their plot."""
    from mmie.bench.plots import plot

    points: list[dict[str, Any]] = []
    for point in sweep_points(work):
        # TRL refuses G = 1.
        able = [engine for engine in engines if engine != "trl" or point.group_size > 1]
        points.append(compare(point, able))
        write_json(folder / "bench_sweep.json", points)
        console.print(table(points[-1]))
    plot(points, folder)


def sweep_points(work: Work) -> list[Work]:
    """Every G at the given prompt length, then every other prompt length at the given G."""
    over_group_size = [replace(work, group_size=size) for size in GROUP_SIZES]
    other_lengths = [length for length in PROMPT_TOKENS if length != work.prompt_tokens]
    return over_group_size + [replace(work, prompt_tokens=length) for length in other_lengths]


if __name__ == "__main__":
    main()
