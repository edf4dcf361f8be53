"""The short table at the end of the measurement."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from rich.table import Table

from mmie.bench.gpu.size import MEMORY

Row = tuple[str, str, str]


def table(parts: Mapping[str, Any]) -> Table:
    """What was measured, and beside it what it is to be compared with.

    Args:
        parts: the figures of each part; parts and figures may be missing.
    """
    shown = Table("", "measured", "beside", title="one GPU", title_justify="left")
    for rows in (_card, _steps, _decoding, _training, _peer, _errors):
        for row in rows(parts):
            shown.add_row(*row)
    return shown


def _card(parts: Mapping[str, Any]) -> Iterator[Row]:
    card = parts.get("card", {})
    if "bandwidth_gb" in card:
        rates = f"{card['matmul_tflops']:.4g} TFLOP/s, {card['bandwidth_gb']:.4g} GB/s"
        yield "product and copy", rates, card.get("card", "CPU")


def _steps(parts: Mapping[str, Any]) -> Iterator[Row]:
    step, simulated = parts.get("step", {}), parts.get("simulated", {})
    for memory in MEMORY:
        figures = step.get(memory, {})
        if "error" in figures:
            yield f"step, {memory}", figures["error"], ""
        elif figures:
            yield f"step, {memory}", _seconds(figures["seconds"]), ""
            peak = max(figures["peak_gib"].values())
            foreseen = simulated.get(memory, {}).get("peak_gib")
            beside = "" if foreseen is None else f"simulated {foreseen:.1f} GiB"
            yield "  peak memory", f"{peak:.1f} GiB", beside
            rate, most = figures["update_tflops"], step["matmul_tflops"]
            yield "  update", f"{rate:.4g} TFLOP/s", f"{rate / most:.0%} of a bare product"
    if "bf16" in step:
        gaps = step["bf16"]
        yield "rollout − update, log p", f"{gaps['largest_logp_gap']:.2g} at most", ""


def _seconds(seconds: Mapping[str, float]) -> str:
    phases = [f"{name} {value:.2f}" for name, value in seconds.items() if name != "step"]
    return f"{seconds['step']:.2f} s: {', '.join(phases)}"


def _decoding(parts: Mapping[str, Any]) -> Iterator[Row]:
    for name in ("graphs_off", "graphs_on"):
        measured = parts.get("decode", {}).get(name, {})
        for rows, figures in measured.items():
            share = f"{figures['share_of_floor']:.0%} of what reading the weights allows"
            speed = f"{figures['tokens_per_second']:.0f} tokens/s"
            yield f"decoding, {name}, {rows}", speed, share
            for warning in figures["warnings"]:
                yield "  warning", warning, ""


def _training(parts: Mapping[str, Any]) -> Iterator[Row]:
    paper = parts.get("paper", {})
    if "resumed_seconds" in paper:
        yield "paper profile, resumed", f"{paper['resumed_seconds']:.0f} s", ""
    if "same_adapter" in paper:
        gap = f"largest difference {paper['largest_difference']:.2g}"
        moved = f"GRPO moved it by {paper['largest_change_by_grpo']:.2g}"
        yield "  the same adapter", "yes" if paper["same_adapter"] else f"no, {gap}", moved
    if "seconds" in parts.get("zero2", {}):
        yield "paper profile, ZeRO-2", f"{parts['zero2']['seconds']:.0f} s", ""


def _peer(parts: Mapping[str, Any]) -> Iterator[Row]:
    peer = parts.get("peer", {})
    if "step_ratio_vs_trl" in peer:
        seconds = peer["step_seconds"]
        beside = f"{seconds['shared']:.2f} s, TRL {seconds['trl']:.2f} s"
        yield "TRL's seconds per ours", f"{peer['step_ratio_vs_trl']:.2f}", beside
        memory = f"{peer['peak_memory_ratio_vs_trl']:.2f}"
        yield "our memory per TRL's", memory, ""


def _errors(parts: Mapping[str, Any]) -> Iterator[Row]:
    for name, figures in parts.items():
        if figures.get("error"):
            yield f"error in {name}", figures["error"], ""
