"""What the teachers of toy worlds share.

They write from templates and err at set rates, so that the filters have something to catch. Their
answers cost nothing, and every word of question and answer counts as a token. They look at no
picture, so pictures have none.
"""

from __future__ import annotations

import random
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

from mmie.distil.answer import Answer
from mmie.distil.teacher import Request
from mmie.errors import InputError
from mmie.toy import words
from mmie.types import Example

ANSWER_IS_KNOWN = (
    "zero_shot.systems: a toy teacher knows the right answers and cannot be evaluated; "
    "use teacher=openai"
)


class ScriptedTeacher(ABC):
    """A teacher that knows the scene (``Example.extra``) and answers the task's own requests.

    Errors are drawn for each candidate from the seed, so the same request always has the same
    answer.

    Args:
        seed: of the errors.
        rates: kind of error → share of the candidates that have it.

    Attributes:
        model: the name under which answers are recorded.
        known_by: a key of ``extra`` that tells the teacher's own world.
        choice: the value of ``teacher`` that chooses it.

    Raises:
        InputError: a rate is no share.
    """

    model: ClassVar[str]
    known_by: ClassVar[str]
    choice: ClassVar[str]
    concurrency = 1
    max_pixels = 1 << 22
    max_refused = 0.0
    price: ClassVar[Mapping[str, float] | None] = {"input": 0.0, "output": 0.0}
    budget = None
    in_batches = None

    def __init__(self, *, seed: int, rates: Mapping[str, float]) -> None:
        for name, rate in rates.items():
            if not 0 <= rate <= 1:
                raise InputError(f"teacher.{name}={rate}: a share between 0 and 1 is needed")
        self.seed = seed
        self.rates = dict(rates)
        self.parameters: Mapping[str, Any] = {"seed": seed, **rates}

    @abstractmethod
    def write(self, request: Request) -> str:
        """The answer to a request of the task's chains."""

    def subject(self, example: Example) -> str:
        """What tells the sample from others of the world."""
        return example.text

    async def ask(self, request: Request) -> Answer:
        """The answer of ``write``.

        Raises:
            InputError: the sample is of another world, or the teacher is to do the task itself.
        """
        return self.foretell(request)

    def foretell(self, request: Request) -> Answer:
        """What ``ask`` answers, which a plan may know before."""
        if request.purpose == "answer":
            raise InputError(ANSWER_IS_KNOWN)
        if self.known_by not in request.example.extra:
            reason = f"teacher={self.choice} knows its own toy world only"
            raise InputError(
                f"sample {request.example.id}: {reason}: use teacher=openai for other data"
            )
        text = self.write(request)
        counts = {"prompt_tokens": words_in(request.prompt), "completion_tokens": words_in(text)}
        return Answer(text, details={"usage": counts})

    def worst_case(self, request: Request) -> float:
        """A template costs nothing."""
        return 0.0

    async def close(self) -> None:
        """There is nothing to close."""
        return

    def errs(self, request: Request, kind: str) -> bool:
        """Whether the request's candidate has this kind of error."""
        return self.rng(request, kind).random() < self.rates[kind]

    def rng(self, request: Request, kind: str) -> random.Random:
        """Random numbers of one kind of error in the request's candidate."""
        subject = self.subject(request.example)
        return random.Random(f"{self.seed}-{kind}-{subject}-{request.candidate}")


def words_in(text: str) -> int:
    """The tokens of a text for the teachers of toy worlds."""
    return len(text.split())


def misname(icons: Sequence[tuple[str, str]], rng: random.Random) -> list[tuple[str, str]]:
    """The icons ``(colour, name)``, one of them under the name of an icon that is not there."""
    place = rng.randrange(len(icons))
    names = {icon for _, icon in icons}
    wrong = rng.choice([icon for icon in words.ICONS if icon not in names])
    return [*icons[:place], (rng.choice(list(words.COLOURS)), wrong), *icons[place + 1 :]]
