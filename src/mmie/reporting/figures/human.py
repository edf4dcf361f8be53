"""Figure 6 of JMERE-R1: does the teacher score chains as people do?

    python -m mmie.reporting.figures.human --human sheets/*.csv \\
        --candidates artifacts/distil/…/candidates.jsonl --out FOLDER

The people's scores are CSV files with a header and one line per score. The columns may stand in
any order and beside others; ``mmie.reporting.figures.sheets`` writes such files to be filled in:

    id,candidate,annotator,score
    train-00000,0,a1,0.8

``id`` is the sample and ``candidate`` the number of its chain (0 …). An ``annotator`` scores a
chain once, with 0..1. The teacher's scores come from the ``candidates.jsonl`` that stage distil
leaves. Chains whose teacher score could not be read are left out; the caption says how many.
"""

from __future__ import annotations

import csv
from collections.abc import Sequence
from pathlib import Path
from statistics import mean
from typing import NamedTuple

import matplotlib as mpl
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from mmie.distil.candidates import candidates_from_jsonl
from mmie.errors import InputError
from mmie.reporting.command import one_line_errors, parser
from mmie.reporting.figures.drawing import Drawing, canvas
from mmie.reporting.style import BACKGROUND, BLUE, LOOK

COLUMNS = ("id", "candidate", "annotator", "score")
VERDICT = "score"  # the teacher's verdict that people give as well
NEAR = 0.1  # difference that counts as agreement
BAR = 0.05  # width of a bar
ROUNDING = 1e-9
Chain = tuple[str, int]


class Agreement(NamedTuple):
    """``differences``: the teacher's score minus the mean of the people's, of each chain that both
    scored; ``annotators``: people who scored one of these; ``unreadable``: other chains that people
    scored, because the teacher's score could not be read."""

    differences: list[float]
    annotators: int
    unreadable: int

    @property
    def near(self) -> float:
        """The share of chains on which teacher and people agree."""
        return mean(abs(difference) <= NEAR + ROUNDING for difference in self.differences)


def agreement(human: Sequence[Path], candidates: Path) -> Drawing:
    """Histogram of the teacher's score minus the mean of the people's.

    Raises:
        InputError: a line is malformed or about an unknown chain, or no chain was scored by both.
    """
    found = select(human, candidates)
    title = f"Teacher score − human score, Figure 6: {100 * found.near:.0f} % within {NEAR}"
    caption = (
        "The teacher's score of a chain minus the mean of the people's:"
        f" {len(found.differences):,} chains, annotators: {found.annotators},"
        f" mean difference {mean(found.differences):+.2f}."
        f" Left out because the teacher's score is unreadable: {found.unreadable} chains."
    )
    with mpl.rc_context(LOOK):
        figure = _draw(found.differences)
        figure.suptitle(title)
    return Drawing("figure6-teacher-human", title, caption, figure)


def select(human: Sequence[Path], candidates: Path) -> Agreement:
    """The scores of the chains that both have scored; raises as ``agreement`` does."""
    teacher = {
        (one.example_id, one.index): one.verdicts.get(VERDICT)
        for one in candidates_from_jsonl(candidates)
    }
    people: dict[Chain, dict[str, float]] = {}
    for path in human:
        for where, chain, annotator, given in _read(path):
            if chain not in teacher:
                raise InputError(f"{where}: the teacher has no such chain; correct the line")
            if annotator in people.setdefault(chain, {}):
                raise InputError(f"{where}: {annotator} has scored this chain before; keep one")
            people[chain][annotator] = given
    scores = {chain: score for chain in people if (score := teacher[chain]) is not None}
    if not scores:
        files = ", ".join(map(str, human))
        raise InputError(f"{files}: no chain that {candidates} has a score of; score its chains")
    differences = [score - mean(people[chain].values()) for chain, score in scores.items()]
    annotators = {annotator for chain in scores for annotator in people[chain]}
    return Agreement(differences, len(annotators), len(people) - len(scores))


def _read(path: Path) -> list[tuple[str, Chain, str, float]]:
    """Each score of a sheet, with file and line, chain and annotator."""
    scores = []
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            reader = csv.DictReader(file, strict=True)
            for row in reader:
                where = f"{path}:{reader.line_num}"
                scores.append((where, *_parsed(row, where)))
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise InputError(f"{path}: cannot be read as CSV ({error}); save it as UTF-8") from error
    return scores


def _parsed(row: dict[str, str], where: str) -> tuple[Chain, str, float]:
    try:
        id, candidate, annotator, score = (row[name] for name in COLUMNS)
        chain, number = (id, int(candidate)), float(score)
        if not (id and annotator and 0 <= number <= 1) or None in row:
            raise ValueError
    except (LookupError, ValueError, TypeError) as error:
        columns = ",".join(COLUMNS)
        raise InputError(f"{where}: give {columns}, with a score of 0..1") from error
    return chain, annotator, number


def _draw(differences: Sequence[float]) -> Figure:
    """Bars stand on the multiples of their width, so that equal scores have a bar of their own."""
    figure, (axis,) = canvas(1, 1, 3.6)
    half = round(1 / BAR)
    edges = [(place - 0.5) * BAR for place in range(-half, half + 2)]
    axis.axvspan(-NEAR, NEAR, color=BACKGROUND, linewidth=0, zorder=0)
    axis.hist([round(difference, 9) for difference in differences], edges, color=BLUE, rwidth=0.9)
    axis.set_xlabel(f"teacher score − mean human score (grey: within {NEAR})")
    axis.set_ylabel("chains")
    axis.yaxis.set_major_locator(MaxNLocator(integer=True))
    reach = max(3 * NEAR, *map(abs, differences)) + BAR
    axis.set_xlim(-reach, reach)
    return figure


def main() -> None:
    made = parser("figures.human", __doc__, runs=False)
    made.add_argument("--human", type=Path, nargs="+", required=True, help="CSV files of scores")
    made.add_argument("--candidates", type=Path, required=True, help="of stage distil")
    made.add_argument("--out", type=Path, required=True, help="folder of the figure")
    given = made.parse_args()
    with one_line_errors():
        figure = agreement(given.human, given.candidates)
        for path in figure.save(given.out):
            print(path)
        print(figure.caption)


if __name__ == "__main__":
    main()
