"""Every sample once an epoch, in a seeded order."""

from __future__ import annotations

import random
from collections.abc import Sequence


class Uniform:
    """epoch → sample indices."""

    by_difficulty = False

    def __call__(
        self, epoch: int, *, samples: int, seed: int, easy: Sequence[bool] | None = None
    ) -> list[int]:
        """The order of ``samples`` indices in the given epoch; depends on (seed, epoch) alone."""
        order = list(range(samples))
        random.Random(f"uniform-{seed}-{epoch}").shuffle(order)
        return order
