"""The teacher of MORE-R1's toy world: six steps from templates with set error rates, so that the rule filter has something to catch.

It knows the scene (``Example.extra``) and takes both types from there, not from the label, so ``none`` samples have them, too.
Errors are drawn per candidate from the seed, so the same request always has the same answer.
"""

from __future__ import annotations

import random
from collections.abc import Mapping
from typing import Any

from mmie.distil.answer import Answer
from mmie.distil.teacher import Request
from mmie.errors import InputError
from mmie.tasks.jmere.toy_teacher import NO_ANSWERS, check_rates, misname
from mmie.tasks.more.metrics import NONE
from mmie.tasks.more.toy_world import MORE_LABELS, OBJECTS, SAID, label_of, relations_of
from mmie.types import Example

RELATIONS = [label.rpartition("/")[2] for label in MORE_LABELS]


class MORETemplateTeacher:
    """A teacher made of templates.

    Args:
        seed: of its errors.
        wrong_description: share of chains in which one icon of the picture is misnamed, throughout the chain.
        wrong_reason: share that decide for another relation of the type pair, or of any where ``none`` is all that the pair has.
        broken_format: share in which one of the six steps is missing.
    """

    model = "more-template"
    concurrency = 1
    max_pixels = 1 << 22
    max_refused = 0.0

    def __init__(
        self, *, seed: int = 0, wrong_description: float, wrong_reason: float, broken_format: float
    ) -> None:
        self.rates = {
            "wrong_description": wrong_description,
            "wrong_reason": wrong_reason,
            "broken_format": broken_format,
        }
        check_rates(self.rates)
        self.seed = seed
        self.parameters: Mapping[str, Any] = {"seed": seed, **self.rates}

    async def ask(self, request: Request) -> Answer:
        """The chain; needs the toy world's scene in ``extra``."""
        if request.purpose == "answer":
            raise InputError(NO_ANSWERS)
        if "verb" not in request.example.extra:
            raise InputError(
                f"sample {request.example.id}: teacher=more_toy knows MORE's toy world only: use teacher=openai for other data"
            )
        steps = self._steps(request)
        if self._errs(request, "broken_format"):
            del steps[self._rng(request, "step").randrange(len(steps))]
        return Answer(" ".join(steps))

    async def close(self) -> None:
        """Nothing to close."""

    def _errs(self, request: Request, kind: str) -> bool:
        return self._rng(request, kind).random() < self.rates[kind]

    def _rng(self, request: Request, kind: str) -> random.Random:
        example = request.example
        asked = f"{example.text}-{example.extra['object']}-{example.extra['entity']}"
        return random.Random(f"{self.seed}-{kind}-{asked}-{request.candidate}")

    def _steps(self, request: Request) -> list[str]:
        extra = request.example.extra
        kind = dict(extra["entities"])[extra["entity"]]
        object_type, _ = OBJECTS[extra["object"]]
        options = [*relations_of(object_type, kind), NONE]
        relation = request.example.gold.rpartition("/")[2]
        if self._errs(request, "wrong_reason"):
            others = [option for option in options if option != relation] or RELATIONS
            relation = self._rng(request, "relation").choice(others)
        icons = [(colour, icon) for colour, icon, _ in extra["icons"]]
        place = [icon for _, icon in icons].index(extra["object"])
        if self._errs(request, "wrong_description"):
            icons = misname(icons, self._rng(request, "icons"))
        described = [f"a {colour} {icon}" for colour, icon in icons]
        verb = f" and {extra['verb']}" if (extra["object"], kind, extra["verb"]) in SAID else ""
        texts = [
            f"{' , '.join(described)} . the crop is {described[place]}",
            f"{'match' if _matches(request.example) else 'no match'} , the text says {extra['verb'] or extra['entity']}",
            "no name is the object",
            f"object {object_type} , {extra['entity']} {kind}",
            " , ".join(options),
            f"{icons[place][1]} and {kind}{verb} means {relation}",
        ]
        return [f"step {number} : {text} ." for number, text in enumerate(texts, start=1)]


def _matches(example: Example) -> bool:
    """Whether any icon of the picture has a relation with any entity of the text."""
    extra = example.extra
    return any(
        label_of(icon, kind, extra["verb"]) != NONE
        for _, icon, _ in extra["icons"]
        for _, kind in extra["entities"]
    )
