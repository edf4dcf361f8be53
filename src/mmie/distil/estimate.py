"""What a distillation will ask and cost, before anything is asked.

The task's own chains node makes its requests, and instead of the teacher the record answers. Where
it has no answer, a text of the expected length stands in for one, so that the requests that would
follow are counted, too. A toy teacher costs nothing and foretells its answers, so that its requests
and tokens are exact.

A token is estimated as some characters of text. Pictures are counted by the rule that OpenAI has
published for GPT-4o: scaled down to 2,048 × 2,048, then to a shortest side of 768, they cost a base
and a price for each tile of 512 × 512.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import fmean
from typing import Any

from mmie.distil.candidates import Chains, run_to_end
from mmie.distil.ledger import tokens_of
from mmie.distil.record import Record
from mmie.distil.teacher import Request, Teacher
from mmie.files import read_jsonl
from mmie.spending import Tokens, price_of
from mmie.types import Example, Picture

LARGEST_SIDE, SHORTEST_SIDE, TILE = 2048, 768, 512  # pixels, OpenAI's guide "Images and vision"


@dataclass
class Asked:
    """Requests of one purpose.

    Attributes:
        recorded: requests whose answer is in the record.
        requests: those that are left; the numbers of tokens are theirs.
        foretold: those of them whose answer is known before it is asked for.
        prompt_tokens: of their texts and pictures.
        answer_tokens: of their answers, as expected.
    """

    recorded: int = 0
    requests: int = 0
    foretold: int = 0
    prompt_tokens: int = 0
    answer_tokens: int = 0

    def add(self, tokens: Tokens) -> None:
        """Counts one request that is left."""
        self.requests += 1
        self.prompt_tokens += tokens.prompt
        self.answer_tokens += tokens.answer


@dataclass(frozen=True)
class Sizes:
    """How large texts, pictures and answers are taken to be.

    Attributes:
        chars_per_token: of text.
        answers: purpose → tokens of an answer.
        default: tokens of an answer of any other purpose.
        picture: tokens of one picture.
    """

    chars_per_token: float
    answers: Mapping[str, float]
    default: float
    picture: Callable[[Picture], int]

    def text(self, text: str) -> int:
        return math.ceil(len(text) / self.chars_per_token)

    def answer(self, purpose: str) -> float:
        return self.answers.get(purpose, self.default)

    def stand_in(self, purpose: str) -> str:
        """A text as long as an answer of this purpose."""
        return "x" * max(1, round(self.answer(purpose) * self.chars_per_token))


def tile_tokens(size: tuple[int, int], *, base: int, tile: int) -> int:
    """Tokens of a picture of this width and height, at high detail.

    Args:
        size: in pixels.
        base: tokens of any picture.
        tile: tokens of each tile.
    """
    longest, shortest = max(size), min(size)
    scale = min(1.0, LARGEST_SIDE / longest, SHORTEST_SIDE / shortest)
    across, down = (math.ceil(side * scale / TILE) for side in size)
    return base + tile * across * down


def recorded_tokens(path: Path, *, chars_per_token: float) -> dict[str, float]:
    """Purpose → mean tokens of the whole answers in a record, as the server or else we count."""
    if not path.is_file():
        return {}
    lengths: dict[str, list[float]] = defaultdict(list)
    rows = read_jsonl(path, dict, what="a recorded answer", remedy="delete that line")
    for row in rows:
        if row.get("state", "whole") == "whole":
            usage = row.get("usage") or {}
            counted = usage.get("completion_tokens")
            lengths[row["purpose"]].append(counted or len(row["answer"]) / chars_per_token)
    return {purpose: fmean(values) for purpose, values in lengths.items()}


class Estimate:
    """Counts requests by purpose; one that the record answers is not left to ask.

    Args:
        teacher: who would be asked.
        record: what it has answered; None for nothing.
        sizes: of texts, pictures and answers.

    Attributes:
        asked: purpose → its requests.
    """

    def __init__(self, teacher: Teacher, record: Record | None, sizes: Sizes) -> None:
        self.asked: dict[str, Asked] = defaultdict(Asked)
        self._teacher = teacher
        self._record = record
        self._sizes = sizes
        self._seen: set[tuple[Any, ...]] = set()

    def ask(self, request: Request) -> str:
        """Counts a request, and gives the recorded answer or a text that stands in for one."""
        entry = self.asked[request.purpose]
        answer = self._record and self._record.known(self._teacher, request)
        if answer:
            entry.recorded += 1
            return answer.usable
        foretold = self._teacher.foretell(request)
        # Two equal samples are paid for once. What is asked about a chain is equal only if the
        # chains are, and these are written for the same gold answer.
        example = request.example
        gold = repr(example.gold) if request.chain else ""
        candidate, pictures = request.candidate, example.pictures
        question = (request.purpose, request.prompt, pictures, candidate, gold)
        if question not in self._seen:
            self._seen.add(question)
            counted = tokens_of(foretold) if foretold else None
            entry.add(counted or self._expected(request))
            entry.foretold += counted is not None
        return foretold.usable if foretold else self._sizes.stand_in(request.purpose)

    def _expected(self, request: Request) -> Tokens:
        pictures = [one for one in request.example.pictures if one.path is not None]
        prompt = self._sizes.text(request.prompt) + sum(map(self._sizes.picture, pictures))
        return Tokens(prompt, 0, round(self._sizes.answer(request.purpose)))


def estimate_distillation(
    examples: Sequence[Example],
    estimate: Estimate,
    *,
    candidates: int,
    chains: Chains,
    progress: Callable[[int], None],
) -> None:
    """Counts what ``mmie.distil.candidates.distil`` would ask.

    Every chain that is not there yet is taken to be usable, so all questions about it are counted.

    Args:
        examples, candidates, chains: see there.
        estimate: takes the counts.
        progress: called with the number of candidates that were counted.
    """

    async def walk() -> None:
        for example in examples:
            for index in range(candidates):
                await chains(_asker(estimate, example, index), example, index)
            progress(candidates)

    run_to_end(walk())


def _asker(estimate: Estimate, example: Example, index: int) -> Any:
    async def ask(purpose: str, prompt: str, *, chain: str = "") -> str:
        return estimate.ask(Request(purpose, example, index, prompt, chain))

    return ask


def dollars(asked: Sequence[Asked], prices: Mapping[str, float] | None) -> float | None:
    """What the requests that are left cost; None where the prices are not known.

    Args:
        asked: the requests.
        prices: see ``mmie.spending.price_of``. No prompt is taken to be cached.
    """
    prompts = sum(entry.prompt_tokens for entry in asked)
    answers = sum(entry.answer_tokens for entry in asked)
    return price_of(Tokens(prompts, 0, answers), prices)
