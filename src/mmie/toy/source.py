"""The toy world as a data source: seeded scenes, pictures written as PNG files."""

from __future__ import annotations

import hashlib
import random
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any, ClassVar

from mmie.errors import InputError
from mmie.toy.drawing import draw_scene
from mmie.toy.world import Scene, make_scene
from mmie.types import Example, Picture

SIZES = {"train": 600, "val": 200, "test": 400}


class ToySource:
    """Generated splits. No tweet stands in two of them.

    Args:
        seed: of the world, not of the training; another seed is another data set.
        sizes: samples a split.
        images: folder for the pictures, ``<content>/<split>/<id>.png``, so that no data set overwrites another's; written when
            a split is loaded.

    Raises:
        InputError: a size is missing or below 1.
    """

    stream: ClassVar[str] = "toy-world"

    def __init__(self, *, seed: int = 0, sizes: Mapping[str, int] = SIZES, images: str | Path = "artifacts/toy_images") -> None:
        if not isinstance(sizes, Mapping):
            raise InputError(f"data.sizes={sizes}: name the splits, as in {{train: 600, val: 200, test: 400}}")
        for split in SIZES:
            if type(sizes.get(split)) is not int or sizes[split] < 1:
                raise InputError(f"data.sizes.{split}={sizes.get(split)}: it must be a whole number of 1 or more")
        self.seed = seed
        self.sizes = sizes
        self.images = Path(images)

    def scenes(self, split: str) -> list[Any]:
        """The split's scenes. The three splits come from one stream, so that each depends on the seed and the sizes alone."""
        rng = random.Random(f"{self.stream}-{self.seed}")
        seen: set[str] = set()
        for name in ("test", "val", "train"):
            scenes = self.distinct(rng, self.sizes[name], seen)
            if name == split:
                return scenes
        raise InputError(f"toy data has no split {split!r}: use train, val or test")

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

    def load(self, split: str) -> list[Example]:
        folder = self.images / self.content() / split
        folder.mkdir(parents=True, exist_ok=True)
        examples = []
        for number, scene in enumerate(self.scenes(split)):
            name = f"{split}-{number:05d}"
            path = folder / f"{name}.png"
            draw_scene(scene.icons).save(path)
            examples.append(Example(name, scene.text, (Picture(path),), scene.quintuples, _extra(scene)))
        return examples


def _extra(scene: Scene) -> dict[str, object]:
    return {"icons": [list(icon) for icon in scene.icons], "facts": [asdict(fact) for fact in scene.facts]}
