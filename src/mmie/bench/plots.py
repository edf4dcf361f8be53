"""Cost over G and over the length of the prompt."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import matplotlib as mpl

mpl.use("Agg")
from matplotlib import pyplot as plt

from mmie.reporting.style import BLUE, ORANGE, PINK

GROUP_SIZE = 8  # of the right column
# The markers tell the lines apart without colour.
STYLE = {
    "shared": ("this engine", BLUE, "o"),
    "repeated": ("G repeated rows", ORANGE, "s"),
    "trl": ("TRL", PINK, "^"),
}
MIB_PER_GIB = 1024
# measure in the figures, label of the axis, what the values are divided by
ROWS = (("step_seconds", "seconds per step", 1), ("peak_mib", "peak memory, GiB", MIB_PER_GIB))


def plot(points: list[dict[str, Any]], folder: Path) -> None:
    """Writes ``bench_cost.svg`` and ``.png``: time and memory, left over G, right over the length.

    Args:
        points: figures of ``mmie.bench.compare``; those with G = 1 have the prompt length of the
            left column.
        folder: exists.
    """
    length = max(_tokens(point) for point in points if point["work"]["group_size"] == 1)
    over_group_size = [point for point in points if _tokens(point) == length]
    over_length = [point for point in points if point["work"]["group_size"] == GROUP_SIZE]
    over_length.sort(key=_tokens)

    figure, axes = plt.subplots(2, 2, figsize=(9, 6), sharex="col", layout="constrained")
    for row, (measure, label, unit) in enumerate(ROWS):
        _lines(axes[row, 0], over_group_size, "group_size", measure, unit)
        _lines(axes[row, 1], over_length, "prompt_tokens", measure, unit)
        for axis in axes[row]:
            axis.set_ylabel(label)
    _label_x(axes[1, 0], over_group_size, "group_size", f"G, prompts of {length} tokens")
    _label_x(axes[1, 1], over_length, "prompt_tokens", f"prompt tokens, G = {GROUP_SIZE}")
    axes[0, 0].legend(frameon=False)
    for suffix in ("svg", "png"):
        figure.savefig(folder / f"bench_cost.{suffix}", dpi=150)
    plt.close(figure)


def _tokens(point: dict[str, Any]) -> int:
    return point["work"]["prompt_tokens"]


def _label_x(axis: Any, points: list[dict[str, Any]], key: str, label: str) -> None:
    values = [point["work"][key] for point in points]
    axis.set_xticks(values, [str(value) for value in values])
    axis.set_xlabel(label)


def _lines(axis: Any, points: list[dict[str, Any]], key: str, measure: str, unit: float) -> None:
    """One line per engine; an engine that did not run at a point has no marker there."""
    for engine, (label, colour, marker) in STYLE.items():
        measured = [point for point in points if engine in point[measure]]
        if measured:
            x = [point["work"][key] for point in measured]
            y = [point[measure][engine] / unit for point in measured]
            axis.plot(x, y, color=colour, marker=marker, label=label)
    axis.set_ylim(bottom=0)
    axis.spines[["top", "right"]].set_visible(False)
