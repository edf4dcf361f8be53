"""Sheets for the people of Figure 6 of JMERE-R1: which chains each of them scores.

    python -m mmie.reporting.figures.sheets --candidates artifacts/distil/…/candidates.jsonl \\
        --examples artifacts/data/…/train.jsonl --images FOLDER --out FOLDER

As in appendix B, 100 training samples are drawn with all their chains. Ten annotators form two
groups, four people of a group score each of its chains, and everybody has equally many. The paper
does not say who scores which chain within a group; here everybody skips every fifth chain, in turn.

A sheet is a CSV file with one line per chain. It has the columns that
``mmie.reporting.figures.human`` reads, with ``score`` left empty, then picture, text, gold and
chain. The teacher's score is not in it.
"""

from __future__ import annotations

import argparse
import csv
import random
from collections.abc import Sequence
from dataclasses import dataclass
from io import StringIO
from pathlib import Path
from typing import Any

from mmie.data.source import examples_from_jsonl
from mmie.distil.candidates import candidates_from_jsonl
from mmie.errors import InputError
from mmie.files import write_text
from mmie.reporting.command import one_line_errors
from mmie.reporting.figures.human import COLUMNS
from mmie.types import Candidate, Example

DETAILS = ("picture", "text", "gold", "chain")
FORMULA = ("=", "+", "-", "@")  # what a spreadsheet takes for the start of a formula


@dataclass(frozen=True, kw_only=True)
class Design:
    """``scores``: how many people score each chain; ``groups`` are equally large."""

    samples: int = 100
    annotators: int = 10
    groups: int = 2
    scores: int = 4
    seed: int = 0

    def __post_init__(self) -> None:
        if min(self.samples, self.annotators, self.groups, self.scores) < 1:
            raise InputError("--samples, --annotators, --groups, --scores: give at least 1 of each")
        size, left = divmod(self.annotators, self.groups)
        if left:
            raise InputError(
                f"--annotators: {self.annotators} do not make {self.groups} equal groups; change it"
            )
        if self.scores > size:
            raise InputError(
                f"--scores: {self.scores} for each chain, but a group has {size} people; change one"
            )


def write_sheets(
    candidates: Path, examples: Path, images: Path, out: Path, design: Design
) -> list[Path]:
    """Writes ``annotator-01.csv`` and so on, and returns their paths.

    An existing sheet may hold somebody's scores, so it is never overwritten.

    Raises:
        InputError: a file cannot be read or written, there are too few samples, or a sheet exists
            already.
    """
    loaded = examples_from_jsonl(examples, revive=lambda gold: gold, images=images)
    known = {example.id: example for example in loaded}
    drawn = draw(candidates_from_jsonl(candidates), design, candidates)
    for chains in drawn:
        if chains[0].example_id not in known:
            raise InputError(
                f"{examples}: sample {chains[0].example_id} of {candidates} is not in it;"
                " give that run's data"
            )
    numbered = enumerate(deal(drawn, design), start=1)
    sheets = {out / f"annotator-{number:02}.csv": chains for number, chains in numbered}
    for path in sheets:
        if path.exists():
            raise InputError(f"{path}: exists already and may hold scores; give another folder")
    for path, chains in sheets.items():
        write_text(path, _sheet(path.stem, chains, known))
    return [*sheets]


def draw(candidates: Sequence[Candidate], design: Design, where: Path) -> list[list[Candidate]]:
    """The chains of each drawn sample; samples with an empty chain are left out."""
    of_sample: dict[str, list[Candidate]] = {}
    for candidate in candidates:
        of_sample.setdefault(candidate.example_id, []).append(candidate)
    complete = [chains for chains in of_sample.values() if all(one.chain for one in chains)]
    if len(complete) < design.samples:
        raise InputError(
            f"{where}: {len(complete)} complete samples, not {design.samples}; lower --samples"
        )
    return random.Random(design.seed).sample(complete, design.samples)


def deal(drawn: Sequence[Sequence[Candidate]], design: Design) -> list[list[Candidate]]:
    """The chains of each annotator. A sample belongs to one group; people skip chains in turn."""
    size = design.annotators // design.groups
    sheets: list[list[Candidate]] = [[] for _ in range(design.annotators)]
    for group in range(design.groups):
        chains = [chain for sample in drawn[group :: design.groups] for chain in sample]
        for number, chain in enumerate(chains):
            # One further in each round, so that nobody skips all first chains of the samples.
            first = number + number // size
            for place in range(design.scores):
                sheets[group * size + (first + place) % size].append(chain)
    return sheets


def _sheet(annotator: str, chains: Sequence[Candidate], known: dict[str, Example]) -> str:
    text = StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow((*COLUMNS, *DETAILS))
    for chain in chains:
        example = known[chain.example_id]
        details = (_pictures(example), example.text, _gold(example.gold), chain.chain)
        writer.writerow((chain.example_id, chain.index, annotator, "", *map(_harmless, details)))
    return text.getvalue()


def _pictures(example: Example) -> str:
    return "; ".join(str(picture.path or "blank") for picture in example.pictures)


def _gold(gold: Any) -> str:
    return gold if isinstance(gold, str) else "; ".join(", ".join(fields) for fields in gold)


def _harmless(text: str) -> str:
    """A tweet may begin with @, which a spreadsheet would compute."""
    return f" {text}" if text.startswith(FORMULA) else text


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    paths = {
        "candidates": "candidates.jsonl of stage distil",
        "examples": "train.jsonl of stage data",
        "images": "folder of the pictures, data.images of that run",
        "out": "folder of the sheets",
    }
    for name, text in paths.items():
        parser.add_argument(f"--{name}", type=Path, required=True, help=text)
    for name in ("samples", "annotators", "groups", "scores", "seed"):
        parser.add_argument(
            f"--{name}",
            type=int,
            default=getattr(Design, name),
            help=f"default: {getattr(Design, name)}",
        )
    arguments = vars(parser.parse_args())
    with one_line_errors():
        candidates, examples, images, out = (arguments.pop(name) for name in paths)
        for path in write_sheets(candidates, examples, images, out, Design(**arguments)):
            print(path)


if __name__ == "__main__":
    main()
