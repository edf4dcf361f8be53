"""A teacher for real tweets that is no model: templates over the gold answer.

Its chains look at no picture. A chain has one line for each quintuple::

    Josh Gordon (per) and Browns (org): "star WR of the", so member of.

The quoted words are those that the tweet has between the two names. Such chains teach the form of
the method and where to look. They hold no knowledge beyond tweet and gold.
"""

from __future__ import annotations

import random
import re
from collections.abc import Iterator
from typing import ClassVar

from mmie.distil.teacher import Request
from mmie.parsing import format_quintuples
from mmie.tasks.jmere.relations import RelationPairs, relation_pairs
from mmie.toy.teacher import ScriptedTeacher
from mmie.types import Example, Quintuple

LONGEST = 8  # words of a quotation
LINE = re.compile(
    r"(?P<head>.+) \((?P<head_type>[^()]+)\) and (?P<tail>.+) \((?P<tail_type>[^()]+)\):"
    r' "(?P<words>.*)", so (?P<relation>[^"]+)\.'
)


class GoldTeacher(ScriptedTeacher):
    """Writes chains from the gold answer, reads the quintuples off a chain, and scores it.

    The score is the share of the lines that quote the right words.

    Args:
        seed: of the errors.
        relations: those of the task; a wrong one joins the same types where there is such a one.
        wrong_relation: the share of chains in which one relation is wrong.
        wrong_words: the share in which every line quotes the beginning of the tweet.
    """

    model: ClassVar[str] = "templates"
    choice: ClassVar[str] = "templates"

    def __init__(
        self, *, seed: int = 0, relations: RelationPairs, wrong_relation: float, wrong_words: float
    ) -> None:
        rates = {"wrong_relation": wrong_relation, "wrong_words": wrong_words}
        super().__init__(seed=seed, rates=rates)
        self.pairs = relation_pairs(relations)

    def knows(self, example: Example) -> bool:
        """Any sample that has gold."""
        return True

    def write(self, request: Request) -> str:
        """The chain, the quintuples read off the chain, or ``Score: x``."""
        if request.purpose == "repredict":
            return f"<answer>{format_quintuples(q for q, _ in read_lines(request.chain))}</answer>"
        if request.purpose == "score":
            return f"Score: {score(request.example.text, request.chain):.2f}"
        return self._chain(request)

    def _chain(self, request: Request) -> str:
        text, quintuples = request.example.text, [*request.example.gold]
        if self.errs(request, "wrong_relation"):
            rng = self.rng(request, "place")
            place = rng.randrange(len(quintuples))
            quintuples[place] = self._mistaken(quintuples[place], rng)
        quoted = [words_between(text, q.head, q.tail) for q in quintuples]
        if self.errs(request, "wrong_words"):
            quoted = [first_words(text)] * len(quintuples)
        return "\n".join(map(line, quintuples, quoted))

    def _mistaken(self, quintuple: Quintuple, rng: random.Random) -> Quintuple:
        """With another relation of the same types, or of any where there is no other."""
        pair = f"{quintuple.head_type}-{quintuple.tail_type}"
        others = [name for name in self.pairs if name != quintuple.relation]
        alike = [name for name in others if pair in self.pairs[name]]
        return quintuple._replace(relation=rng.choice(alike or others))


def line(quintuple: Quintuple, words: str) -> str:
    """The line of a chain that leads to the quintuple."""
    q = quintuple
    names = f"{q.head} ({q.head_type}) and {q.tail} ({q.tail_type})"
    return f'{names}: "{words}", so {q.relation}.'


def read_lines(chain: str) -> Iterator[tuple[Quintuple, str]]:
    """The quintuple and the quoted words of each line that has the form of ``line``."""
    for match in filter(None, map(LINE.fullmatch, chain.splitlines())):
        fields = match.groupdict()
        words = fields.pop("words")
        yield Quintuple(**fields), words


def score(text: str, chain: str) -> float:
    """The share of the lines that quote the words between their names; 0 without a line."""
    right = [words == words_between(text, q.head, q.tail) for q, words in read_lines(chain)]
    return sum(right) / max(len(right), 1)


def words_between(text: str, one: str, other: str) -> str:
    """The words between the first places of two names, in their order in the text.

    Of more than ``LONGEST`` words, the ones beside the names. Where a name does not stand in the
    text as it is, or the two overlap, the first words of the text.
    """
    places = sorted((text.find(name), len(name)) for name in (one, other))
    (first, length), (second, _) = places
    if first < 0 or first + length > second:
        return first_words(text)
    words = text[first + length : second].split()
    if len(words) > LONGEST:
        half = LONGEST // 2
        words = [*words[:half], "…", *words[-half:]]
    return " ".join(words)


def first_words(text: str) -> str:
    """The first ``LONGEST`` words of the text."""
    return " ".join(text.split()[:LONGEST])
