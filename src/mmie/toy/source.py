"""Data that a toy world generates: seeded scenes, and pictures written as PNG files."""

from __future__ import annotations

import hashlib
import random
from abc import ABC, abstractmethod
from collections.abc import Mapping
from pathlib import Path
from typing import Any, ClassVar

from mmie.data.pictures import Track, untracked
from mmie.data.source import SPLITS, by_split, known_split
from mmie.errors import InputError
from mmie.toy.drawing import Icon, draw_scene
from mmie.types import Example, Picture


class GeneratedSource(ABC):
    """Splits of a generated world. No text occurs in two of them, nor twice in one.

    A subclass decides what a scene is: ``distinct`` makes scenes, ``icons`` and ``examples`` read
    them.

    Args:
        seed: of the world, not of the training; another seed is another data set.
        sizes: samples of each split; a split that is not named has its default.
        images: folder for the pictures, ``<content>/<split>/<scene>.png``, so that no data set
            overwrites another's; written when a split is loaded.

    Attributes:
        stream: names the stream of random numbers.
        defaults: samples of each split.

    Raises:
        InputError: a split is unknown, or its size is no whole number of 1 or more.
    """

    stream: ClassVar[str]
    defaults: ClassVar[Mapping[str, int]]
    places: ClassVar[tuple[str, ...]] = ("images",)

    def __init__(
        self,
        *,
        seed: int = 0,
        sizes: Mapping[str, int] | None = None,
        images: str | Path | None = "artifacts/toy_images",
    ) -> None:
        self.sizes = by_split("data.sizes", sizes, self.defaults)
        for split, size in self.sizes.items():
            if type(size) is not int or size < 1:
                reason = "it must be a whole number of 1 or more"
                raise InputError(f"data.sizes.{split}={size}: {reason}")
        if images is None:
            raise InputError("data.images=null: a generated world needs a folder for its pictures")
        self.seed = seed
        self._images = Path(images)

    @property
    def images(self) -> Path:
        return self._images

    @abstractmethod
    def distinct(self, split: str, rng: random.Random, count: int, seen: set[str]) -> list[Any]:
        """The next scenes of the stream for a split, ``count`` samples in all.

        Their texts are not among ``seen``, to which they are added.
        """

    @abstractmethod
    def icons(self, scene: Any) -> tuple[Icon, ...]:
        """What the scene's picture shows."""

    @abstractmethod
    def examples(self, scene: Any, picture: Picture, names: list[str]) -> list[Example]:
        """The samples of a scene, which take the first of ``names`` as their ids."""

    def scenes(self, split: str) -> list[Any]:
        """The scenes of a split.

        All splits come from one stream, so that each depends on the seed and the sizes alone.
        """
        known_split(split)
        rng = random.Random(f"{self.stream}-{self.seed}")
        seen: set[str] = set()
        scenes: list[Any] = []
        for name in ("test", "val", "train"):
            scenes = self.distinct(name, rng, self.sizes[name], seen)
            if name == split:
                break
        return scenes

    def content(self) -> str:
        """A digest of every scene: another generator is another data set, even with this seed."""
        scenes = [self.scenes(split) for split in SPLITS]
        return hashlib.sha256(repr(scenes).encode()).hexdigest()[:16]

    def load(self, split: str, *, track: Track = untracked) -> list[Example]:
        folder = self.images / self.content() / known_split(split)
        folder.mkdir(parents=True, exist_ok=True)
        names = [f"{split}-{number:05d}" for number in range(self.sizes[split])]
        examples: list[Example] = []
        scenes = self.scenes(split)
        for number, scene in enumerate(track(scenes, f"drawing pictures of {split}")):
            path = folder / f"{split}-{number:05d}.png"
            draw_scene(self.icons(scene)).save(path)
            examples += self.examples(scene, Picture(path), names[len(examples) :])
        return examples
