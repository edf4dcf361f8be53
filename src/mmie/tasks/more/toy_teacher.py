"""The teacher of MORE-R1's toy world: chains of six steps.

It takes both types from the scene and not from the label, so ``none`` samples have them as well.
"""

from __future__ import annotations

from itertools import product
from typing import ClassVar

from mmie.distil.teacher import Request
from mmie.tasks.more.metrics import NONE
from mmie.tasks.more.toy_world import MORE_LABELS, OBJECTS, SAID, label_of, relations_between
from mmie.toy.teacher import ScriptedTeacher, misname
from mmie.types import Example

RELATIONS = [label.rpartition("/")[2] for label in MORE_LABELS]


class MORETemplateTeacher(ScriptedTeacher):
    """A teacher made of templates.

    Args:
        seed: of its errors.
        wrong_description: share of chains in which one icon of the picture is misnamed throughout.
        wrong_reason: share that decide for another relation of the two types, or for any where
            ``none`` is all that these types have.
        broken_format: share in which one of the six steps is missing.
    """

    model: ClassVar[str] = "more-template"
    known_by: ClassVar[str] = "verb"
    choice: ClassVar[str] = "more_toy"

    def __init__(
        self, *, seed: int = 0, wrong_description: float, wrong_reason: float, broken_format: float
    ) -> None:
        rates = {
            "wrong_description": wrong_description,
            "wrong_reason": wrong_reason,
            "broken_format": broken_format,
        }
        super().__init__(seed=seed, rates=rates)

    def subject(self, example: Example) -> str:
        """Text, object and entity: a text has several samples."""
        return f"{example.text}-{example.extra['object']}-{example.extra['entity']}"

    def write(self, request: Request) -> str:
        """The chain."""
        steps = self._steps(request)
        if self.errs(request, "broken_format"):
            del steps[self.rng(request, "step").randrange(len(steps))]
        return " ".join(steps)

    def _steps(self, request: Request) -> list[str]:
        extra = request.example.extra
        kind = dict(extra["entities"])[extra["entity"]]
        object_type, _ = OBJECTS[extra["object"]]
        options = [*relations_between(object_type, kind), NONE]
        relation = request.example.gold.rpartition("/")[2]
        if self.errs(request, "wrong_reason"):
            others = [option for option in options if option != relation] or RELATIONS
            relation = self.rng(request, "relation").choice(others)
        icons = [(colour, icon) for colour, icon, _ in extra["icons"]]
        place = [icon for _, icon in icons].index(extra["object"])
        if self.errs(request, "wrong_description"):
            icons = misname(icons, self.rng(request, "icons"))
        described = [f"a {colour} {icon}" for colour, icon in icons]
        verb = f" and {extra['verb']}" if (extra["object"], kind, extra["verb"]) in SAID else ""
        match = "match" if _matches(request.example) else "no match"
        texts = [
            f"{' , '.join(described)} . the crop is {described[place]}",
            f"{match} , the text says {extra['verb'] or extra['entity']}",
            "no name is the object",
            f"object {object_type} , {extra['entity']} {kind}",
            " , ".join(options),
            f"{icons[place][1]} and {kind}{verb} means {relation}",
        ]
        return [f"step {number} : {text} ." for number, text in enumerate(texts, start=1)]


def _matches(example: Example) -> bool:
    """Whether any icon of the picture has a relation with any entity of the text."""
    verb = example.extra["verb"]
    pairs = product(example.extra["icons"], example.extra["entities"])
    return any(label_of(icon, kind, verb) != NONE for (_, icon, _), (_, kind) in pairs)
