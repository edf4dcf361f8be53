"""The toy world of JMERE as MRE's data: every pair of entities of a tweet, related or not."""

from __future__ import annotations

import random
from collections.abc import Mapping
from itertools import combinations
from typing import ClassVar, NamedTuple

from mmie.tasks.mre.labels import NONE
from mmie.tasks.mre.marks import mark_names
from mmie.toy.drawing import Icon
from mmie.toy.source import GeneratedSource
from mmie.toy.world import STREAM, Scene, describe, distinct_scenes
from mmie.types import Example, Picture

SIZES = {"train": 1200, "val": 200, "test": 400}  # pairs; a tweet has two on average


class Pair(NamedTuple):
    """Two entities ``(name, type)`` of a scene, and what the picture or the text says of them.

    Attributes:
        head, tail: in the order of the relation; without one, in that of the text.
        label: the relation with both types, or ``none``.
        clue: the icon or the verb that gives the relation away, "" where nothing does.
    """

    head: tuple[str, str]
    tail: tuple[str, str]
    label: str
    clue: str


class ToyMRESource(GeneratedSource):
    """Generated splits; see ``GeneratedSource``.

    A size counts pairs; the last scene of a split gives as many as are missing.
    """

    stream: ClassVar[str] = STREAM
    defaults: ClassVar[Mapping[str, int]] = SIZES

    def distinct(self, rng: random.Random, count: int, seen: set[str]) -> list[Scene]:
        """The next scenes, with at least ``count`` pairs in all."""
        scenes: list[Scene] = []
        while count > 0:
            scenes += distinct_scenes(rng, 1, seen)
            count -= len(pairs_of(scenes[-1]))
        return scenes

    def icons(self, scene: Scene) -> tuple[Icon, ...]:
        """All icons of the scene."""
        return scene.icons

    def examples(self, scene: Scene, picture: Picture, names: list[str]) -> list[Example]:
        """One sample for each pair."""
        made = []
        for pair, name in zip(pairs_of(scene), names, strict=False):
            extra = _extra(scene, pair)
            made.append(Example(name, scene.text, (picture,), pair.label, extra))
        return made


def pairs_of(scene: Scene) -> list[Pair]:
    """Every two entities of the scene, in the order of the text."""
    joined = {frozenset((fact.quintuple.head, fact.quintuple.tail)): fact for fact in scene.facts}
    pairs = []
    for one, other in combinations(scene.entities, 2):
        fact = joined.get(frozenset((one[0], other[0])))
        if fact is None:
            pairs.append(Pair(one, other, NONE, ""))
        else:
            head, head_type, tail, tail_type, relation = fact.quintuple
            label, clue = f"{head_type}, {tail_type}, {relation}", fact.clue or fact.verb
            pairs.append(Pair((head, head_type), (tail, tail_type), label, clue))
    return pairs


def _extra(scene: Scene, pair: Pair) -> dict[str, object]:
    names = {"head": pair.head[0], "tail": pair.tail[0]}
    return {
        **names,
        "marked": mark_names(scene.text, names, "toy world: "),
        "shown": describe(scene.icons),
        "types": [pair.head[1], pair.tail[1]],
        "clue": pair.clue,
    }
