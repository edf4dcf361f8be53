"""The teacher of MRE's toy world. It answers the same requests as a real one."""

from __future__ import annotations

import re
from typing import ClassVar

from mmie.distil.teacher import Request
from mmie.tasks.mre.labels import NONE
from mmie.toy.teacher import ScriptedTeacher
from mmie.toy.words import RELATIONS
from mmie.types import Example

READ = re.compile(r"reason : .+? (\w+) , .+? (\w+) , (?:\w+ means )?([\w ]+?) \.")


class MRETemplateTeacher(ScriptedTeacher):
    """A teacher made of templates.

    Args:
        seed: of its errors.
        wrong_relation: share of chains that decide for another relation of the two types, or for
            ``none``, or for any relation where ``none`` is right.
        broken_format: share that stop before the reasoning.
    """

    model: ClassVar[str] = "mre-template"
    known_by: ClassVar[str] = "clue"
    choice: ClassVar[str] = "mre_toy"

    def __init__(self, *, seed: int = 0, wrong_relation: float, broken_format: float) -> None:
        super().__init__(
            seed=seed, rates={"wrong_relation": wrong_relation, "broken_format": broken_format}
        )

    def subject(self, example: Example) -> str:
        """Text, head and tail: a text has several samples."""
        return f"{example.text}-{example.extra['head']}-{example.extra['tail']}"

    def write(self, request: Request) -> str:
        """The chain, or the label read off the chain."""
        if request.purpose == "repredict":
            return f"<answer>{_read(request.chain)}</answer>"
        return self._chain(request)

    def _chain(self, request: Request) -> str:
        extra = request.example.extra
        head, tail = extra["head"], extra["tail"]
        clue = extra["clue"] or "the text"
        chain = f"picture : {extra['shown']} . link : {clue} goes with {head} and {tail} ."
        if self.errs(request, "broken_format"):
            return chain
        head_type, tail_type = extra["types"]
        relation = self._relation(request)
        means = f"{extra['clue']} means {relation}" if extra["clue"] else relation
        return f"{chain} reason : {head} {head_type} , {tail} {tail_type} , {means} ."

    def _relation(self, request: Request) -> str:
        relation: str = request.example.gold.rpartition(", ")[2]
        if not self.errs(request, "wrong_relation"):
            return relation
        head_type, tail_type = request.example.extra["types"]
        options = [*RELATIONS.get((head_type, tail_type), ()), NONE]
        others = [option for option in options if option != relation] or ["peer"]
        return self.rng(request, "relation").choice(others)


def _read(chain: str) -> str:
    """The label that the reasoning of a chain arrives at; nothing where it has no reasoning."""
    match = READ.search(chain)
    if match is None:
        return ""
    head_type, tail_type, relation = match.groups()
    return NONE if relation == NONE else f"{head_type}, {tail_type}, {relation}"
