"""Votes over several answers to one sample (JMERE-R1, figure 5).

The paper says "majority voting" and no more. Both readings are here: over single quintuples, and over whole answers. In
both None (an unparsable answer) has no vote and is not counted among the answers; counted in, one broken answer would
vote against everything.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Hashable, Sequence
from typing import TypeVar

from mmie.types import Quintuple

Answer = TypeVar("Answer", bound=Hashable)


def majority_vote(samples: Sequence[Collection[Quintuple] | None]) -> set[Quintuple]:
    """The quintuples that more than half of the parsable answers hold.

    Args:
        samples: one collection an answer, None where it is unparsable.

    Returns:
        The quintuples kept; the empty set where no answer is parsable.
    """
    parsable = [set(sample) for sample in samples if sample is not None]
    votes = Counter(quintuple for sample in parsable for quintuple in sample)
    return {quintuple for quintuple, count in votes.items() if 2 * count > len(parsable)}


def majority_answer(samples: Sequence[Collection[Quintuple] | None]) -> set[Quintuple]:
    """The most frequent whole set of quintuples; of equally frequent ones that which came first.

    Args:
        samples: one collection an answer, None where it is unparsable; order and repetition within one do not matter.

    Returns:
        That set; the empty set where no answer is parsable.
    """
    return set(most_frequent([None if sample is None else frozenset(sample) for sample in samples]) or ())


def most_frequent(answers: Sequence[Answer | None]) -> Answer | None:
    """The most frequent answer, of equally frequent ones that which came first; None where all are None."""
    votes = Counter(answer for answer in answers if answer is not None)
    return max(votes, key=votes.__getitem__, default=None)
