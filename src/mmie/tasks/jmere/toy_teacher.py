"""The teacher of JMERE's toy world. It answers the same requests as a real one."""

from __future__ import annotations

import random
import re
from collections.abc import Mapping
from typing import Any, ClassVar

from mmie.distil.teacher import Request
from mmie.parsing import format_quintuples
from mmie.toy import words
from mmie.toy.teacher import ScriptedTeacher, misname
from mmie.types import Example, Quintuple

READ = re.compile(
    r"(?:reason :|;) (?P<head>.+?) (?P<head_type>per|org|loc|misc) ,"
    r" (?P<tail>.+?) (?P<tail_type>per|org|loc|misc) ,"
    r"(?: \w+ means)? (?P<relation>[a-z ]+?) (?=[.;])"
)
NO_CLUE = "the text"


class TemplateTeacher(ScriptedTeacher):
    """A teacher made of templates.

    Args:
        seed: of its errors.
        wrong_description: share of chains in which one icon of the picture is misnamed.
        wrong_alignment: share in which another icon is taken for the clue.
        wrong_quintuple: share that end in a wrong quintuple.
        broken_format: share that stop before the reasoning.
        wrong_score: share of scores that are off by 0.4.
    """

    model: ClassVar[str] = "template"
    known_by: ClassVar[str] = "facts"
    choice: ClassVar[str] = "jmere_toy"

    def __init__(
        self,
        *,
        seed: int = 0,
        wrong_description: float,
        wrong_alignment: float,
        wrong_quintuple: float,
        broken_format: float,
        wrong_score: float,
    ) -> None:
        rates = {
            "wrong_description": wrong_description,
            "wrong_alignment": wrong_alignment,
            "wrong_quintuple": wrong_quintuple,
            "broken_format": broken_format,
            "wrong_score": wrong_score,
        }
        super().__init__(seed=seed, rates=rates)

    def write(self, request: Request) -> str:
        """The chain, the quintuples read off the chain, or ``Score: x``."""
        if request.purpose == "repredict":
            return f"<answer>{format_quintuples(reread(request.chain))}</answer>"
        if request.purpose == "score":
            return f"Score: {self._score(request):.1f}"
        return self._chain(request)

    def _chain(self, request: Request) -> str:
        icons = [(colour, icon) for colour, icon, _ in request.example.extra["icons"]]
        if self.errs(request, "wrong_description"):
            icons = misname(icons, self.rng(request, "icons"))
        steps = [_Step(fact) for fact in request.example.extra["facts"]]
        if self.errs(request, "wrong_alignment"):
            _misalign(steps, [icon for _, icon in icons], self.rng(request, "clue"))
        if self.errs(request, "wrong_quintuple"):
            wrong = self.rng(request, "relation")
            steps[wrong.randrange(len(steps))].mistake(wrong)
        picture = " , ".join(f"a {colour} {icon}" for colour, icon in icons)
        links = " ; ".join(step.link() for step in steps)
        if self.errs(request, "broken_format"):
            return f"picture : {picture} . link : {links} ."
        reasons = " ; ".join(step.reason() for step in steps)
        return f"picture : {picture} . link : {links} . reason : {reasons} ."

    def _score(self, request: Request) -> float:
        """0.4 for a right description, 0.4 for the right clues, 0.2 for any reasoning.

        Now and then it is 0.4 off.
        """
        truth = _truth(request.example)
        part = {name: _section(request.chain, name) for name in ("picture", "link", "reason")}
        score = (
            0.4 * (part["picture"] == truth["picture"])
            + 0.4 * (part["link"] == truth["link"])
            + 0.2 * bool(part["reason"])
        )
        if self.errs(request, "wrong_score"):
            score = score - 0.4 if score > 0.5 else score + 0.4
        return round(score, 1)


class _Step:
    """One fact on its way into a chain: the quintuple and what it is said to rest on."""

    def __init__(self, fact: Mapping[str, Any]) -> None:
        self.quintuple = Quintuple(*fact["quintuple"])
        self.clue, self.verb = fact["clue"], fact["verb"]

    def link(self) -> str:
        because = self.clue or self.verb or NO_CLUE
        return f"{because} goes with {self.quintuple.head} and {self.quintuple.tail}"

    def reason(self) -> str:
        q, because = self.quintuple, self.clue or self.verb
        means = f"{because} means {q.relation}" if because else q.relation
        return f"{q.head} {q.head_type} , {q.tail} {q.tail_type} , {means}"

    def mistake(self, rng: random.Random) -> None:
        """Takes another relation of the same types, or swaps head and tail if there is none."""
        q = self.quintuple
        others = [name for name in words.RELATIONS[q.head_type, q.tail_type] if name != q.relation]
        if others:
            self.quintuple = q._replace(relation=rng.choice(others))
        else:
            self.quintuple = Quintuple(q.tail, q.tail_type, q.head, q.head_type, q.relation)


def _misalign(steps: list[_Step], icons: list[str], rng: random.Random) -> None:
    step = rng.choice(steps)
    others = [icon for icon in icons if icon != step.clue] or words.ICONS
    step.clue = rng.choice(others)


def _truth(example: Example) -> dict[str, str]:
    steps = [_Step(fact) for fact in example.extra["facts"]]
    return {
        "picture": " , ".join(f"a {colour} {icon}" for colour, icon, _ in example.extra["icons"]),
        "link": " ; ".join(step.link() for step in steps),
    }


def _section(chain: str, name: str) -> str:
    found = re.search(rf"{name} : (.*?) \.(?= link :| reason :|$)", chain)
    return found[1] if found else ""


def reread(chain: str) -> list[Quintuple]:
    """The quintuples that a chain's reasoning arrives at; none where it has no reasoning."""
    _, found, reasoning = chain.partition("reason :")
    return [Quintuple(**match.groupdict()) for match in READ.finditer(found + reasoning)]
