"""The teacher of MNER's toy world. It answers the same requests as a real one."""

from __future__ import annotations

import re
from typing import ClassVar

from mmie.distil.teacher import Request
from mmie.tasks.mner.entities import Entity, format_entities
from mmie.toy.teacher import ScriptedTeacher
from mmie.toy.words import NAMES

READ = re.compile(r"(.+) is a (\w+)")


class MNERTemplateTeacher(ScriptedTeacher):
    """A teacher made of templates.

    Args:
        seed: of its errors.
        wrong_type: share of chains that give one entity another type.
        broken_format: share that stop before the reasoning.
    """

    model: ClassVar[str] = "mner-badge-template"
    known_by: ClassVar[str] = "linked"
    choice: ClassVar[str] = "mner_toy"

    def __init__(self, *, seed: int = 0, wrong_type: float, broken_format: float) -> None:
        super().__init__(
            seed=seed, rates={"wrong_type": wrong_type, "broken_format": broken_format}
        )

    def write(self, request: Request) -> str:
        """The chain, or the entities read off the chain."""
        if request.purpose == "repredict":
            return f"<answer>{format_entities(_read(request.chain), types=list(NAMES))}</answer>"
        return self._chain(request)

    def _chain(self, request: Request) -> str:
        entities = list(request.example.gold)
        if self.errs(request, "wrong_type"):
            rng = self.rng(request, "type")
            place = rng.randrange(len(entities))
            others = [kind for kind in NAMES if kind != entities[place].type]
            entities[place] = entities[place]._replace(type=rng.choice(others))
        extra = request.example.extra
        chain = f"picture : {extra['shown']} . link : {extra['linked']} ."
        if self.errs(request, "broken_format"):
            return chain
        reasons = " ; ".join(f"{name} is a {kind}" for name, kind in entities)
        return f"{chain} reason : {reasons} ."


def _read(chain: str) -> list[Entity]:
    """The entities of the reasoning; none where a chain stops before it."""
    _, _, reasons = chain.removesuffix(" .").partition(" reason : ")
    matches = map(READ.fullmatch, reasons.split(" ; "))
    return [Entity(*match.groups()) for match in matches if match]
