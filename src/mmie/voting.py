"""Votes over several answers to one sample (JMERE-R1, figure 5), and how much the answers and
their chains differ.

The paper says "majority voting" and no more. Both readings are here: over single quintuples, and
over whole answers. In both None (an unparsable answer) has no vote and is not counted among the
answers; counted in, one broken answer would vote against everything. Names are compared as
everywhere, see ``mmie.text.fold``.

Diversity is a claim of the paper (contributions, section 4.5) without a measure; ours are three:
the number of distinct answers, the entropy of the answers, and the edit distance between chains.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Hashable, Sequence
from itertools import combinations
from math import log2
from typing import Any, TypeVar

import editdistance

from mmie.text import fold
from mmie.types import Quintuple

# An edit distance takes time with the product of both lengths: 20 ms for 2,000 characters each.
MAX_PAIRS = 50  # of chains that are compared, for each sample
MAX_LENGTH = 2_000  # characters of a chain that are compared
Answer = TypeVar("Answer", bound=Hashable)


def majority_vote(samples: Sequence[Collection[Quintuple] | None]) -> set[Quintuple]:
    """The quintuples that more than half of the parsable answers hold.

    Args:
        samples: one collection an answer, None where it is unparsable.

    Returns:
        The quintuples kept; the empty set where no answer is parsable.
    """
    parsable = [_folded(sample) for sample in samples if sample is not None]
    votes = Counter(quintuple for sample in parsable for quintuple in sample)
    return {quintuple for quintuple, count in votes.items() if 2 * count > len(parsable)}


def majority_answer(samples: Sequence[Collection[Quintuple] | None]) -> set[Quintuple]:
    """The most frequent whole set of quintuples; of equally frequent ones that which came first.

    Args:
        samples: one collection an answer, None where it is unparsable; order and repetition within
            one do not matter.

    Returns:
        That set; the empty set where no answer is parsable.
    """
    return set(
        most_frequent([None if sample is None else _folded(sample) for sample in samples]) or ()
    )


def most_frequent(answers: Sequence[Answer | None]) -> Answer | None:
    """The most frequent answer, of equally frequent ones that which came first; None where all are
    None."""
    votes = Counter(answer for answer in answers if answer is not None)
    return max(votes, key=votes.__getitem__, default=None)


def distinct_answers(answers: Sequence[Any | None]) -> int:
    """The number of different answers, labels or collections of quintuples, among the parsable
    ones."""
    return len(_answer_counts(answers))


def answer_entropy(answers: Sequence[Any | None]) -> float:
    """H = −Σ p log₂ p in bits, with p the share of each distinct answer among the parsable ones; 0
    where there is none."""
    counts = _answer_counts(answers)
    total = sum(counts.values())
    return sum(count / total * log2(total / count) for count in counts.values())


def chain_distance(chains: Sequence[str], *, max_pairs: int = MAX_PAIRS) -> float | None:
    """The mean edit distance in characters of two chains, divided by the length of the longer one:
    0 (equal) to 1.

    Args:
        chains: those of one sample. Their first ``MAX_LENGTH`` characters are compared, in Unicode
            NFC and with white space folded.
        max_pairs: with more pairs than this, as many are taken at even intervals from the list (0,
            1), (0, 2), ... The choice depends on nothing but the number of chains. 100 chains have
            4,950 pairs.

    Returns:
        The mean; None for fewer than two chains.
    """
    folded = [fold(chain)[:MAX_LENGTH] for chain in chains]
    pairs = [*combinations(range(len(folded)), 2)]
    if len(pairs) > max_pairs:
        pairs = [pairs[place * len(pairs) // max_pairs] for place in range(max_pairs)]
    distances = [_distance(folded[one], folded[other]) for one, other in pairs]
    return sum(distances) / len(distances) if distances else None


def _distance(one: str, other: str) -> float:
    longest = max(len(one), len(other))
    return editdistance.eval(one, other) / longest if longest else 0.0


def _answer_counts(answers: Sequence[Any | None]) -> Counter[Any]:
    parsable = [answer for answer in answers if answer is not None]
    return Counter(answer if isinstance(answer, str) else _folded(answer) for answer in parsable)


def _folded(quintuples: Collection[Quintuple]) -> frozenset[Quintuple]:
    return frozenset(Quintuple(*map(fold, quintuple)) for quintuple in quintuples)
