"""How all figures look, and how they become files: readable in a page, told apart without colour, the same bytes every time."""

from __future__ import annotations

from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import Any

import matplotlib as mpl
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from mmie.files import disk_errors, slug
from mmie.reporting.runs import Run

WIDTH = 8.6  # inches; what a page of the repository has room for
COLOURS = (
    "#0072B2",
    "#E69F00",
    "#009E73",
    "#CC79A7",
    "#56B4E9",
    "#D55E00",
    "#000000",
)  # Okabe and Ito
MARKERS = "os^DvPX"
LINES = ("-", "--", "-.", ":", (0, (5, 1, 1, 1, 1, 1)), (0, (1, 1)), (0, (8, 2)))
HATCHES = ("", "///", "...", "xxx", "\\\\\\", "++", "oo")
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
    "svg.hashsalt": "mmie",
    "savefig.dpi": 150,
}


@dataclass(frozen=True)
class Drawing:
    """A figure that is drawn: ``name`` of its files, and what a page says of it."""

    name: str
    title: str
    caption: str
    figure: Figure

    def svg(self) -> str:
        """The file as text, the same for the same figure."""
        return self._file("svg", {"Date": None}).decode()

    def save(self, folder: Path) -> list[Path]:
        """``<name>.svg`` and ``<name>.png``; InputError where they cannot be written."""
        files = {"svg": self.svg().encode(), "png": self._file("png", {"Software": None})}
        paths = []
        for suffix, data in files.items():
            path = folder / f"{self.name}.{suffix}"
            with disk_errors(path):
                folder.mkdir(parents=True, exist_ok=True)
                path.write_bytes(data)
            paths.append(path)
        return paths

    def _file(self, kind: str, metadata: dict[str, Any]) -> bytes:
        data = BytesIO()
        with mpl.rc_context(LOOK):
            self.figure.savefig(data, format=kind, metadata=metadata)
        return data.getvalue()


def drawing(name: str, title: str, caption: str, *, run: Run, figure: Figure) -> Drawing:
    """With task and profile of the runs in name and title."""
    title = f"{run.task.upper()}: {title} ({run.profile} profile)"
    figure.suptitle(title)
    return Drawing(slug(f"{run.profile} {run.task} {name}"), title, caption, figure)


def canvas(rows: int, columns: int, height: float, **axes: Any) -> tuple[Figure, list[Axes]]:
    """A figure as wide as the page, its panels row by row; ``height`` in inches, ``axes`` for ``Figure.subplots``."""
    figure = Figure(figsize=(WIDTH, height), layout="constrained")
    return figure, [*figure.subplots(rows, columns, squeeze=False, **axes).flat]


def line_look(index: int) -> dict[str, Any]:
    """Colour, marker and line of the index-th series; colours and markers begin again after the seventh, with another line."""
    turn = index + index // len(COLOURS)
    return {
        "color": COLOURS[index % len(COLOURS)],
        "marker": MARKERS[index % len(MARKERS)],
        "linestyle": LINES[turn % len(LINES)],
    }


def bar_look(index: int) -> dict[str, Any]:
    """Colour and hatch of the index-th series."""
    turn = index + index // len(COLOURS)
    return {
        "color": COLOURS[index % len(COLOURS)],
        "hatch": HATCHES[turn % len(HATCHES)],
        "edgecolor": "white",
        "linewidth": 0,
    }


def legend_below(figure: Figure, axis: Axes) -> None:
    """One legend of all panels, from one of them, where it covers nothing."""
    handles, labels = axis.get_legend_handles_labels()
    columns = max(1, min(len(labels), int(110 / (8 + max(map(len, labels))))))
    figure.legend(handles, labels, loc="outside lower center", ncols=columns)
