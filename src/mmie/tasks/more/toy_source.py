"""The toy world of MORE-R1 as data: one picture per scene, one sample per object and entity."""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence
from typing import ClassVar

from mmie.tasks.more.toy_world import MoreFact, MoreScene, facts, make_more_scene
from mmie.toy.drawing import Icon
from mmie.toy.source import GeneratedSource
from mmie.types import Example, Picture

SIZES = {"train": 1600, "val": 200, "test": 400}

SceneFacts = tuple[MoreScene, list[MoreFact]]


class ToyMORESource(GeneratedSource):
    """Generated splits; see ``GeneratedSource``.

    A size counts facts; the last scene of a split gives as many as are missing.
    """

    stream: ClassVar[str] = "toy-more"
    defaults: ClassVar[Mapping[str, int]] = SIZES

    def distinct(
        self, split: str, rng: random.Random, count: int, seen: set[str]
    ) -> list[SceneFacts]:
        """The next scenes with their facts, ``count`` facts in all."""
        scenes: list[SceneFacts] = []
        while count > 0:
            scene = make_more_scene(rng)
            if scene.text not in seen:
                seen.add(scene.text)
                of_scene = facts(scene, rng)[:count]
                scenes.append((scene, of_scene))
                count -= len(of_scene)
        return scenes

    def icons(self, scene: SceneFacts) -> tuple[Icon, ...]:
        """All icons of the scene; each is an object."""
        return scene[0].icons

    def examples(self, scene: SceneFacts, picture: Picture, names: list[str]) -> list[Example]:
        """One sample for each fact: the picture, the object's part of it, and the label."""
        made = []
        for fact, name in zip(scene[1], names, strict=False):
            pictures = picture, Picture(picture.path, fact.box)
            extra = _extra(scene[0], fact, scene[1])
            made.append(Example(name, scene[0].text, pictures, fact.label, extra))
        return made


def _extra(scene: MoreScene, fact: MoreFact, of_scene: Sequence[MoreFact]) -> dict[str, object]:
    return {
        "entity": fact.entity,
        "object": fact.object,
        "entity_count": len({other.entity for other in of_scene}),
        "object_count": len({other.object for other in of_scene}),
        "icons": [list(icon) for icon in scene.icons],
        "entities": [list(entity) for entity in scene.entities],
        "verb": scene.verb,
    }
