"""The toy world as JMERE's data: one sample per scene, with the quintuples that hold in it."""

from __future__ import annotations

import random
from collections.abc import Mapping
from dataclasses import asdict
from typing import ClassVar

from mmie.toy.drawing import Icon
from mmie.toy.source import GeneratedSource
from mmie.toy.world import SIZES, STREAM, Scene, distinct_scenes
from mmie.types import Example, Picture


class ToySource(GeneratedSource):
    """Generated splits; see ``GeneratedSource``. ``extra`` holds the scene's icons and facts."""

    stream: ClassVar[str] = STREAM
    defaults: ClassVar[Mapping[str, int]] = SIZES

    def distinct(self, split: str, rng: random.Random, count: int, seen: set[str]) -> list[Scene]:
        """The next ``count`` scenes.

        Those for training leave out some pairs of icons that validation and test have.
        """
        return distinct_scenes(rng, count, seen, new=split != "train")

    def icons(self, scene: Scene) -> tuple[Icon, ...]:
        """All icons of the scene."""
        return scene.icons

    def examples(self, scene: Scene, picture: Picture, names: list[str]) -> list[Example]:
        """One sample, whose gold are the scene's quintuples."""
        badges = zip((name for name, _ in scene.entities), scene.badges, strict=True)
        extra = {
            "icons": [list(icon) for icon in scene.icons],
            "badges": {name: list(badge) for name, badge in badges},
            "facts": [asdict(fact) for fact in scene.facts],
        }
        return [Example(names[0], scene.text, (picture,), scene.quintuples, extra)]
