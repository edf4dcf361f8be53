"""The teacher of JMERE's toy world. It answers the same requests as a real one."""

from __future__ import annotations

import random
import re
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

from mmie.distil.teacher import Request
from mmie.parsing import format_quintuples
from mmie.toy import words
from mmie.toy.teacher import ScriptedTeacher, misname
from mmie.toy.world import Badge, Fact, link, meaning, reason
from mmie.types import Quintuple

JOINTS = "|".join(words.VERBS)
READ = re.compile(
    r"(?P<head>.+?) (?P<head_type>per|org|loc|misc) "
    rf"(?:(?P<head_mood>\w+) and|{JOINTS}) "
    r"(?P<tail>.+?) (?P<tail_type>per|org|loc|misc)(?: (?P<tail_mood>\w+))? "
    r"means (?P<relation>.+)"
)


class TemplateTeacher(ScriptedTeacher):
    """A teacher made of templates.

    Args:
        seed: of its errors.
        wrong_description: share of chains in which one icon of the picture is misnamed throughout.
        wrong_alignment: share in which one name is given the icon of another colour.
        wrong_quintuple: share that end in a wrong quintuple.
        broken_format: share that stop before the reasoning.
        wrong_score: share of scores that are off by 0.4.
    """

    model: ClassVar[str] = "mood-template"
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
        extra = request.example.extra
        icons = [(colour, icon) for colour, icon, _ in extra["icons"]]
        if self.errs(request, "wrong_description"):
            wrong = misname(icons, self.rng(request, "icons"))
            icons = [(colour, icon) for (colour, _), (_, icon) in zip(icons, wrong, strict=True)]
        badges = {name: icons[place] for name, place in _places(extra).items()}
        if self.errs(request, "wrong_alignment"):
            _misalign(badges, icons, self.rng(request, "link"))
        facts = [dict(fact) for fact in extra["facts"]]
        if self.errs(request, "wrong_quintuple"):
            _mistake(facts, self.rng(request, "relation"))
        chain = f"picture : {_described(icons)} . link : {link(badges)} ."
        if self.errs(request, "broken_format"):
            return chain
        return f"{chain} reason : {' ; '.join(_reason(fact, badges) for fact in facts)} ."

    def _score(self, request: Request) -> float:
        """0.4 for a right description, 0.4 for the right icon of each name, 0.2 for any reasoning.

        Now and then it is 0.4 off.
        """
        extra = request.example.extra
        icons = [(colour, icon) for colour, icon, _ in extra["icons"]]
        badges = {name: icons[place] for name, place in _places(extra).items()}
        score = (
            0.4 * (_section(request.chain, "picture") == _described(icons))
            + 0.4 * (_section(request.chain, "link") == link(badges))
            + 0.2 * bool(_section(request.chain, "reason"))
        )
        if self.errs(request, "wrong_score"):
            score = score - 0.4 if score > 0.5 else score + 0.4
        return round(score, 1)


def _places(extra: Mapping[str, Any]) -> dict[str, int]:
    """Each name with the place of its icon among those of the picture."""
    colours = [colour for colour, _, _ in extra["icons"]]
    return {name: colours.index(colour) for name, (colour, _) in extra["badges"].items()}


def _described(icons: Sequence[Badge]) -> str:
    return " , ".join(f"a {colour} {icon}" for colour, icon in icons)


def _reason(fact: Mapping[str, Any], badges: Mapping[str, Badge]) -> str:
    quintuple = Quintuple(*fact["quintuple"])
    icons = badges[quintuple.head][1], badges[quintuple.tail][1]
    return reason(Fact(quintuple, icons, fact["verb"]))


def _misalign(badges: dict[str, Badge], icons: Sequence[Badge], rng: random.Random) -> None:
    """Gives one name the icon of another colour."""
    name = rng.choice(list(badges))
    colour, icon = badges[name]
    badges[name] = colour, rng.choice([other for _, other in icons if other != icon])


def _mistake(facts: list[dict[str, Any]], rng: random.Random) -> None:
    """Takes another relation of the same types, or swaps head and tail if there is none."""
    fact = rng.choice(facts)
    q = Quintuple(*fact["quintuple"])
    others = [name for name in words.RELATIONS[q.head_type, q.tail_type] if name != q.relation]
    if others:
        fact["quintuple"] = q._replace(relation=rng.choice(others))
    else:
        fact["quintuple"] = Quintuple(q.tail, q.tail_type, q.head, q.head_type, q.relation)


def _section(chain: str, name: str) -> str:
    found = re.search(rf"{name} : (.*?) \.(?= link :| reason :|$)", chain)
    return found[1] if found else ""


def reread(chain: str) -> list[Quintuple]:
    """The quintuples that a chain's reasoning supports; none where it has no reasoning.

    A conclusion is left out if the table of moods says otherwise. So a chain that names a wrong
    icon and jumps to the right relation is found out, unless its mood means the same.
    """
    clauses = _section(chain, "reason").split(" ; ")
    return [
        Quintuple(*read.group(*Quintuple._fields))
        for read in map(READ.fullmatch, clauses)
        if read and _holds(read)
    ]


def _holds(read: re.Match[str]) -> bool:
    pair, moods = (read["head_type"], read["tail_type"]), (read["head_mood"], read["tail_mood"])
    if None in moods or pair not in words.RELATIONS:
        return True
    return read["relation"] == meaning(*moods, pair)
