"""The answers of several models, put together by sample and judged."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from mmie.error_kinds import INVALID, TRUNCATED
from mmie.errors import InputError
from mmie.parsing import parse_response
from mmie.reporting.casebook.answers import Answer, Gold, Model
from mmie.tasks.jmere.errors import paired, quintuple_errors
from mmie.tasks.more.errors import label_errors
from mmie.types import Picture

RIGHT, PARTLY, WRONG = "right", "partly", "wrong"

# What a step begins with: a new line, ``Step 2:`` or a heading. A run of white space is looked at
# from its beginning only and given back never, so that the time grows with the length alone.
_STEP = re.compile(
    r"\n+|(?<!\s)\s++(?=step\s*+\d++\s*+:)|(?<=[.!?])\s++(?=\w[\w -]{0,24}:\s)", re.IGNORECASE
)


class Judged(NamedTuple):
    """A part of an answer beside the gold that it is meant for, as fields (one, or a quintuple's five), and its error kind.

    ``said`` is None for what was missed, ``meant`` for what is invented, both for what cannot be read; ``kind`` is "" where
    all is right.
    """

    said: tuple[str, ...] | None
    meant: tuple[str, ...] | None
    kind: str


@dataclass(frozen=True)
class Case:
    """One sample with the answer of each model, None where a model has none to it."""

    id: str
    text: str
    entity: str
    gold: Gold
    pictures: tuple[Picture, ...]
    answers: tuple[Answer | None, ...]

    @property
    def relations(self) -> list[str]:
        """The gold relations, each once."""
        return (
            [self.gold]
            if isinstance(self.gold, str)
            else [*dict.fromkeys(quintuple.relation for quintuple in self.gold)]
        )


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


def judge(answer: Answer) -> list[Judged]:
    """The parts of an answer: right ones first, then slips, what is invented, what is missed; an unreadable answer begins with that."""
    if isinstance(answer.gold, str):
        said = None if answer.parsed is None else str(answer.parsed)
        kinds = label_errors(said, answer.gold, truncated=answer.truncated)
        return [Judged(None if said is None else (said,), (answer.gold,), next(iter(kinds), ""))]
    assert not isinstance(answer.parsed, str)
    cut = answer.parsed is None and answer.truncated
    tried = max(answer.invalid, int(answer.parsed is None))
    unreadable = [Judged(None, None, TRUNCATED)] if cut else [Judged(None, None, INVALID)] * tried
    pairs = paired(answer.parsed, answer.gold)
    kinds_of = (
        quintuple_errors([said] if said else [], [meant] if meant else []) for said, meant in pairs
    )
    return unreadable + [
        Judged(said, meant, next(iter(kinds), ""))
        for (said, meant), kinds in zip(pairs, kinds_of, strict=True)
    ]


def verdict(parts: Sequence[Judged]) -> str:
    """``right`` (all of it), ``partly`` (a quintuple is right), ``wrong``, or why nothing of it can be read."""
    kinds = [part.kind for part in parts]
    if not any(kinds):
        return RIGHT
    if any(part.said for part in parts):
        return PARTLY if "" in kinds else WRONG
    return next(
        (kind for kind in kinds if kind in (INVALID, TRUNCATED)), PARTLY if "" in kinds else WRONG
    )


def steps(chain: str) -> list[str]:
    """The chain cut at its lines and where a sentence begins with a heading: ``Step 2: …``, ``link : …``."""
    return [step.strip() for step in _STEP.split(chain) if step.strip()]


def told(answer: Answer) -> dict[str, Any]:
    """An answer as the page has it; ``raw`` is what could not be read."""
    parts, response = judge(answer), parse_response(answer.response)
    raw = answer.response if response is None else response.answer
    return {
        "verdict": verdict(parts),
        "parts": parts,
        "steps": steps(response.think) if response else [],
        "raw": raw if answer.parsed is None or answer.invalid else "",
    }


def _check(answer: Answer, known: Answer, what: str, where: str) -> None:
    for field in ("text", "gold"):
        if getattr(answer, field) != getattr(known, field):
            raise InputError(f"{what} {field} {where}; give runs over the same test set")


def _case(first: Answer, answers: Sequence[Answer | None]) -> Case:
    """Pictures are those of the first run that still has them, the entity that of the first that tells it."""
    given = [answer for answer in answers if answer]
    there = (
        answer.pictures
        for answer in given
        if all(picture.path and picture.path.is_file() for picture in answer.pictures)
    )
    entity = next((answer.entity for answer in given if answer.entity), "")
    return Case(
        first.id, first.text, entity, first.gold, next(there, first.pictures), tuple(answers)
    )
