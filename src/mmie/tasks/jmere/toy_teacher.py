"""The toy world's teacher: writes MP-CoT from templates with set error rates, so that the filters have something to catch.

It answers the same three kinds of request as a real teacher and knows the scene (``Example.extra``). Errors are drawn per
candidate from the seed, so the same request always has the same answer.
"""

from __future__ import annotations

import random
import re
from collections.abc import Mapping
from typing import Any

from mmie.distil.answer import Answer
from mmie.distil.teacher import Request
from mmie.errors import InputError
from mmie.parsing import format_quintuples
from mmie.toy import words
from mmie.types import Example, Quintuple

READ = re.compile(
    r"(?:reason :|;) (?P<head>.+?) (?P<head_type>per|org|loc|misc) , (?P<tail>.+?) (?P<tail_type>per|org|loc|misc) ,"
    r"(?: \w+ means)? (?P<relation>[a-z ]+?) (?=[.;])"
)
NO_CLUE = "the text"
NO_ANSWERS = "zero_shot.systems: a toy teacher knows the right answers and cannot be evaluated; use teacher=openai"


class TemplateTeacher:
    """A teacher made of templates.

    Args:
        seed: of its errors.
        wrong_description: share of chains in which one icon of the picture is misnamed.
        wrong_alignment: share in which another icon is taken for the clue.
        wrong_quintuple: share that end in a wrong quintuple.
        broken_format: share that stop before the reasoning.
        wrong_score: share of scores that are off by 0.4.
    """

    model = "template"
    concurrency = 1
    max_pixels = 1 << 22
    max_refused = 0.0

    def __init__(
        self,
        *,
        seed: int = 0,
        wrong_description: float,
        wrong_alignment: float,
        wrong_quintuple: float,
        broken_format: float,
        wrong_score: float = 0.05,
    ) -> None:
        self.rates = {
            "wrong_description": wrong_description,
            "wrong_alignment": wrong_alignment,
            "wrong_quintuple": wrong_quintuple,
            "broken_format": broken_format,
            "wrong_score": wrong_score,
        }
        check_rates(self.rates)
        self.seed = seed
        self.parameters: Mapping[str, Any] = {"seed": seed, **self.rates}

    async def ask(self, request: Request) -> Answer:
        """The chain, the quintuples read off the chain, or ``Score: x``; needs the toy world's scene in ``extra``."""
        return Answer(self._words(request))

    def _words(self, request: Request) -> str:
        if "facts" not in request.example.extra:
            raise InputError(
                f"sample {request.example.id}: teacher=jmere_toy knows the toy world only: use teacher=openai for other data"
            )
        match request.purpose:
            case "distil":
                return self._chain(request)
            case "repredict":
                return f"<answer>{format_quintuples(reread(request.chain))}</answer>"
            case "score":
                return f"Score: {self._score(request):.1f}"
            case _:
                raise InputError(NO_ANSWERS)

    async def close(self) -> None:
        """Nothing to close."""

    def _errs(self, request: Request, kind: str) -> bool:
        return self._rng(request, kind).random() < self.rates[kind]

    def _rng(self, request: Request, kind: str) -> random.Random:
        return random.Random(f"{self.seed}-{kind}-{request.example.text}-{request.candidate}")

    def _chain(self, request: Request) -> str:
        icons = [(colour, icon) for colour, icon, _ in request.example.extra["icons"]]
        if self._errs(request, "wrong_description"):
            icons = misname(icons, self._rng(request, "icons"))
        steps = [_Step(fact) for fact in request.example.extra["facts"]]
        if self._errs(request, "wrong_alignment"):
            _misalign(steps, [icon for _, icon in icons], self._rng(request, "clue"))
        if self._errs(request, "wrong_quintuple"):
            wrong = self._rng(request, "relation")
            steps[wrong.randrange(len(steps))].mistake(wrong)
        picture = " , ".join(f"a {colour} {icon}" for colour, icon in icons)
        links = " ; ".join(step.link() for step in steps)
        if self._errs(request, "broken_format"):
            return f"picture : {picture} . link : {links} ."
        return f"picture : {picture} . link : {links} . reason : {' ; '.join(step.reason() for step in steps)} ."

    def _score(self, request: Request) -> float:
        """0.4 for a right description, 0.4 for the right clues, 0.2 for reasoning that is there; now and then 0.4 off."""
        truth = _truth(request.example)
        part = {name: _section(request.chain, name) for name in ("picture", "link", "reason")}
        score = (
            0.4 * (part["picture"] == truth["picture"])
            + 0.4 * (part["link"] == truth["link"])
            + 0.2 * bool(part["reason"])
        )
        if self._errs(request, "wrong_score"):
            score = score - 0.4 if score > 0.5 else score + 0.4
        return round(score, 1)


def check_rates(rates: Mapping[str, float]) -> None:
    """Raises InputError where a teacher's error rate is no share."""
    for name, rate in rates.items():
        if not 0 <= rate <= 1:
            raise InputError(f"teacher.{name}={rate}: a share between 0 and 1 is needed")


class _Step:
    """One fact on its way into a chain: the quintuple and what it is said to rest on."""

    def __init__(self, fact: Mapping[str, Any]) -> None:
        self.quintuple = Quintuple(*fact["quintuple"])
        self.clue, self.verb = fact["clue"], fact["verb"]

    def link(self) -> str:
        return f"{self.clue or self.verb or NO_CLUE} goes with {self.quintuple.head} and {self.quintuple.tail}"

    def reason(self) -> str:
        q, because = self.quintuple, self.clue or self.verb
        means = f"{because} means {q.relation}" if because else q.relation
        return f"{q.head} {q.head_type} , {q.tail} {q.tail_type} , {means}"

    def mistake(self, rng: random.Random) -> None:
        """Another relation of the same type pair, or head and tail swapped where there is no other."""
        q = self.quintuple
        others = [name for name in words.RELATIONS[q.head_type, q.tail_type] if name != q.relation]
        if others:
            self.quintuple = q._replace(relation=rng.choice(others))
        else:
            self.quintuple = Quintuple(q.tail, q.tail_type, q.head, q.head_type, q.relation)


def misname(icons: list[tuple[str, str]], rng: random.Random) -> list[tuple[str, str]]:
    place = rng.randrange(len(icons))
    shown = {icon for _, icon in icons}
    wrong = rng.choice([icon for icon in words.ICONS if icon not in shown])
    return [*icons[:place], (rng.choice(list(words.COLOURS)), wrong), *icons[place + 1 :]]


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
