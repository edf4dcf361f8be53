"""Sheets for the people of Figure 6 of JMERE-R1: which chains each of them scores.

    python -m mmie.reporting.figures.sheets --candidates artifacts/distil/…/candidates.jsonl \\
        --examples artifacts/data/…/train.jsonl --images FOLDER --out FOLDER [--samples N]

As in appendix B, 100 training samples are drawn with all their chains. Ten annotators form two
groups, four people of a group score each of its chains, and everybody has equally many. The paper
does not say who scores which chain within a group; here everybody skips every fifth chain, in turn.

A sheet is a CSV file with one line per chain. It has the columns that
``mmie.reporting.figures.human`` reads, with ``score`` left empty, then picture, text, gold and
chain. The teacher's score is not in it.
"""

from __future__ import annotations

import random
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pandas as pd

from mmie.data.source import examples_from_jsonl
from mmie.distil.candidates import candidates_from_jsonl
from mmie.errors import InputError
from mmie.files import write_text
from mmie.reporting.command import one_line_errors, parser
from mmie.types import Candidate, Example

SAMPLES, GROUPS, PEOPLE = 100, 2, 5  # people of one group
SCORES = 4  # people who score one chain
FORMULA = ("=", "+", "-", "@")  # what a spreadsheet takes for the start of a formula


def write_sheets(
    candidates: Path, examples: Path, images: Path, out: Path, *, samples: int = SAMPLES
) -> list[Path]:
    """Writes ``annotator-01.csv`` and so on, and returns their paths.

    An existing sheet may hold somebody's scores, so it is never overwritten.

    Raises:
        InputError: a file cannot be read or written, there are too few samples, or a sheet exists
            already.
    """
    loaded = examples_from_jsonl(examples, revive=lambda gold: gold, images=images)
    known = {example.id: example for example in loaded}
    drawn = draw(candidates_from_jsonl(candidates), samples, candidates)
    for chains in drawn:
        if (id := chains[0].example_id) not in known:
            raise InputError(f"{examples}: {id} of {candidates} is not in it; give that run's data")
    sheets = {out / f"annotator-{at:02}.csv": of for at, of in enumerate(deal(drawn), start=1)}
    for path in sheets:
        if path.exists():
            raise InputError(f"{path}: exists already and may hold scores; give another folder")
    for path, own in sheets.items():
        rows = [_row(chain, path.stem, known[chain.example_id]) for chain in own]
        write_text(path, pd.DataFrame(rows).to_csv(index=False, lineterminator="\n"))
    return [*sheets]


def draw(candidates: Sequence[Candidate], samples: int, where: Path) -> list[list[Candidate]]:
    """The chains of each drawn sample; samples with an empty chain are left out."""
    of_sample: dict[str, list[Candidate]] = {}
    for candidate in candidates:
        of_sample.setdefault(candidate.example_id, []).append(candidate)
    complete = [chains for chains in of_sample.values() if all(one.chain for one in chains)]
    if not 1 <= samples <= len(complete):
        raise InputError(f"{where}: {len(complete)} complete samples, not {samples}; set --samples")
    return random.Random(0).sample(complete, samples)


def deal(drawn: Sequence[Sequence[Candidate]]) -> list[list[Candidate]]:
    """The chains of each annotator. A sample belongs to one group; people skip chains in turn."""
    sheets: list[list[Candidate]] = [[] for _ in range(GROUPS * PEOPLE)]
    for group in range(GROUPS):
        chains = [chain for sample in drawn[group::GROUPS] for chain in sample]
        for number, chain in enumerate(chains):
            # One further in each round, so that nobody skips all first chains of the samples.
            first = number + number // PEOPLE
            for place in range(SCORES):
                sheets[group * PEOPLE + (first + place) % PEOPLE].append(chain)
    return sheets


def _row(chain: Candidate, annotator: str, example: Example) -> dict[str, Any]:
    own = {"id": chain.example_id, "candidate": chain.index, "annotator": annotator, "score": ""}
    pictures = "; ".join(str(picture.path or "blank") for picture in example.pictures)
    details = {
        "picture": pictures,
        "text": example.text,
        "gold": _gold(example.gold),
        "chain": chain.chain,
    }
    return {**own, **{name: _harmless(text) for name, text in details.items()}}


def _gold(gold: Any) -> str:
    return gold if isinstance(gold, str) else "; ".join(", ".join(fields) for fields in gold)


def _harmless(text: str) -> str:
    """A tweet may begin with @, which a spreadsheet would compute."""
    return f" {text}" if text.startswith(FORMULA) else text


def main() -> None:
    made = parser("figures.sheets", __doc__, runs=False)
    made.add_argument("--candidates", type=Path, required=True, help="of stage distil")
    made.add_argument("--examples", type=Path, required=True, help="train.jsonl of stage data")
    made.add_argument("--images", type=Path, required=True, help="data.images of that run")
    made.add_argument("--out", type=Path, required=True, help="folder of the sheets")
    made.add_argument("--samples", type=int, default=SAMPLES, help=f"default: {SAMPLES}")
    given = made.parse_args()
    with one_line_errors():
        for path in write_sheets(**vars(given)):
            print(path)


if __name__ == "__main__":
    main()
