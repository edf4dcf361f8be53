"""Progressive sample mixing (MORE-R1): all hard samples in every epoch, and fewer easy ones each time.

Only the abstract of MORE-R1 was read by us; the rule comes from a second source. What it leaves open:

1. The easy samples of an epoch are drawn anew, without regard to the epochs before.
2. Where more are asked for than there are, all come once before any comes twice.
"""

from __future__ import annotations

import random
from collections.abc import Sequence
from math import inf

from mmie.errors import InputError


class ProgressiveMix:
    """In epoch t = 1, 2, … alpha^(t−1) easy samples for each hard one.

    Args:
        alpha: 0.5 for MORE-R1, according to a second source; 1 keeps one to one in every epoch, 0
        leaves easy samples out from the first.

    Raises:
        InputError: alpha is negative or no finite number.
    """

    by_difficulty = True

    def __init__(self, *, alpha: float) -> None:
        if not 0 <= alpha < inf:
            raise InputError(f"schedule.alpha: {alpha} is out of range; it must be 0 or more")
        self.alpha = alpha

    def __call__(
        self, epoch: int, *, samples: int, seed: int, easy: Sequence[bool] | None
    ) -> list[int]:
        """The shuffled indices of the epoch (from 0), a function of (seed, epoch) and of who is easy.

        Raises:
            InputError: no sample is hard.
        """
        assert easy is not None
        hard = [index for index in range(samples) if not easy[index]]
        known = [index for index in range(samples) if easy[index]]
        if not hard:
            raise InputError(
                "schedule: the warmed-up model answers every sample rightly, so none is hard; use schedule=all_mixed"
            )
        rng = random.Random(f"mix-{seed}-{epoch}")
        chosen = [*hard, *_draw(rng, known, easy_samples(epoch, alpha=self.alpha, hard=len(hard)))]
        rng.shuffle(chosen)
        return chosen


def easy_samples(epoch: int, *, alpha: float, hard: int) -> int:
    """How many easy samples epoch 0, 1, … takes: alpha^epoch · hard, rounded half up; none in any epoch where alpha is 0."""
    return int(alpha**epoch * hard + 0.5) if alpha else 0


def _draw(rng: random.Random, pool: list[int], count: int) -> list[int]:
    if not pool:
        return []
    rounds, rest = divmod(count, len(pool))
    return pool * rounds + rng.sample(pool, rest)
