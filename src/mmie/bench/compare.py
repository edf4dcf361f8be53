"""Runs the engines on the same work and compares their figures."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import asdict, replace
from functools import cache
from statistics import median
from typing import Any

from rich.table import Table

from mmie.bench.work import Work
from mmie.config import shipped

PHASES = ("sample", "reference", "update")
# This engine is ``shared``, with memory=fast. These are the same with less memory.
FRUGAL = ("balanced", "lean")
ENGINES = ("shared", *FRUGAL, "repeated", "trl")


@cache
def shipped_grpo() -> dict[str, Any]:
    """The values of GRPO in ``conf/``."""
    grpo = shipped().grpo
    assert grpo is not None
    return asdict(grpo)


def shipped_memory(choice: str) -> dict[str, Any]:
    """The values of ``memory=<choice>`` in ``conf/``."""
    return asdict(shipped(f"memory={choice}").memory)


def shipped_work(model: str) -> Work:
    """The work of a step with the shipped group size, temperature and KL weight."""
    grpo = shipped_grpo()
    names = ("group_size", "temperature", "kl_coef")
    return Work(model, **{name: grpo[name] for name in names})


def compare(work: Work, engines: Sequence[str]) -> dict[str, Any]:
    """Runs the engines one after the other.

    Returns:
        The figures of ``shared``, which is this engine, and its ratios to the others.
    """
    figures = {engine: _run(engine, work) for engine in engines}
    shared = figures["shared"]
    seconds = {name: _median(values, "step") for name, values in figures.items()}
    peaks = {name: values["peak_mib"] for name, values in figures.items()}
    tokens = work.prompts * work.group_size * work.new_tokens
    flop_rate = shared["flops"] / seconds["shared"]
    compared: dict[str, Any] = {
        "work": asdict(replace(work, model="random Qwen2.5-VL")),
        **{f"{phase}_seconds": _median(shared, phase) for phase in PHASES},
        "step_seconds": seconds,
        "peak_mib": peaks,
        "response_tokens_per_second": {name: tokens / value for name, value in seconds.items()},
        "vision_forwards_per_image": shared["vision_forwards_per_image"],
        "max_abs_logp_difference": shared["max_abs_logp_difference"],
        "flops_per_step": shared["flops"],
        "matmul_flops_per_second": shared["matmul_flops_per_second"],
        "share_of_matmul_peak": flop_rate / shared["matmul_flops_per_second"],
        "decode_step_seconds": shared["decode_step_seconds"],
        "decode_step_ratio_vs_bare_forward": shared["decode_step_seconds"]
        / shared["bare_forward_seconds"],
        "prompt_tokens": shared["prompt_tokens"],
    }
    for other in figures:
        if other != "shared":
            compared[f"step_ratio_vs_{other}"] = seconds[other] / seconds["shared"]
            compared[f"peak_memory_ratio_vs_{other}"] = peaks["shared"] / peaks[other]
    return compared


def _median(figures: dict[str, Any], phase: str) -> float:
    return median(step[phase] for step in figures["steps"])


def _run(engine: str, work: Work) -> dict[str, Any]:
    """The figures of one engine, which runs in a process of its own."""
    command = [sys.executable, "-W", "ignore", "-m", "mmie.bench.engines", engine]
    command += [json.dumps(asdict(work)), json.dumps(shipped_grpo())]
    command.append(json.dumps(shipped_memory(engine if engine in FRUGAL else "fast")))
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        sys.exit(f"error: the engine {engine} failed: {done.stderr.strip().splitlines()[-1]}")
    return json.loads(done.stdout.strip().splitlines()[-1])


def table(compared: dict[str, Any]) -> Table:
    """One row per engine: seconds, tokens per second, peak memory."""
    work = compared["work"]
    prompts = f"{work['prompts']} prompts of {compared['prompt_tokens']} tokens"
    title = f"{prompts} × G {work['group_size']} × {work['new_tokens']} new tokens"
    rows = Table(title=title, title_justify="left")
    rows.add_column("engine")
    for column in ("s/step", "tokens/s", "peak MiB"):
        rows.add_column(column, justify="right")
    for engine, seconds in compared["step_seconds"].items():
        speed = compared["response_tokens_per_second"][engine]
        peak = compared["peak_mib"][engine]
        rows.add_row(engine, f"{seconds:.2f}", f"{speed:.0f}", f"{peak:.0f}")
    return rows
