"""The answers of several systems, put together by sample."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from mmie.errors import InputError
from mmie.parsing import parse_response
from mmie.reporting.casebook.answers import Answer, Model
from mmie.types import Picture

RIGHT, PARTLY, WRONG = "right", "partly", "wrong"

# What a step begins with: a new line, ``Step 2:`` or a heading. The possessive quantifiers keep the
# time linear in the length of the chain.
_STEP = re.compile(
    r"\n+|(?<!\s)\s++(?=step\s*+\d++\s*+:)|(?<=[.!?])\s++(?=\w[\w -]{0,24}:\s)", re.IGNORECASE
)


@dataclass(frozen=True)
class Case:
    """One sample with the answer of each system, None where a system has none to it."""

    id: str
    text: str
    fields: dict[str, str]
    gold: tuple[tuple[str, ...], ...]
    pictures: tuple[Picture, ...]
    answers: tuple[Answer | None, ...]

    @property
    def labels(self) -> list[str]:
        """The labels of the gold parts, each once."""
        return [*dict.fromkeys(part[-1] for part in self.gold)]


def merged(models: Sequence[Model], limit: int | None = None) -> list[Case]:
    """The first ``limit`` samples, in the order in which they come.

    Raises:
        InputError: two files have the same id with another text or gold.
    """
    first: dict[str, tuple[Answer, Model]] = {}
    for model in models:
        for answer in model.answers.values():
            known, other = first.setdefault(answer.id, (answer, model))
            _check(
                answer,
                known,
                f"{model.path}: sample {answer.id} has another",
                f"than in {other.path}",
            )
    return [
        _case(answer, [model.answers.get(answer.id) for model in models])
        for answer, _ in [*first.values()][:limit]
    ]


def verdict(answer: Answer) -> str:
    """``right`` (all of it), ``partly`` (a part is right), ``wrong``, or why it cannot be read.

    An answer of which nothing can be read begins with the part that says why.
    """
    parts = answer.judged
    kinds = [part.kind for part in parts]
    if not any(kinds):
        return RIGHT
    nothing_said = not any(part.said for part in parts)
    if nothing_said and (parts[0].meant is None or not answer.readable):
        return kinds[0]
    return PARTLY if "" in kinds else WRONG


def steps(chain: str) -> list[str]:
    """The chain, cut at its lines and before sentences that begin with a heading (``Step 2: …``)."""
    return [step.strip() for step in _STEP.split(chain) if step.strip()]


def told(answer: Answer) -> dict[str, Any]:
    """An answer as the page has it; ``raw`` is what could not be read."""
    response = parse_response(answer.response)
    raw = answer.response if response is None else response.answer
    return {
        "verdict": verdict(answer),
        "parts": answer.judged,
        "steps": steps(response.think) if response else [],
        "raw": "" if answer.readable and not answer.invalid else raw,
    }


def _check(answer: Answer, known: Answer, what: str, where: str) -> None:
    for field in ("text", "gold"):
        if getattr(answer, field) != getattr(known, field):
            raise InputError(f"{what} {field} {where}; give runs over the same test set")


def _case(first: Answer, answers: Sequence[Answer | None]) -> Case:
    """The pictures are those of the first run that still has them, the fields those of all."""
    given = [answer for answer in answers if answer]
    there = (
        answer.pictures
        for answer in given
        if all(picture.path and picture.path.is_file() for picture in answer.pictures)
    )
    fields = {key: value for answer in reversed(given) for key, value in answer.fields.items()}
    return Case(
        id=first.id,
        text=first.text,
        fields=fields,
        gold=_parts(first.gold),
        pictures=next(there, first.pictures),
        answers=tuple(answers),
    )


def _parts(gold: Any) -> tuple[tuple[str, ...], ...]:
    """Gold, a JSON value, as parts of text: a list of lists, or one value that is the only part."""
    if not isinstance(gold, list):
        return ((str(gold),),)
    return tuple(tuple(map(str, part)) if isinstance(part, list) else (str(part),) for part in gold)
