"""Figures of finished runs: those of the papers for which the runs hold the data, training curves, confusion and kinds of errors.

Figure 6, which needs people's scores, has its own command: ``mmie.reporting.figures.human``.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import matplotlib as mpl

from mmie.reporting.figures.chains import chains
from mmie.reporting.figures.confusion import confusions
from mmie.reporting.figures.curves import curves
from mmie.reporting.figures.drawing import LOOK, Drawing
from mmie.reporting.figures.errors import error_kinds
from mmie.reporting.figures.group_size import group_size
from mmie.reporting.figures.voting import majority
from mmie.reporting.runs import Run

__all__ = ["Drawing", "draw", "drawings"]


def draw(runs: Sequence[Run], folder: Path) -> list[Path]:
    """Every figure for which the runs hold the data, as SVG and PNG in the folder; toy and paper profile never in one.

    Raises:
        InputError: results have another shape than a run leaves, or the folder cannot be written.
    """
    return [path for drawing in drawings(runs) for path in drawing.save(folder)]


def drawings(runs: Sequence[Run]) -> list[Drawing]:
    """The figures that ``draw`` writes, by profile and task.

    Raises:
        InputError: results have another shape than a run leaves.
    """
    made = []
    with mpl.rc_context(LOOK):
        for kind in sorted({(run.profile, run.task) for run in runs}):
            alike = [run for run in runs if (run.profile, run.task) == kind]
            made += group_size(alike)
            made += majority(alike)
            made += chains(alike)
            made += curves(alike)
            made += confusions(alike)
            made += error_kinds(alike)
    return made
