"""Majority vote over several answers to one sample (JMERE-R1, figure 5)."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Sequence

from mmie.types import Quintuple


def majority_vote(samples: Sequence[Collection[Quintuple] | None]) -> set[Quintuple]:
    """The quintuples that more than half of the parsable answers hold.

    Args:
        samples: one collection an answer; None (unparsable) has no vote and is not counted among the answers.
            The paper is silent on this; counted in, one broken answer would vote against every quintuple.

    Returns:
        The quintuples kept; the empty set where no answer is parsable.
    """
    parsable = [set(sample) for sample in samples if sample is not None]
    votes = Counter(quintuple for sample in parsable for quintuple in sample)
    return {quintuple for quintuple, count in votes.items() if 2 * count > len(parsable)}
