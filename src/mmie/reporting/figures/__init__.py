"""Figures of finished runs: those of the papers, training curves, confusion and kinds of errors.

In each module, ``select`` takes the data from the runs and ``figures`` draws it. Figure 6 needs
people's scores, so it has its own command: ``mmie.reporting.figures.human``.
"""

from __future__ import annotations

from collections.abc import Sequence

import matplotlib as mpl

from mmie.reporting.figures import chains, confusion, curves, errors, group_size, voting
from mmie.reporting.figures.drawing import Drawing
from mmie.reporting.runs import Run
from mmie.reporting.style import LOOK

__all__ = ["Drawing", "drawings"]
MODULES = (group_size, voting, chains, curves, confusion, errors)  # in the order of a page


def drawings(runs: Sequence[Run]) -> list[Drawing]:
    """Every figure for which the runs hold the data; one figure has one profile and one task.

    Raises:
        InputError: a file with training curves cannot be read.
    """
    figures = []
    with mpl.rc_context(LOOK):
        for profile, task in sorted({(run.profile, run.task) for run in runs}):
            alike = [run for run in runs if (run.profile, run.task) == (profile, task)]
            for module in MODULES:
                figures += module.figures(alike)
    return figures
