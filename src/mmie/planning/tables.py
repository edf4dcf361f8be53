"""A plan on the terminal, in 80 columns."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from rich.console import RenderableType
from rich.table import Table

from mmie.display import plain_text
from mmie.planning.result import Plan, StageCost
from mmie.reporting.terminal import grid

NARROW: dict[str, Any] = {"padding": (0, 1, 0, 0), "show_edge": False}
UNITS = ("", "k", "M", "G", "T", "P", "E", "Z")


def short(value: float) -> str:
    """Three digits and the unit: 1,234,567 is 1.23M."""
    place = 0
    while round(value, 3) >= 999.5 and place < len(UNITS) - 1:
        value, place = value / 1000, place + 1
    digits = f"{value:.3g}"
    return f"{digits}{UNITS[place]}"


def time(hours: float) -> str:
    """Hours with as many digits as they deserve."""
    if hours < 0.01:
        return "< 0.01"
    return f"{hours:,.0f}" if hours >= 100 else f"{hours:.2g}"


def money(dollars: float) -> str:
    """Dollars, with cents where they matter."""
    return f"${dollars:,.2f}" if dollars < 10 else f"${dollars:,.0f}"


def tables(plan: Plan) -> Iterator[RenderableType]:
    """Everything of the plan that fits on a page."""
    if plan.teacher:
        yield _teacher(plan)
    if plan.finished:
        yield plain_text(f"finished, and not planned again: {', '.join(plan.finished)}")
    if plan.stages:
        yield _stages(plan)
        if plan.memory is not None:
            yield _memory(plan.memory)
        yield _hours(plan)
        yield _cards(plan)
    if plan.disk:
        yield _disk(plan)
    yield plain_text("All numbers of tokens, FLOPs, hours and bytes are estimated. Assumed:")
    for line in plan.assumptions:
        yield plain_text(f"- {line}")
    for line in plan.warnings:
        yield plain_text(f"warning: {line}", "yellow")


def _teacher(plan: Plan) -> Table:
    teacher = plan.teacher
    rows = [
        [
            purpose,
            f"{one['requests']:,}",
            f"{one['recorded']:,}",
            short(one["prompt_tokens"]),
            short(one["answer_tokens"]),
        ]
        for purpose, one in teacher["purposes"].items()
    ]
    cost = "its prices are not known"
    if teacher["dollars"] is not None:
        cost = money(teacher["dollars"])
    if teacher["dollars_at_most"] is not None:
        cost += f", at most {money(teacher['dollars_at_most'])}"
    columns = ["requests for", "left", "recorded", "prompt tokens", "answer tokens"]
    return grid(f"teacher {teacher['model']}: {cost}", columns, rows)


def _stages(plan: Plan) -> Table:
    rows = [_stage(one) for one in plan.stages]
    columns = ["stage", "samples", "updates", "prompt", "response", "≤", "FLOPs", "≤"]
    return grid("what is left, in tokens and FLOPs; ≤ is at most", columns, rows, **NARROW)


def _stage(one: StageCost) -> list[str]:
    return [
        one.stage,
        f"{one.samples:,}",
        f"{one.updates:,}" if one.updates else "",
        short(one.expected.prompt_tokens),
        short(one.expected.response_tokens),
        short(one.at_most.response_tokens),
        short(one.expected.flops),
        short(one.at_most.flops),
    ]


def _hours(plan: Plan) -> Table:
    fits = {True: "yes", False: "no", None: "?"}
    rows = []
    for name, card in plan.cards.items():
        times = ("hours", "hours_at_most", "gpu_hours", "gpu_hours_at_most")
        rows.append([name, *(time(card[key]) for key in times), fits[card.get("fits")]])
    columns = ["card", "hours of the run", "≤", "GPU-hours of all", "≤", "memory will do"]
    return grid("hours, if all that is left is computed on such cards", columns, rows, **NARROW)


def _memory(memory: dict[str, float]) -> RenderableType:
    figures = {name.removesuffix("_gib"): value for name, value in memory.items()}
    peak = figures.pop("peak")
    parts = ", ".join(f"{name} {value:.1f}" for name, value in figures.items())
    return plain_text(f"GiB of each GPU, at most: {parts}; at once {peak:.1f}")


def _cards(plan: Plan) -> Table:
    rows = []
    for name, card in plan.cards.items():
        shares = [f"{card[key]:.0%}" for key in ("peak_share", "bandwidth_share")]
        peak, bandwidth = f"{card['tflops']:g}", f"{card['bandwidth']:g}"
        memory = f"{card['memory_gb']:g}"
        rows.append([name, card["source"], memory, peak, shares[0], bandwidth, shares[1]])
    columns = ["card", "source", "GB", "TFLOP/s", "reached", "GB/s", "reached"]
    title = "the cards by their data sheets; what is reached is assumed"
    return grid(title, columns, rows, texts=2, **NARROW)


def _disk(plan: Plan) -> RenderableType:
    parts = [f"{kind} {size / 1e9:.2f}" for kind, size in plan.disk.items() if size]
    return plain_text(f"GB of disk: {', '.join(parts) or 'none'}")
