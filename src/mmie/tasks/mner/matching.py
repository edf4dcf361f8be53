"""How near two entities are, and which of an answer goes with which of the gold."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

import numpy as np
from scipy.optimize import linear_sum_assignment

from mmie.text import fold

NameAndType = tuple[str, str]


def overlap(one: str, other: str) -> float:
    """Words in common, 2 · common / (words of both), 0..1; a repeated word counts as often."""
    words, others = Counter(fold(one).split()), Counter(fold(other).split())
    total = words.total() + others.total()
    return 2 * (words & others).total() / total if total else 0.0


def nearness(said: NameAndType, meant: NameAndType) -> float:
    """Half of the overlap of the names, and the other half where the types are equal; 0..1.

    So a right type is worth nothing without a word of the name.
    """
    same_type = fold(said[1]) == fold(meant[1])
    return overlap(said[0], meant[0]) * (1 + same_type) / 2


def best_pairs(
    said: Sequence[NameAndType], meant: Sequence[NameAndType]
) -> list[tuple[int, int, float]]:
    """The one-to-one matching with the greatest sum of nearness: (place, place, nearness).

    Pairs without a common word are left out.
    """
    if not said or not meant:
        return []
    near = np.array([[nearness(one, other) for other in meant] for one in said])
    places = zip(*linear_sum_assignment(near, maximize=True), strict=True)
    pairs = [(int(row), int(column), float(near[row, column])) for row, column in places]
    return [pair for pair in pairs if pair[2] > 0]
