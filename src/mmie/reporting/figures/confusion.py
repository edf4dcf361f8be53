"""Which label is taken for which."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from mmie.reporting.figures.drawing import WIDTH, Drawing, canvas, drawing
from mmie.reporting.figures.groups import by_experiment, full_systems, newest_runs, seeds_in_words
from mmie.reporting.runs import Run
from mmie.reporting.style import SHARES

NOTHING = "nothing"
DARK = 0.55  # share from which a cell's text is white
CAPTION = (
    "Rows: gold; columns: predicted; number of items, {seeds} together. The shade is the share of"
    f" the row. “{NOTHING}” is a gold item that was missed, or a prediction that fits no gold item."
)


@dataclass(frozen=True)
class Confusion:
    """What one system took for what, summed over seeds.

    Attributes:
        gold: labels of the rows, the most frequent first.
        predicted: labels of the columns; both end with ``NOTHING`` where it occurs.
        counts: (gold, predicted) → number of items.
    """

    gold: tuple[str, ...]
    predicted: tuple[str, ...]
    counts: Counter[tuple[str, str]]

    def shares(self, gold: str) -> list[float]:
        """The cells of a row as shares of it."""
        row = [self.counts[gold, label] for label in self.predicted]
        return [number / sum(row) for number in row]


def figures(runs: Sequence[Run]) -> list[Drawing]:
    """One heat map per experiment, of its last system, for the papers' full methods if there."""
    drawn = []
    analysed = full_systems(run for run in runs if run.results.analysis)
    for experiment, alike in by_experiment(analysed).items():
        chosen, note = newest_runs(alike)
        system = [*chosen[-1].results.analysis][-1]
        having = [run for run in chosen if system in run.results.analysis]
        confusion = select(having, system)
        if confusion.counts:
            group = next(iter(having[-1].results.analysis[system].breakdown), "label")
            title = f"confusion by {group}, {system} in {experiment}"
            caption = CAPTION.format(seeds=seeds_in_words(having)) + note
            name, figure = f"confusion-{experiment}", _draw(confusion)
            drawn.append(drawing(name, title, caption, run=runs[0], figure=figure))
    return drawn


def select(runs: Sequence[Run], system: str) -> Confusion:
    """The confusion of one system in runs that have it."""
    counts: Counter[tuple[str, str]] = Counter()
    for run in runs:
        for gold, predicted, number in run.results.analysis[system].confusion:
            counts[gold or NOTHING, predicted or NOTHING] += number
    totals: Counter[str] = Counter()
    for (gold, predicted), count in counts.items():
        totals[gold] += count
        totals[predicted] += 0
    labels = sorted(totals, key=lambda label: (label == NOTHING, -totals[label], label))
    return Confusion(tuple(label for label in labels if totals[label]), tuple(labels), counts)


def _draw(confusion: Confusion) -> Figure:
    figure, (axis,) = canvas(1, 1, min(WIDTH + 0.6, 2.2 + 0.36 * len(confusion.gold)))
    centred: dict[str, Any] = {"ha": "center", "va": "center", "size": 9}
    shares = [confusion.shares(gold) for gold in confusion.gold]
    image = axis.imshow(shares, cmap=SHARES, vmin=0, vmax=1, aspect="auto")
    for row, gold in enumerate(confusion.gold):
        for column, label in enumerate(confusion.predicted):
            if number := confusion.counts[gold, label]:
                colour = "white" if shares[row][column] > DARK else "black"
                axis.text(column, row, str(number), color=colour, **centred)
    _label(axis, confusion)
    figure.colorbar(image, ax=axis, label="share of the row", shrink=0.8)
    return figure


def _label(axis: Axes, confusion: Confusion) -> None:
    turned: dict[str, Any] = {"rotation": 45, "ha": "right", "rotation_mode": "anchor"}
    axis.set_xticks(range(len(confusion.predicted)), confusion.predicted, **turned)
    axis.set_yticks(range(len(confusion.gold)), confusion.gold)
    axis.set_xlabel("predicted")
    axis.set_ylabel("gold")
    axis.tick_params(length=0)
    axis.spines[:].set_visible(False)
