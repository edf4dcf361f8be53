"""Times one GRPO step: this engine, the same code with G repeated rows, and TRL if installed.

TRL comes with ``pip install -c constraints.txt -e '.[bench]'``.

    python -m mmie.bench [--group-size 8] [--json FILE] [--sweep FOLDER]

Every engine runs in a process of its own on a random 6 M-parameter Qwen2.5-VL; no data is needed.
``--sweep`` repeats it over G and over the prompt length and draws the cost.
"""

from __future__ import annotations

import argparse
import importlib.util
import json
import subprocess
import sys
import tempfile
from dataclasses import asdict, fields, replace
from functools import cache
from pathlib import Path
from statistics import median
from typing import Any

from rich.console import Console
from rich.table import Table

from mmie.artifacts import commit, versions
from mmie.bench.work import Work, write_checkpoint
from mmie.config import shipped
from mmie.display import terminal
from mmie.files import write_json

GROUP_SIZES = (1, 2, 4, 8, 16)
PROMPT_TOKENS = (256, 560, 1024)
PHASES = ("sample", "reference", "update")


def measure(work: Work, engines: list[str]) -> dict[str, Any]:
    """Runs the engines one after the other; gives figures a engine, and the ratios between them."""
    figures = {engine: _run(engine, work) for engine in engines}
    shared = figures["shared"]
    seconds = {
        engine: median(step["step"] for step in values["steps"])
        for engine, values in figures.items()
    }
    tokens = work.prompts * work.group_size * work.new_tokens
    found: dict[str, Any] = {
        "work": asdict(replace(work, model="random Qwen2.5-VL")),
        **{f"{phase}_seconds": median(step[phase] for step in shared["steps"]) for phase in PHASES},
        "step_seconds": seconds,
        "peak_mib": {engine: values["peak_mib"] for engine, values in figures.items()},
        "response_tokens_per_second": {engine: tokens / value for engine, value in seconds.items()},
        "vision_forwards_per_image": shared["vision_forwards_per_image"],
        "max_abs_logp_difference": shared["max_abs_logp_difference"],
        "flops_per_step": shared["flops"],
        "matmul_flops_per_second": shared["matmul_flops_per_second"],
        "share_of_matmul_peak": shared["flops"]
        / seconds["shared"]
        / shared["matmul_flops_per_second"],
        "decode_step_seconds": shared["decode_step_seconds"],
        "decode_step_ratio_vs_bare_forward": shared["decode_step_seconds"]
        / shared["bare_forward_seconds"],
        "prompt_tokens": shared["prompt_tokens"],
    }
    if "repeated" in seconds:
        found["step_ratio_vs_repeated"] = seconds["repeated"] / seconds["shared"]
        found["peak_memory_ratio_vs_repeated"] = (
            shared["peak_mib"] / figures["repeated"]["peak_mib"]
        )
    if "trl" in seconds:
        found["step_ratio_vs_trl"] = seconds["trl"] / seconds["shared"]
        found["peak_memory_ratio_vs_trl"] = shared["peak_mib"] / figures["trl"]["peak_mib"]
    return found


def _run(engine: str, work: Work) -> dict[str, Any]:
    command = [sys.executable, "-W", "ignore", "-m", "mmie.bench.engines", engine]
    command += [json.dumps(asdict(work)), json.dumps(shipped_grpo())]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        sys.exit(f"error: the engine {engine} failed: {done.stderr.strip().splitlines()[-1]}")
    return json.loads(done.stdout.strip().splitlines()[-1])


@cache
def shipped_grpo() -> dict[str, Any]:
    """The values of GRPO in ``conf/``, for what the work leaves open."""
    grpo = shipped().grpo
    assert grpo is not None
    return asdict(grpo)


def table(found: dict[str, Any]) -> Table:
    work = found["work"]
    prompts = f"{work['prompts']} prompts of {found['prompt_tokens']} tokens"
    title = f"{prompts} × G {work['group_size']} × {work['new_tokens']} new tokens"
    rows = Table(title=title, title_justify="left")
    for column in ("engine", "s/step", "tokens/s", "peak MiB"):
        rows.add_column(column, justify="left" if column == "engine" else "right")
    for engine, seconds in found["step_seconds"].items():
        rows.add_row(
            engine,
            f"{seconds:.2f}",
            f"{found['response_tokens_per_second'][engine]:.0f}",
            f"{found['peak_mib'][engine]:.0f}",
        )
    return rows


def _sweep(work: Work, engines: list[str], folder: Path, console: Console) -> list[dict[str, Any]]:
    from mmie.bench.plots import plot

    works = [replace(work, group_size=size) for size in GROUP_SIZES]
    works += [
        replace(work, prompt_tokens=length)
        for length in PROMPT_TOKENS
        if length != work.prompt_tokens
    ]
    found = []
    for point in works:
        found.append(
            measure(
                point, [engine for engine in engines if engine != "trl" or point.group_size > 1]
            )
        )  # TRL refuses G = 1
        write_json(folder / "bench_sweep.json", found)
        console.print(table(found[-1]))
    plot(found, folder)
    return found


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    for field in fields(Work):
        if field.name != "model":
            kind = type(field.default)
            parser.add_argument(
                f"--{field.name.replace('_', '-')}", type=kind, default=field.default
            )
    parser.add_argument(
        "--model", help="a Qwen2.5-VL checkpoint folder; a small random one is made without"
    )
    parser.add_argument(
        "--engines", default="shared,repeated,trl", help="which of shared, repeated, trl"
    )
    parser.add_argument("--json", type=Path, help="file for the figures")
    parser.add_argument(
        "--sweep", type=Path, help="folder for figures and plots over G and prompt length"
    )
    arguments = vars(parser.parse_args())
    engines = [
        engine
        for engine in arguments.pop("engines").split(",")
        if engine != "trl" or importlib.util.find_spec("trl")
    ]
    target, folder, model = arguments.pop("json"), arguments.pop("sweep"), arguments.pop("model")
    console = terminal()
    if "trl" not in engines:
        console.print(
            "TRL is left out or not installed: pip install -c constraints.txt -e '.[bench]'"
        )
    with tempfile.TemporaryDirectory() as made:
        if model is None:
            write_checkpoint(Path(made))
        work = Work(model or made, **arguments)
        if folder is not None:
            _sweep(work, engines, folder, console)
            return
        with console.status("measuring"):
            found = {**measure(work, engines), "commit": commit(), "versions": versions()}
    console.print(table(found))
    for name, value in found.items():
        if isinstance(value, float):
            console.print(f"{name}: {value:.4g}")
    if target is not None:
        write_json(target, found)


if __name__ == "__main__":
    main()
