"""Which label is taken for which."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from mmie.reporting.figures.drawing import WIDTH, Drawing, canvas, drawing
from mmie.reporting.figures.groups import by_experiment, full_systems, seeds_in_words
from mmie.reporting.run_selection import newest
from mmie.reporting.runs import Run
from mmie.reporting.style import SHARES

NOTHING = "nothing"
DARK = 0.55  # share from which a cell's text is white
CAPTION = (
    "Rows: gold; columns: predicted; number of items, summed over {seeds}. The shade is the share"
    f" of the row. “{NOTHING}” is a gold item that was missed, or a prediction that fits no gold"
    " item."
)


def figures(runs: Sequence[Run]) -> list[Drawing]:
    """One heat map per experiment, of its last system, for the papers' full methods if there."""
    drawn = []
    analysed = full_systems(run for run in runs if run.results.analysis)
    for experiment, alike in by_experiment(analysed).items():
        chosen, _ = newest(alike)
        system = [*chosen[-1].results.analysis][-1]
        having = [run for run in chosen if system in run.results.analysis]
        counts = select(having, system)
        if not counts.empty:
            group = next(iter(having[-1].results.analysis[system].breakdown), "label")
            title = f"confusion by {group}, {system} in {experiment}"
            caption = CAPTION.format(seeds=seeds_in_words(having))
            name, figure = f"confusion-{experiment}", _draw(counts)
            drawn.append(drawing(name, title, caption, run=runs[0], figure=figure))
    return drawn


def select(runs: Sequence[Run], system: str) -> pd.DataFrame:
    """Number of items by gold label (rows) and predicted label (columns), summed over the runs.

    The most frequent gold label comes first, ``NOTHING`` last.
    """
    rows = [entry for run in runs for entry in run.results.analysis[system].confusion]
    frame = pd.DataFrame(rows, columns=["gold", "predicted", "times"]).replace("", NOTHING)
    counts = frame.pivot_table("times", "gold", "predicted", "sum", fill_value=0)
    totals = counts.sum(axis=1)
    labels = sorted(
        {*counts.index, *counts.columns},
        key=lambda label: (label == NOTHING, -totals.get(label, 0), label),
    )
    gold = [label for label in labels if totals.get(label, 0)]
    return counts.reindex(index=gold, columns=labels, fill_value=0)


def _draw(counts: pd.DataFrame) -> Figure:
    figure, (axis,) = canvas(1, 1, min(WIDTH + 0.6, 2.2 + 0.36 * len(counts)))
    shares = counts.div(counts.sum(axis=1), axis=0).to_numpy(dtype=float)
    image = axis.imshow(shares, cmap=SHARES, vmin=0, vmax=1, aspect="auto")
    centred: dict[str, Any] = {"ha": "center", "va": "center", "size": 9}
    for (row, column), share in np.ndenumerate(shares):
        if share:
            colour = "white" if share > DARK else "black"
            axis.text(column, row, f"{counts.iat[row, column]:.0f}", color=colour, **centred)
    turned: dict[str, Any] = {"rotation": 45, "ha": "right", "rotation_mode": "anchor"}
    axis.set_xticks(range(len(counts.columns)), [*counts.columns], **turned)
    axis.set_yticks(range(len(counts)), [*counts.index])
    axis.set(xlabel="predicted", ylabel="gold")
    axis.spines[:].set_visible(False)
    figure.colorbar(image, ax=axis, label="share of the row", shrink=0.8)
    return figure
