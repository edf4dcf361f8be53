"""The toy world as a data source: seeded scenes, pictures written as PNG files."""

from __future__ import annotations

import hashlib
import random
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any, ClassVar

from mmie.data.pictures import Track, untracked
from mmie.data.source import by_split, known_split
from mmie.errors import InputError
from mmie.toy.drawing import draw_scene
from mmie.toy.world import Scene, make_scene
from mmie.types import Example, Picture

SIZES = {"train": 600, "val": 200, "test": 400}


class ToySource:
    """Generated splits. No tweet stands in two of them.

    Args:
        seed: of the world, not of the training; another seed is another data set.
        sizes: samples of each split; a split that is not named has its default.
        images: folder for the pictures, ``<content>/<split>/<id>.png``, so that no data set overwrites another's; written when
            a split is loaded.

    Raises:
        InputError: a split is unknown, or its size is no whole number of 1 or more.
    """

    stream: ClassVar[str] = "toy-world"
    defaults: ClassVar[Mapping[str, int]] = SIZES
    places: ClassVar[tuple[str, ...]] = ("images",)

    def __init__(
        self,
        *,
        seed: int = 0,
        sizes: Mapping[str, int] | None = None,
        images: str | Path = "artifacts/toy_images",
    ) -> None:
        self.sizes = by_split("data.sizes", sizes, self.defaults)
        for split, size in self.sizes.items():
            if type(size) is not int or size < 1:
                raise InputError(
                    f"data.sizes.{split}={size}: it must be a whole number of 1 or more"
                )
        self.seed = seed
        self._images = Path(images)

    @property
    def images(self) -> Path:
        return self._images

    def scenes(self, split: str) -> list[Any]:
        """The split's scenes. The three splits come from one stream, so that each depends on the seed and the sizes alone."""
        known_split(split)
        rng = random.Random(f"{self.stream}-{self.seed}")
        seen: set[str] = set()
        scenes: list[Any] = []
        for name in ("test", "val", "train"):
            scenes = self.distinct(rng, self.sizes[name], seen)
            if name == split:
                break
        return scenes

    def distinct(self, rng: random.Random, count: int, seen: set[str]) -> list[Any]:
        """The next scenes of the stream whose texts are not among ``seen``, to which they are added."""
        scenes: list[Scene] = []
        while len(scenes) < count:
            scene = make_scene(rng)
            if scene.text not in seen:
                seen.add(scene.text)
                scenes.append(scene)
        return scenes

    def content(self) -> str:
        """A digest of every scene: another generator is another data set, even under the same seed."""
        scenes = [self.scenes(split) for split in ("train", "val", "test")]
        return hashlib.sha256(repr(scenes).encode()).hexdigest()[:16]

    def load(self, split: str, *, track: Track = untracked) -> list[Example]:
        folder = self.images / self.content() / split
        folder.mkdir(parents=True, exist_ok=True)
        examples = []
        scenes = self.scenes(split)
        for number, scene in enumerate(track(scenes, f"drawing pictures of {split}")):
            name = f"{split}-{number:05d}"
            path = folder / f"{name}.png"
            draw_scene(scene.icons).save(path)
            examples.append(
                Example(name, scene.text, (Picture(path),), scene.quintuples, _extra(scene))
            )
        return examples


def _extra(scene: Scene) -> dict[str, object]:
    return {
        "icons": [list(icon) for icon in scene.icons],
        "facts": [asdict(fact) for fact in scene.facts],
    }
