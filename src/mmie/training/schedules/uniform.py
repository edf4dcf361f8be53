"""Every sample once per epoch, in a seeded order."""

from __future__ import annotations

import random
from collections.abc import Sequence


class Uniform:
    """epoch → all sample indices, shuffled."""

    by_difficulty = False

    def __call__(
        self, epoch: int, *, samples: int, seed: int, easy: Sequence[bool] | None = None
    ) -> list[int]:
        """The order of the samples in the given epoch; it depends on (seed, epoch) alone."""
        order = list(range(samples))
        random.Random(f"uniform-{seed}-{epoch}").shuffle(order)
        return order
