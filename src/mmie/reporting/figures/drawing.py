"""Figures as files: the same figure gives the same bytes."""

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
from mmie.reporting.style import LOOK

WIDTH = 8.6  # inches; what a page of the repository has room for


@dataclass(frozen=True)
class Drawing:
    """A figure: the ``name`` of its files, and what a page says about it."""

    name: str
    title: str
    caption: str
    figure: Figure

    def svg(self) -> str:
        """The figure as the text of an SVG file."""
        return self._file("svg", {"Date": None}).decode()

    def save(self, folder: Path) -> list[Path]:
        """Writes ``<name>.svg`` and ``<name>.png`` and returns their paths.

        Raises:
            InputError: they cannot be written.
        """
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
    """A drawing with the task and profile of its runs in name and title."""
    title = f"{run.task.upper()}: {title} ({run.profile} profile)"
    figure.suptitle(title)
    return Drawing(slug(f"{run.profile} {run.task} {name}"), title, caption, figure)


def canvas(rows: int, columns: int, height: float, **axes: Any) -> tuple[Figure, list[Axes]]:
    """A figure as wide as the page and so many inches high, with its panels row by row."""
    figure = Figure(figsize=(WIDTH, height), layout="constrained")
    return figure, [*figure.subplots(rows, columns, squeeze=False, **axes).flat]


def legend_below(figure: Figure, axis: Axes) -> None:
    """One legend for all panels, taken from one of them, where it covers nothing."""
    handles, labels = axis.get_legend_handles_labels()
    columns = max(1, min(len(labels), int(110 / (8 + max(map(len, labels))))))
    figure.legend(handles, labels, loc="outside lower center", ncols=columns)
