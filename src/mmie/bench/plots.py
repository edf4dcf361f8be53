"""Cost over G and over the prompt's length."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import matplotlib as mpl

mpl.use("Agg")
from matplotlib import pyplot as plt

STYLE = {  # Okabe and Ito's colours, told apart by shape as well
    "shared": ("this engine", "#0072B2", "o"),
    "repeated": ("G repeated rows", "#E69F00", "s"),
    "trl": ("TRL", "#CC79A7", "^"),
}


def plot(found: list[dict[str, Any]], folder: Path) -> None:
    """Writes ``bench_cost.svg`` and ``.png``: seconds a step and peak memory, left over G, right over the prompt's length."""
    middle = max(
        point["work"]["prompt_tokens"] for point in found if point["work"]["group_size"] == 1
    )
    group_size = 8
    over_g = [point for point in found if point["work"]["prompt_tokens"] == middle]
    over_length = sorted(
        (point for point in found if point["work"]["group_size"] == group_size),
        key=lambda point: point["work"]["prompt_tokens"],
    )
    figure, axes = plt.subplots(2, 2, figsize=(9, 6), sharex="col", layout="constrained")
    columns = (
        (over_g, "group_size", f"G, prompts of {middle} tokens"),
        (over_length, "prompt_tokens", f"prompt tokens, G = {group_size}"),
    )
    for column, (points, key, label) in enumerate(columns):
        for row, (measure, unit) in enumerate(
            (("step_seconds", "seconds a step"), ("peak_mib", "peak memory, GiB"))
        ):
            _lines(axes[row, column], points, key, measure)
            axes[row, column].set_ylabel(unit)
        axes[1, column].set_xlabel(label)
        axes[1, column].set_xticks(
            [point["work"][key] for point in points], [str(point["work"][key]) for point in points]
        )
    axes[0, 0].legend(frameon=False)
    for suffix in ("svg", "png"):
        figure.savefig(folder / f"bench_cost.{suffix}", dpi=150)
    plt.close(figure)


def _lines(axis: Any, points: list[dict[str, Any]], key: str, measure: str) -> None:
    for engine, (label, colour, marker) in STYLE.items():
        known = [
            (point["work"][key], point[measure][engine])
            for point in points
            if engine in point[measure]
        ]
        if known:
            scale = 1024 if measure == "peak_mib" else 1
            axis.plot(
                [x for x, _ in known],
                [y / scale for _, y in known],
                color=colour,
                marker=marker,
                label=label,
            )
    axis.set_ylim(bottom=0)
    axis.spines[["top", "right"]].set_visible(False)
