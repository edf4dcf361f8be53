"""Simulates the memory that configurations need on each GPU, without weights and without a GPU.

    python -m mmie.bench memory --prompt 1024 --response 2048 [--json FILE] [overrides]

The passes of the real program run on fake tensors, which have shapes and no values, and every
storage that an operator makes is counted for as long as it lives. The overrides are those of
``run.py`` (``profile=paper memory=lean grpo.group_size=16``). Nothing is downloaded.

Several values with commas between them (``--response 256,2048 memory=lean,fast``) make one row for
each combination, in a table in Markdown.

``--measure`` runs the same passes on real tensors instead and reports how much the process grows.
It needs a checkpoint folder with a ``config.json`` that fits this machine, and Linux.

The figures leave out what the CUDA context, NCCL and cuBLAS take for themselves (1 to 2 GiB), and
what the allocator cannot use because its free memory is in pieces.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from itertools import product
from pathlib import Path
from typing import Any

from rich.table import Table

from mmie.bench.memory import simulate
from mmie.config import shipped
from mmie.display import terminal
from mmie.errors import InputError
from mmie.files import write_json
from mmie.reporting.formats import markdown_grid
from mmie.stages.quiet import quiet_libraries

Row = tuple[int, int, tuple[str, ...]]  # tokens of prompts and of responses, and the overrides
LIST_OR_TEXT = "[{(\"'"  # a value with one of these is taken as a whole


def main(arguments: Sequence[str]) -> None:
    """``python -m mmie.bench memory``.

    Raises:
        InputError: an override is wrong, or a number of tokens is none.
    """
    given = _parser().parse_args(arguments)
    prompts, responses = lengths("--prompt", given.prompt), lengths("--response", given.response)
    varied = list(product(*map(choices, given.overrides)))
    rows: list[Row] = list(product(prompts, responses, varied))
    configs = [shipped(*overrides) for _, _, overrides in rows]
    quiet_libraries()
    console = terminal()
    simulated: list[dict[str, Any]] = []
    with console.status("simulating") as status:
        for (prompt, response, _), config in zip(rows, configs, strict=True):
            status.update(f"simulating {len(simulated) + 1} of {len(rows)}")
            figures = simulate(config, prompt=prompt, response=response, measure=given.measure)
            simulated.append(figures)
    if len(rows) == 1:
        console.print(_one(figures, prompt=prompts[0], response=responses[0]))
    else:
        print(_all(rows, simulated))
    if given.json is not None:
        write_json(given.json, figures if len(rows) == 1 else _labelled(rows, simulated))


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m mmie.bench memory",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--prompt", default="1024", help="tokens, picture included")
    parser.add_argument("--response", default="2048", help="tokens")
    parser.add_argument("--measure", action="store_true", help="run the passes on real tensors")
    parser.add_argument("--json", type=Path, help="file for the figures")
    parser.add_argument("overrides", nargs="*", help="as for run.py: profile=paper memory=lean")
    return parser


def lengths(option: str, text: str) -> list[int]:
    """The numbers of tokens in a list with commas between them.

    Raises:
        InputError: one of them is no whole number above 0.
    """
    for part in text.split(","):
        if not part.strip().isdecimal() or int(part) == 0:
            raise InputError(f"{option} {text}: {part!r} is no number of tokens; give 1 or more")
    return [int(part) for part in text.split(",")]


def choices(override: str) -> list[str]:
    """The overrides that one with several values stands for, as in a sweep of ``run.py``."""
    key, equals, value = override.partition("=")
    if any(mark in value for mark in LIST_OR_TEXT):
        return [override]
    return [f"{key}{equals}{one}" for one in value.split(",")]


def _one(figures: dict[str, Any], *, prompt: int, response: int) -> Table:
    title = f"prompt {prompt:,}, response {response:,} tokens"
    table = Table("GiB per GPU", title=title, min_width=len(title))
    table.add_column("", justify="right")
    for name, value in figures.items():
        table.add_row(name.removesuffix("_gib"), f"{value:.1f}")
    return table


def _labelled(rows: Sequence[Row], simulated: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """The figures of each row, with what sets it apart from the others."""
    labelled = []
    for (prompt, response, overrides), figures in zip(rows, simulated, strict=True):
        values = dict(override.partition("=")[::2] for override in overrides)
        labelled.append({"prompt": prompt, "response": response, **values, **figures})
    return labelled


def _all(rows: Sequence[Row], simulated: Sequence[dict[str, Any]]) -> str:
    """One line in Markdown for each row: what varies, then GiB per GPU."""
    labelled = _labelled(rows, simulated)
    names = list(dict.fromkeys(name for row in labelled for name in row))
    varied = [name for name in names if len({str(row.get(name)) for row in labelled}) > 1]
    shown = [name for name in names if name in varied or name.endswith("_gib")]
    lines = [[_cell(row.get(name)) for name in shown] for row in labelled]
    return markdown_grid([name.removesuffix("_gib") for name in shown], lines)


def _cell(value: Any) -> str:
    if isinstance(value, int):
        return f"{value:,}"
    return f"{value:.1f}" if isinstance(value, float) else str(value or "")
