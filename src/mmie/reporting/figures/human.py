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

import argparse
import csv
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import mean

import matplotlib as mpl
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from mmie.distil.candidates import candidates_from_jsonl
from mmie.errors import InputError
from mmie.reporting.command import one_line_errors
from mmie.reporting.figures.drawing import Drawing, canvas
from mmie.reporting.style import BACKGROUND, BLUE, LOOK

COLUMNS = ("id", "candidate", "annotator", "score")
VERDICT = "score"  # the teacher's verdict that people give as well
NEAR = 0.1  # difference that counts as agreement
BAR = 0.05  # width of a bar
ROUNDING = 1e-9
Chain = tuple[str, int]
People = dict[Chain, dict[str, float]]


@dataclass(frozen=True)
class Agreement:
    """The teacher's scores beside people's.

    Attributes:
        differences: teacher minus mean of the people, of each chain that both scored.
        annotators: number of people who scored one of these chains.
        unreadable: chains that people scored and whose teacher score is unreadable.
    """

    differences: tuple[float, ...]
    annotators: int
    unreadable: int

    @property
    def near(self) -> float:
        """The share of chains on which teacher and people agree."""
        agreeing = [abs(difference) <= NEAR + ROUNDING for difference in self.differences]
        return sum(agreeing) / len(agreeing)


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
    teacher = _teacher_scores(candidates)
    people: People = {}
    for path in human:
        _read_scores(path, teacher, people)
    scores = {chain: score for chain in people if (score := teacher[chain]) is not None}
    if not scores:
        raise InputError(
            f"{', '.join(map(str, human))}: no chain that {candidates} has a score of;"
            " give the people's scores of its chains"
        )
    differences = tuple(score - mean(people[chain].values()) for chain, score in scores.items())
    annotators = {annotator for chain in scores for annotator in people[chain]}
    return Agreement(differences, len(annotators), len(people) - len(scores))


def _draw(differences: Sequence[float]) -> Figure:
    """Bars stand on the multiples of their width, so that equal scores have a bar of their own."""
    figure, (axis,) = canvas(1, 1, 3.6)
    half = round(1 / BAR)
    edges = [(place - 0.5) * BAR for place in range(-half, half + 2)]
    axis.axvspan(-NEAR, NEAR, color=BACKGROUND, linewidth=0, zorder=0)
    rounded = [round(difference, 9) for difference in differences]
    axis.hist(rounded, bins=edges, color=BLUE, rwidth=0.9)
    axis.set_xlabel(f"teacher score − mean human score (grey: within {NEAR})")
    axis.set_ylabel("chains")
    axis.yaxis.set_major_locator(MaxNLocator(integer=True))
    reach = max(3 * NEAR, *map(abs, differences)) + BAR
    axis.set_xlim(-reach, reach)
    return figure


def _teacher_scores(path: Path) -> dict[Chain, float | None]:
    scores: dict[Chain, float | None] = {}
    for line, candidate in enumerate(candidates_from_jsonl(path), start=1):
        index, score = candidate.index, candidate.verdicts.get(VERDICT)
        good = score is None or type(score) in (int, float) and 0 <= score <= 1
        if not good or type(index) is not int:
            raise InputError(
                f"{path}:{line}: index {index!r}, score {score!r}: not a whole number and 0..1;"
                " distil again"
            )
        scores[candidate.example_id, index] = score
    return scores


def _read_scores(path: Path, known: Collection[Chain], people: People) -> None:
    """Adds a file's scores to ``people``: chain → annotator → score."""
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            reader = csv.DictReader(file, strict=True)
            missing = [name for name in COLUMNS if name not in (reader.fieldnames or ())]
            if missing:
                raise InputError(
                    f"{path}:1: no column {missing[0]}; the header is {','.join(COLUMNS)}"
                )
            for row in reader:
                _add_score(row, f"{path}:{reader.line_num}", known, people)
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise InputError(
            f"{path}: cannot be read as CSV ({error});"
            f" save it as UTF-8 with the columns {','.join(COLUMNS)}"
        ) from error


def _add_score(row: dict[str, str], where: str, known: Collection[Chain], people: People) -> None:
    chain, annotator, score = _parse(row, where)
    if chain not in known:
        raise InputError(
            f"{where}: {chain[0]}, candidate {chain[1]} is not one of the teacher's chains;"
            " correct the line"
        )
    scores = people.setdefault(chain, {})
    if annotator in scores:
        raise InputError(
            f"{where}: {annotator} has scored this chain before; keep one of the lines"
        )
    scores[annotator] = score


def _parse(row: dict[str, str], where: str) -> tuple[Chain, str, float]:
    if row["score"] == "":
        raise InputError(f"{where}: not scored yet; fill in a score of 0..1, or delete the line")
    try:
        candidate, score = int(row["candidate"]), float(row["score"])
    except (ValueError, TypeError) as error:
        raise InputError(
            f"{where}: candidate {row['candidate']!r}, score {row['score']!r}:"
            " give a whole number and 0..1"
        ) from error
    if not 0 <= score <= 1 or not row["id"] or not row["annotator"] or None in row:
        raise InputError(
            f"{where}: score {score:g}, id {row['id']!r}, annotator {row['annotator']!r}:"
            " give a score of 0..1 and both names"
        )
    return (row["id"], candidate), row["annotator"], score


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--human", type=Path, nargs="+", required=True, help="CSV files of scores")
    for name, text in (
        ("candidates", "candidates.jsonl of stage distil"),
        ("out", "folder of the figure"),
    ):
        parser.add_argument(f"--{name}", type=Path, required=True, help=text)
    arguments = parser.parse_args()
    with one_line_errors():
        figure = agreement(arguments.human, arguments.candidates)
        for path in figure.save(arguments.out):
            print(path)
        print(figure.caption)


if __name__ == "__main__":
    main()
