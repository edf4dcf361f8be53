"""The toy world of MORE-R1 as a data source: seeded scenes, one picture a scene, one example an object and entity."""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence
from typing import ClassVar

from mmie.data.pictures import Track, untracked
from mmie.tasks.jmere.toy_source import ToySource
from mmie.tasks.more.toy_world import MoreFact, MoreScene, facts, make_more_scene
from mmie.toy.drawing import draw_scene
from mmie.types import Example, Picture

SIZES = {"train": 1600, "val": 200, "test": 400}

Told = tuple[MoreScene, list[MoreFact]]


class ToyMORESource(ToySource):
    """Generated splits. No title stands in two of them, nor twice in one.

    Args:
        seed: of the world, not of the training; another seed is another data set.
        sizes: facts of each split; a split's last scene gives as many as are missing.
        images: folder for the pictures, ``<content>/<split>/<scene>.png``, so that no data set overwrites another's; written
            when a split is loaded.
    """

    stream: ClassVar[str] = "toy-more"
    defaults: ClassVar[Mapping[str, int]] = SIZES

    def distinct(self, rng: random.Random, count: int, seen: set[str]) -> list[Told]:
        """Scenes with their facts, ``count`` facts in all."""
        scenes: list[Told] = []
        while count > 0:
            scene = make_more_scene(rng)
            if scene.text not in seen:
                seen.add(scene.text)
                told = facts(scene, rng)[:count]
                scenes.append((scene, told))
                count -= len(told)
        return scenes

    def load(self, split: str, *, track: Track = untracked) -> list[Example]:
        folder = self.images / self.content() / split
        folder.mkdir(parents=True, exist_ok=True)
        examples: list[Example] = []
        scenes = self.scenes(split)
        for number, (scene, told) in enumerate(track(scenes, f"drawing pictures of {split}")):
            path = folder / f"{split}-{number:05d}.png"
            draw_scene(scene.icons).save(path)
            for fact in told:
                pictures = Picture(path), Picture(path, fact.box)
                examples.append(
                    Example(
                        f"{split}-{len(examples):05d}",
                        scene.text,
                        pictures,
                        fact.label,
                        _extra(scene, fact, told),
                    )
                )
        return examples


def _extra(scene: MoreScene, fact: MoreFact, told: Sequence[MoreFact]) -> dict[str, object]:
    return {
        "entity": fact.entity,
        "object": fact.object,
        "entity_count": len({other.entity for other in told}),
        "object_count": len({other.object for other in told}),
        "icons": [list(icon) for icon in scene.icons],
        "entities": [list(entity) for entity in scene.entities],
        "verb": scene.verb,
    }
