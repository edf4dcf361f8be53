"""Draws docs/pipeline.svg, the picture of the pipeline.

Run: python docs/draw_pipeline.py
"""

from __future__ import annotations

from dataclasses import dataclass
from html import escape
from pathlib import Path

WIDTH, HEIGHT = 1120, 372
BOX_WIDTH, BOX_HEIGHT, GAP = 140, 112, 19
LEFT, TOP = 12, 66
INK, PALE, LINE = "#1f2937", "#6b7280", "#9ca3af"
TEACHER, MODEL, PLAIN = "#fde9c8", "#d6e6fb", "#eef0f3"


@dataclass(frozen=True)
class Stage:
    """One box: its name, what it does in short lines, and the colour of who works there."""

    name: str
    lines: tuple[str, ...]
    colour: str


STAGES = (
    Stage("data", ("text and pictures,", "checked, counted"), PLAIN),
    Stage("distil", ("the teacher writes", "and judges", "reasoning chains"), TEACHER),
    Stage("filter", ("re-prediction, score:", "the good chains stay,", "one per sample"), PLAIN),
    Stage("sft", ("LoRA warm-up on", "chain and answer", "(eq. 1)"), MODEL),
    Stage("grpo", ("G responses, reward,", "advantage, KL to the", "warm-up (eq. 2–7)"), MODEL),
    Stage("evaluate", ("precision, recall, F1,", "intervals, votes"), MODEL),
    Stage("report", ("tables and figures", "of one run or many"), PLAIN),
)


def text(
    x: float, y: float, content: str, *, size: int = 13, colour: str = INK, weight: str = "normal"
) -> str:
    """Centred text."""
    style = f'font-size="{size}" fill="{colour}" font-weight="{weight}" text-anchor="middle"'
    return f'<text x="{x:g}" y="{y:g}" {style}>{escape(content)}</text>'


def left_of(place: int) -> float:
    """The left edge of a box."""
    return LEFT + place * (BOX_WIDTH + GAP)


def box(place: int, stage: Stage) -> list[str]:
    """A rounded box with its name and lines."""
    x, middle = left_of(place), left_of(place) + BOX_WIDTH / 2
    frame = f'x="{x:g}" y="{TOP}" width="{BOX_WIDTH}" height="{BOX_HEIGHT}" rx="10"'
    parts = [f'<rect {frame} fill="{stage.colour}" stroke="{LINE}"/>']
    parts.append(text(middle, TOP + 28, stage.name, size=16, weight="bold"))
    for number, line in enumerate(stage.lines):
        parts.append(text(middle, TOP + 54 + 18 * number, line, size=12))
    return parts


def arrow(x1: float, y1: float, x2: float, y2: float, *, dashed: bool = False) -> str:
    """A line that ends in a head."""
    dash = ' stroke-dasharray="5 4"' if dashed else ""
    return f'<path d="M{x1:g} {y1:g} L{x2:g} {y2:g}" stroke="{INK}"{dash} marker-end="url(#head)"/>'


def adapters() -> list[str]:
    """The two adapters on one frozen base, below the stages that train and use them."""
    y, x, width = 262, left_of(3), 3 * BOX_WIDTH + 2 * GAP
    frame = f'x="{x:g}" y="{y}" width="{width}" height="92" rx="10" fill="none"'
    note = "one frozen base; its vision tower sees each picture once"
    parts = [f'<rect {frame} stroke="{LINE}" stroke-dasharray="6 4"/>']
    parts.append(text(x + width / 2, y + 84, note, size=12, colour=PALE))
    parts += adapter(x + 24, y + 16, width / 2 - 32, "adapter “reference” (frozen)")
    parts += adapter(x + width / 2 + 8, y + 16, width / 2 - 32, "adapter “policy” (trained)")
    bottom = TOP + BOX_HEIGHT + 2
    for start in (left_of(3) + BOX_WIDTH / 2, left_of(4) + BOX_WIDTH / 2 + 60):
        parts.append(arrow(start, bottom, start, y + 12, dashed=True))
    return parts


def adapter(x: float, y: float, width: float, label: str) -> list[str]:
    """One adapter on the base."""
    frame = f'x="{x:g}" y="{y}" width="{width:g}" height="42" rx="8"'
    return [
        f'<rect {frame} fill="{MODEL}" stroke="{LINE}"/>',
        text(x + width / 2, y + 26, label, size=12),
    ]


def store() -> list[str]:
    """What every stage leaves behind."""
    x, width = left_of(0), 3 * BOX_WIDTH + 2 * GAP - GAP
    frame = f'x="{x:g}" y="262" width="{width}" height="92" rx="10" fill="{PLAIN}" stroke="{LINE}"'
    middle, start = x + width / 2, left_of(1) + BOX_WIDTH / 2
    return [
        f"<rect {frame}/>",
        text(middle, 288, "artifacts/<stage>/<key>/", size=14, weight="bold"),
        text(middle, 312, "the key hashes settings, data and the keys of earlier stages:", size=12),
        text(middle, 332, "a sweep distils and warms up once, a killed run goes on", size=12),
        arrow(start, TOP + BOX_HEIGHT + 2, start, 258, dashed=True),
    ]


def legend() -> list[str]:
    """Who works where."""
    parts, x = [], LEFT
    for colour, label in (
        (TEACHER, "teacher (paid, recorded)"),
        (MODEL, "the model that is trained"),
        (PLAIN, "files"),
    ):
        parts.append(
            f'<rect x="{x}" y="20" width="18" height="18" rx="4" fill="{colour}" stroke="{LINE}"/>'
        )
        parts.append(
            f'<text x="{x + 26}" y="34" font-size="13" fill="{INK}">{escape(label)}</text>'
        )
        x += 226
    return parts


def picture() -> str:
    """The whole drawing as SVG."""
    parts = [*legend(), *store(), *adapters()]
    for place, stage in enumerate(STAGES):
        parts += box(place, stage)
        if place:
            y = TOP + BOX_HEIGHT / 2
            parts.append(arrow(left_of(place) - GAP + 1, y, left_of(place) - 4, y))
    head = (
        '<marker id="head" viewBox="0 0 8 8" refX="7" refY="4" '
        'markerWidth="8" markerHeight="8" orient="auto">'
    )
    opening = (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}"'
        ' font-family="Helvetica, Arial, sans-serif"'
        ' role="img" aria-label="data, distil, filter, sft, grpo, evaluate, report">'
    )
    background = f'<rect width="{WIDTH}" height="{HEIGHT}" fill="white"/>'
    definitions = f'<defs>{head}<path d="M0 0 L8 4 L0 8 z" fill="{INK}"/></marker></defs>'
    return "\n".join([opening, definitions, background, *parts, "</svg>", ""])


if __name__ == "__main__":
    Path(__file__).with_name("pipeline.svg").write_text(picture(), encoding="utf-8")
