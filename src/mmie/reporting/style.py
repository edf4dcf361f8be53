"""How all figures look: colours, and what tells series apart without colours."""

from __future__ import annotations

from typing import Any

BLUE, ORANGE, GREEN, PINK = "#0072B2", "#E69F00", "#009E73", "#CC79A7"
SKY, VERMILION, BLACK = "#56B4E9", "#D55E00", "#000000"
COLOURS = (BLUE, ORANGE, GREEN, PINK, SKY, VERMILION, BLACK)  # Okabe and Ito
BEST = VERMILION
BACKGROUND = "#E8E8E8"
SHARES, SCORES = "Blues", "cividis"  # colour maps
MARKERS = "os^Dv"  # of another number than the colours, so that equal colours differ
LINES = ("-", "--", "-.", ":")
HATCHES = ("", "///", "...", "xxx", "++")
LOOK: dict[Any, Any] = {
    "font.family": "DejaVu Sans",
    "font.size": 9.5,
    "axes.titlesize": 10,
    "figure.titlesize": 11,
    "legend.fontsize": 9,
    "xtick.labelsize": 9,
    "ytick.labelsize": 9,
    "legend.handlelength": 3.2,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "legend.frameon": False,
    "hatch.linewidth": 0.6,
    "text.parse_math": False,
    "svg.hashsalt": "mmie",  # the same figure gives the same file
    "savefig.dpi": 150,
}


def line_look(index: int) -> dict[str, Any]:
    """Colour, marker and line of a series."""
    return {**smooth_line_look(index), "marker": MARKERS[index % len(MARKERS)]}


def smooth_line_look(index: int) -> dict[str, Any]:
    """The same without markers, for lines of many points."""
    return {"color": COLOURS[index % len(COLOURS)], "linestyle": LINES[index % len(LINES)]}


def bar_look(index: int) -> dict[str, Any]:
    """Colour and hatch of a series."""
    hatch, colour = HATCHES[index % len(HATCHES)], COLOURS[index % len(COLOURS)]
    return {"color": colour, "hatch": hatch, "edgecolor": "white", "linewidth": 0}
