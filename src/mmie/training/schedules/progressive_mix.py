"""Progressive sample mixing (MORE-R1): every epoch has all hard samples and fewer easy ones.

Of MORE-R1 we have read the abstract only; the rule comes from a second source. Our choices where
that leaves room:

1. Each epoch draws its easy samples independently of the epochs before.
2. If more easy samples are needed than there are, all come once before any comes twice.
"""

from __future__ import annotations

import random
from collections.abc import Sequence
from math import inf

from mmie.errors import InputError


class ProgressiveMix:
    """Epoch t = 1, 2, … has alpha^(t−1) easy samples for each hard one.

    Args:
        alpha: 0.5 for MORE-R1, according to a second source. With 1 every epoch has as many easy as
            hard samples, with 0 none has any.

    Raises:
        InputError: alpha is negative or not finite.
    """

    by_difficulty = True

    def __init__(self, *, alpha: float) -> None:
        if not 0 <= alpha < inf:
            raise InputError(f"schedule.alpha: {alpha} is out of range; it must be 0 or more")
        self.alpha = alpha

    def __call__(
        self, epoch: int, *, samples: int, seed: int, easy: Sequence[bool] | None
    ) -> list[int]:
        """The shuffled indices of an epoch, counted from 0.

        They depend on (seed, epoch) and on which samples are easy, and on nothing else.

        Raises:
            InputError: no sample is hard.
        """
        assert easy is not None
        hard = [index for index in range(samples) if not easy[index]]
        pool = [index for index in range(samples) if easy[index]]
        if not hard:
            raise InputError(
                "schedule: the warmed-up model answers every sample correctly, so none is hard; "
                "use schedule=all_mixed"
            )
        rng = random.Random(f"mix-{seed}-{epoch}")
        count = easy_samples(epoch, alpha=self.alpha, hard=len(hard))
        indices = [*hard, *_draw(rng, pool, count)]
        rng.shuffle(indices)
        return indices


def easy_samples(epoch: int, *, alpha: float, hard: int) -> int:
    """How many easy samples epoch 0, 1, … has: alpha^epoch · hard, rounded half up.

    With alpha 0 it is 0 in the first epoch, too.
    """
    return int(alpha**epoch * hard + 0.5) if alpha else 0


def _draw(rng: random.Random, pool: list[int], count: int) -> list[int]:
    if not pool:
        return []
    rounds, rest = divmod(count, len(pool))
    return pool * rounds + rng.sample(pool, rest)
