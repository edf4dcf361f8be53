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
from mmie.toy.world import STREAM, Scene, distinct_scenes
from mmie.types import Example, Picture

SIZES = {"train": 800, "val": 200, "test": 400}  # pairs; a tweet has two on average


class Pair(NamedTuple):
    """Two entities ``(name, type)`` of a scene, in the order of the text.

    Attributes:
        head, tail: a relation of the world goes in this order, too.
        label: the relation with both types, or ``none``.
        verb: says the relation in the text; "" where none does.
    """

    head: tuple[str, str]
    tail: tuple[str, str]
    label: str
    verb: str


class ToyMRESource(GeneratedSource):
    """Generated splits; see ``GeneratedSource``.

    A size counts pairs; the last scene of a split gives as many as are missing.
    """

    stream: ClassVar[str] = STREAM
    defaults: ClassVar[Mapping[str, int]] = SIZES

    def distinct(self, split: str, rng: random.Random, count: int, seen: set[str]) -> list[Scene]:
        """The next scenes, with at least ``count`` pairs in all.

        Those for training leave out some pairs of icons that validation and test have.
        """
        scenes: list[Scene] = []
        while count > 0:
            scenes += distinct_scenes(rng, 1, seen, new=split != "train")
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
    """Every two entities of the scene."""
    facts = {(fact.quintuple.head, fact.quintuple.tail): fact for fact in scene.facts}
    pairs = []
    for head, tail in combinations(scene.entities, 2):
        fact = facts.get((head[0], tail[0]))
        if fact is None:
            pairs.append(Pair(head, tail, NONE, ""))
        else:
            label = f"{head[1]}, {tail[1]}, {fact.quintuple.relation}"
            pairs.append(Pair(head, tail, label, fact.verb))
    return pairs


def joined(scene: Scene) -> str:
    """``Ann Lee near Bob Ray via Apex Club``: the names with what stands between them."""
    text = scene.text
    for name, (colour, _) in scene.badge_of.items():
        text = text.replace(f"{name} in {colour}", name)
    first, last = scene.entities[0][0], scene.entities[-1][0]
    return text[text.index(first) : text.index(last) + len(last)]


def _extra(scene: Scene, pair: Pair) -> dict[str, object]:
    names = {"head": pair.head[0], "tail": pair.tail[0]}
    return {
        **names,
        "marked": mark_names(scene.text, names, "toy world: "),
        "icons": [[colour, icon] for colour, icon, _ in scene.icons],
        "badges": {name: list(badge) for name, badge in scene.badge_of.items()},
        "joined": joined(scene),
        "types": [pair.head[1], pair.tail[1]],
        "verb": pair.verb,
    }
