"""The teacher of MRE's toy world. It answers the same requests as a real one."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, ClassVar

from mmie.distil.teacher import Request
from mmie.tasks.mre.labels import NONE
from mmie.toy.teacher import ScriptedTeacher, misname
from mmie.toy.words import RELATIONS
from mmie.toy.world import Fact, link, meaning, reason
from mmie.types import Example, Quintuple

TYPE = "per|org|loc|misc"
READ = re.compile(
    rf"reason : .+? (?P<head>{TYPE})(?: (?P<head_mood>\w+) and| \w+) "
    rf".+? (?P<tail>{TYPE})(?: (?P<tail_mood>\w+))? means (?P<relation>[\w ]+) \."
)


class MRETemplateTeacher(ScriptedTeacher):
    """A teacher made of templates.

    Before the reasoning a chain repeats what joins the names in the text, since this alone tells
    whether two of them are related.

    Args:
        seed: of its errors.
        wrong_description: share of chains in which one icon of the picture is misnamed throughout.
        wrong_relation: share of chains that decide for another relation of the two types, or for
            ``none``, or for any relation where ``none`` is right.
        broken_format: share that stop before the reasoning.
    """

    model: ClassVar[str] = "mre-mood-joint-template"
    known_by: ClassVar[str] = "verb"
    choice: ClassVar[str] = "mre_toy"

    def __init__(
        self,
        *,
        seed: int = 0,
        wrong_description: float,
        wrong_relation: float,
        broken_format: float,
    ) -> None:
        rates = {
            "wrong_description": wrong_description,
            "wrong_relation": wrong_relation,
            "broken_format": broken_format,
        }
        super().__init__(seed=seed, rates=rates)

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
        icons = [(colour, icon) for colour, icon in extra["icons"]]
        if self.errs(request, "wrong_description"):
            wrong = misname(icons, self.rng(request, "icons"))
            icons = [(colour, icon) for (colour, _), (_, icon) in zip(icons, wrong, strict=True)]
        icon_of = dict(icons)
        badges = {name: (colour, icon_of[colour]) for name, (colour, _) in extra["badges"].items()}
        described = " , ".join(f"a {colour} {icon}" for colour, icon in icons)
        chain = f"picture : {described} . link : {link(badges)} . text : {extra['joined']} ."
        if self.errs(request, "broken_format"):
            return chain
        names = {name: icon for name, (_, icon) in badges.items()}
        return f"{chain} reason : {_reason(extra, names, self._relation(request))} ."

    def _relation(self, request: Request) -> str:
        relation: str = request.example.gold.rpartition(", ")[2]
        if not self.errs(request, "wrong_relation"):
            return relation
        head_type, tail_type = request.example.extra["types"]
        options = [*RELATIONS.get((head_type, tail_type), ()), NONE]
        others = [option for option in options if option != relation] or ["peer"]
        return self.rng(request, "relation").choice(others)


def _reason(extra: Mapping[str, Any], icon_of: dict[str, str], relation: str) -> str:
    """The last step of a chain. Two entities without a relation have no moods in it."""
    head, tail = extra["head"], extra["tail"]
    head_type, tail_type = extra["types"]
    if relation == NONE:
        return f"{head} {head_type} and {tail} {tail_type} means {NONE}"
    ends = Quintuple(head, head_type, tail, tail_type, relation)
    return reason(Fact(ends, (icon_of[head], icon_of[tail]), extra["verb"]))


def _read(chain: str) -> str:
    """The label that the reasoning of a chain arrives at.

    Nothing where it has no reasoning, or where the table of moods says otherwise.
    """
    match = READ.search(chain)
    if match is None:
        return ""
    head, tail, relation = match["head"], match["tail"], match["relation"]
    if relation == NONE:
        return NONE
    moods = match["head_mood"], match["tail_mood"]
    tabled = None not in moods and (head, tail) in RELATIONS
    if tabled and relation != meaning(*moods, (head, tail)):
        return ""
    return f"{head}, {tail}, {relation}"
