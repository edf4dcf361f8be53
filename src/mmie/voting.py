"""Votes over several answers to one sample (JMERE-R1, Figure 5), and the diversity of the answers.

The paper says "majority voting" and no more. There are two ways to read that, and both are here: a
vote over single quintuples, and a vote over whole answers. An unparsable answer (None) has no vote
in either and is not counted among the answers. If it were counted, one broken answer would vote
against everything. Names are compared after ``mmie.text.fold``, as everywhere.

The paper claims diverse answers (contributions, section 4.5) without a measure. Ours are three: the
number of distinct answers, the entropy of the answers, and the edit distance between chains.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Hashable, Sequence
from itertools import combinations
from math import log2
from typing import Any, TypeVar

import editdistance

from mmie.metrics import folded_set
from mmie.text import fold
from mmie.types import Quintuple

# The time of an edit distance grows with the product of both lengths: 20 ms for 2,000 characters.
MAX_PAIRS = 50  # pairs of chains that are compared for each sample
MAX_LENGTH = 2_000  # characters of a chain that are compared
Answer = TypeVar("Answer", bound=Hashable)


def majority_vote(samples: Sequence[Collection[Quintuple] | None]) -> set[Quintuple]:
    """The quintuples that more than half of the parsable answers contain.

    Args:
        samples: one collection per answer; None if the answer is unparsable.

    Returns:
        These quintuples; the empty set if no answer is parsable.
    """
    parsable = [_folded(sample) for sample in samples if sample is not None]
    votes: Counter[Quintuple] = Counter()
    for quintuples in parsable:
        votes.update(quintuples)
    return {quintuple for quintuple, count in votes.items() if 2 * count > len(parsable)}


def majority_answer(samples: Sequence[Collection[Quintuple] | None]) -> set[Quintuple]:
    """The most frequent whole set of quintuples; on a tie, the one that came first.

    Args:
        samples: one collection per answer; None if the answer is unparsable. Order and repetition
            within an answer do not matter.

    Returns:
        That set; the empty set if no answer is parsable.
    """
    folded = [None if sample is None else _folded(sample) for sample in samples]
    return set(most_frequent(folded) or ())


def most_frequent(answers: Sequence[Answer | None]) -> Answer | None:
    """The most frequent answer; on a tie, the one that came first. None if all are None."""
    votes = Counter(answer for answer in answers if answer is not None)
    return max(votes, key=votes.__getitem__, default=None)


def distinct_answers(answers: Sequence[Any | None]) -> int:
    """The number of different answers among the parsable ones.

    Args:
        answers: labels, or collections of items of any task; None if unparsable.
    """
    return len(_count_answers(answers))


def answer_entropy(answers: Sequence[Any | None]) -> float:
    """H = −Σ p log₂ p in bits, with p the share of each distinct answer among the parsable ones.

    It is 0 if no answer is parsable.
    """
    counts = _count_answers(answers)
    total = sum(counts.values())
    return sum(count / total * log2(total / count) for count in counts.values())


def chain_distance(chains: Sequence[str], *, max_pairs: int = MAX_PAIRS) -> float | None:
    """The mean edit distance between two chains, relative to the longer one: 0 (equal) to 1.

    Args:
        chains: those of one sample. Their first ``MAX_LENGTH`` characters are compared, folded.
        max_pairs: if there are more pairs, this many are taken at even intervals from the list
            (0, 1), (0, 2), ... The choice depends only on the number of chains. 100 chains have
            4,950 pairs.

    Returns:
        The mean over the pairs; None for fewer than two chains.
    """
    folded = [fold(chain)[:MAX_LENGTH] for chain in chains]
    pairs = [*combinations(range(len(folded)), 2)]
    if len(pairs) > max_pairs:
        pairs = [pairs[place * len(pairs) // max_pairs] for place in range(max_pairs)]
    distances = [_relative_distance(folded[one], folded[other]) for one, other in pairs]
    return sum(distances) / len(distances) if distances else None


def _relative_distance(one: str, other: str) -> float:
    longest = max(len(one), len(other))
    return editdistance.eval(one, other) / longest if longest else 0.0


def _count_answers(answers: Sequence[Any | None]) -> Counter[Any]:
    parsable = [answer for answer in answers if answer is not None]
    return Counter(
        answer if isinstance(answer, str) else frozenset(folded_set(answer)) for answer in parsable
    )


def _folded(quintuples: Collection[Quintuple]) -> frozenset[Quintuple]:
    return frozenset(Quintuple(*map(fold, quintuple)) for quintuple in quintuples)
