"""Figures of finished runs: those of the papers, training curves, confusion and kinds of errors.

Each module selects its data from the runs first and draws it then. Figure 6 needs people's scores,
so it has its own command: ``mmie.reporting.figures.human``.
"""

from __future__ import annotations

from collections.abc import Sequence

import matplotlib as mpl

from mmie.reporting.figures.chains import chains
from mmie.reporting.figures.confusion import confusions
from mmie.reporting.figures.curves import curves
from mmie.reporting.figures.drawing import Drawing
from mmie.reporting.figures.errors import error_kinds
from mmie.reporting.figures.group_size import group_size
from mmie.reporting.figures.voting import majority
from mmie.reporting.runs import Run
from mmie.reporting.style import LOOK

__all__ = ["Drawing", "drawings"]
KINDS = (group_size, majority, chains, curves, confusions, error_kinds)


def drawings(runs: Sequence[Run]) -> list[Drawing]:
    """Every figure for which the runs hold the data; one figure has one profile and one task.

    Raises:
        InputError: a file with training curves cannot be read.
    """
    figures = []
    with mpl.rc_context(LOOK):
        for profile, task in sorted({(run.profile, run.task) for run in runs}):
            alike = [run for run in runs if (run.profile, run.task) == (profile, task)]
            for kind in KINDS:
                figures += kind(alike)
    return figures
