"""Stratified samples of a training set."""

from __future__ import annotations

import random
from collections.abc import Mapping


def stratified(classes: Mapping[str, str], *, share: float, seed: int) -> list[str]:
    """The ids of a share of each class, in the order of ``classes``.

    The number is rounded half up and is at least one.

    Each class draws with its own seed: one class more changes nothing for the others.

    Args:
        classes: sample id → class.
        share: above 0, below 1.
        seed: of the draws.
    """
    members: dict[str, list[str]] = {}
    for name, label in classes.items():
        members.setdefault(label, []).append(name)
    drawn = {
        name
        for label, names in members.items()
        for name in random.Random(f"share-{seed}-{label}").sample(
            names, max(1, int(share * len(names) + 0.5))
        )
    }
    return [name for name in classes if name in drawn]
