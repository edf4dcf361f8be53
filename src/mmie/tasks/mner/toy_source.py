"""The toy world of JMERE as MNER's data: the same tweets and pictures, with all their entities."""

from __future__ import annotations

import random
from collections.abc import Mapping
from typing import ClassVar

from mmie.tasks.mner.entities import Entity
from mmie.toy.drawing import Icon
from mmie.toy.source import GeneratedSource
from mmie.toy.world import SIZES, STREAM, Scene, describe, distinct_scenes, link
from mmie.types import Example, Picture


class ToyMNERSource(GeneratedSource):
    """Generated splits; see ``GeneratedSource``.

    ``extra`` says in words what the picture shows, and which icon belongs to which name.
    """

    stream: ClassVar[str] = STREAM
    defaults: ClassVar[Mapping[str, int]] = SIZES

    def distinct(self, split: str, rng: random.Random, count: int, seen: set[str]) -> list[Scene]:
        """The next ``count`` scenes; those for training leave out some pairs of icons."""
        return distinct_scenes(rng, count, seen, new=split != "train")

    def icons(self, scene: Scene) -> tuple[Icon, ...]:
        """All icons of the scene."""
        return scene.icons

    def examples(self, scene: Scene, picture: Picture, names: list[str]) -> list[Example]:
        """One sample, whose gold are the scene's entities in the order of the text."""
        gold = tuple(Entity(*entity) for entity in scene.entities)
        extra = {"shown": describe(scene.icons), "linked": link(scene.badge_of)}
        return [Example(names[0], scene.text, (picture,), gold, extra)]
