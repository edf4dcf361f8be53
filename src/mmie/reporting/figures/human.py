"""Figure 6 of JMERE-R1: does the teacher score chains as people do?

    python -m mmie.reporting.figures.human --human sheets/*.csv --candidates artifacts/distil/…/candidates.jsonl --out FOLDER

The people's scores are CSV files with a header, one line for each score, columns in any order and others beside them
(``mmie.reporting.figures.sheets`` writes such files, one for each annotator, to be filled in):

    id,candidate,annotator,score
    train-00000,0,a1,0.8

``id`` is the sample, ``candidate`` the number of its chain (0 …), ``annotator`` whoever scored, once a chain, and ``score``
0..1. The teacher's scores are those of a ``candidates.jsonl`` as stage distil leaves it: ``example_id``, ``index``, ``score``.
A chain that the teacher's score could not be read of is left out, and the caption says how many are.
"""

from __future__ import annotations

import argparse
import csv
import sys
from collections import defaultdict
from collections.abc import Iterable, Sequence
from pathlib import Path
from statistics import mean

import matplotlib as mpl
from matplotlib.ticker import MaxNLocator

from mmie.distil.candidates import candidates_from_jsonl
from mmie.errors import InputError
from mmie.reporting.figures.drawing import COLOURS, LOOK, Drawing, canvas

COLUMNS = ("id", "candidate", "annotator", "score")
NEAR, WIDTH = 0.1, 0.05  # what counts as agreement; width of a bar
Chain = tuple[str, int]


def agreement(human: Sequence[Path], candidates: Path) -> Drawing:
    """Histogram of the teacher's score minus the mean of the people's, over the chains that both scored.

    Raises:
        InputError: a line is something else, is of no chain of the teacher's, or there is no chain in common.
    """
    teacher = _teacher_scores(candidates)
    people: dict[Chain, dict[str, float]] = defaultdict(dict)
    for path in human:
        _read_scores(path, teacher, people)
    scored = {chain: score for chain in people if (score := teacher[chain]) is not None}
    if not scored:
        raise InputError(
            f"{', '.join(map(str, human))}: no chain that {candidates} has a score of; give the people's scores of its chains"
        )
    differences = [score - mean(people[chain].values()) for chain, score in scored.items()]
    annotators = len({annotator for chain in scored for annotator in people[chain]})
    near = sum(abs(difference) <= NEAR + 1e-9 for difference in differences) / len(differences)
    title = f"Teacher score − human score, Figure 6: {100 * near:.0f} % within {NEAR}"
    caption = (
        f"The teacher's score of a chain minus the mean of the people's: {len(scored):,} chains, annotators: {annotators}, mean difference"
        f" {mean(differences):+.2f}. Left out because the teacher's score is unreadable: {len(people) - len(scored)} chains."
    )
    with mpl.rc_context(LOOK):
        return _histogram(differences, title, caption)


def _histogram(differences: Sequence[float], title: str, caption: str) -> Drawing:
    """Bars stand on the multiples of their width, so that equal scores have one of their own."""
    figure, (axis,) = canvas(1, 1, 3.6)
    half = round(1 / WIDTH)
    edges = [(place - 0.5) * WIDTH for place in range(-half, half + 2)]
    axis.axvspan(-NEAR, NEAR, color="#E8E8E8", linewidth=0, zorder=0)
    axis.hist(
        [round(difference, 9) for difference in differences],
        bins=edges,
        color=COLOURS[0],
        rwidth=0.9,
    )
    axis.set_xlabel(f"teacher score − mean human score (grey: within {NEAR})")
    axis.set_ylabel("chains")
    axis.yaxis.set_major_locator(MaxNLocator(integer=True))
    reach = max(3 * NEAR, *map(abs, differences)) + WIDTH
    axis.set_xlim(-reach, reach)
    figure.suptitle(title)
    return Drawing("figure6-teacher-human", title, caption, figure)


def _teacher_scores(path: Path) -> dict[Chain, float | None]:
    found: dict[Chain, float | None] = {}
    for line, candidate in enumerate(candidates_from_jsonl(path), start=1):
        chain, score = (candidate.example_id, candidate.index), candidate.verdicts.get("score")
        if (
            score is not None
            and (type(score) not in (int, float) or not 0 <= score <= 1)
            or type(chain[1]) is not int
        ):
            raise InputError(
                f"{path}:{line}: index {chain[1]!r}, score {score!r}: not a whole number and 0..1; distil again"
            )
        found[chain] = score
    return found


def _read_scores(path: Path, known: Iterable[Chain], found: dict[Chain, dict[str, float]]) -> None:
    """Adds a file's scores: chain → annotator → score."""
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            reader = csv.DictReader(file, strict=True)
            if missing := [column for column in COLUMNS if column not in (reader.fieldnames or ())]:
                raise InputError(
                    f"{path}:1: no column {missing[0]}; the header is {','.join(COLUMNS)}"
                )
            for row in reader:
                chain, annotator, score = _row(row, f"{path}:{reader.line_num}")
                where = f"{path}:{reader.line_num}"
                if chain not in known:
                    raise InputError(
                        f"{where}: {chain[0]}, candidate {chain[1]} is no chain of the teacher's; correct the line"
                    )
                if annotator in found[chain]:
                    raise InputError(
                        f"{where}: {annotator} has scored this chain before; keep one of the lines"
                    )
                found[chain][annotator] = score
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise InputError(
            f"{path}: cannot be read as CSV ({error}); save it as UTF-8 with the columns {','.join(COLUMNS)}"
        ) from error


def _row(row: dict[str, str], where: str) -> tuple[Chain, str, float]:
    if row["score"] == "":
        raise InputError(f"{where}: not scored yet; fill in a score of 0..1, or take the line out")
    try:
        candidate, score = int(row["candidate"]), float(row["score"])
    except (ValueError, TypeError) as error:
        raise InputError(
            f"{where}: candidate {row['candidate']!r}, score {row['score']!r}: give a whole number and 0..1"
        ) from error
    if not 0 <= score <= 1 or not row["id"] or not row["annotator"] or None in row:
        raise InputError(
            f"{where}: score {score:g}, id {row['id']!r}, annotator {row['annotator']!r}: give a score 0..1 and both names"
        )
    return (row["id"], candidate), row["annotator"], score


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--human", type=Path, nargs="+", required=True, help="CSV files of scores")
    for name, told in (
        ("candidates", "candidates.jsonl of stage distil"),
        ("out", "folder of the figure"),
    ):
        parser.add_argument(f"--{name}", type=Path, required=True, help=told)
    arguments = parser.parse_args()
    try:
        drawn = agreement(arguments.human, arguments.candidates)
        for path in drawn.save(arguments.out):
            print(path)
        print(drawn.caption)
    except InputError as error:
        print(f"error: {error}", file=sys.stderr)
        sys.exit(2)


if __name__ == "__main__":
    main()
