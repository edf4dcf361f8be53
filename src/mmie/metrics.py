"""Micro precision, recall and F1 over per-sample sets, with confidence intervals.

Strings are compared in Unicode NFC, after trimming and folding white space, case kept; all parts
of an item must be equal. The lenient reader's invalid items count as predicted and are never
correct.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass

from mmie.significance import bootstrap_interval
from mmie.text import fold
from mmie.types import Quintuple

Item = str | tuple[str, ...]
Predicted = Sequence[Collection[Item] | None]
Gold = Sequence[Collection[Item]]
Invalid = Sequence[int] | None


@dataclass(frozen=True)
class PRF:
    """Precision, recall and F1 in 0..1 (0 where the denominator is 0), and the counts that they
    come from."""

    precision: float
    recall: float
    f1: float
    correct: int
    predicted: int
    gold: int


def micro_prf(predicted: Predicted, gold: Gold, *, invalid: Invalid = None) -> PRF:
    """P = correct / predicted, R = correct / gold, F1 = 2 correct / (predicted + gold), counted
    over all samples.

    Args:
        predicted: one collection of items a sample; None (an unparsable answer) counts as empty.
        gold: one collection a sample, in the same order. Items are strings or tuples of strings.
        invalid: the number of invalid items of each sample; None for none.

    Raises:
        ValueError: they differ in length.
    """
    counts = counts_of(predicted, gold, invalid=invalid)
    return prf(*(sum(row[column] for row in counts) for column in range(3)))


def prf(correct: int, predicted: int, gold: int) -> PRF:
    """The scores of these counts."""
    return PRF(
        _ratio(correct, predicted),
        _ratio(correct, gold),
        _ratio(2 * correct, predicted + gold),
        correct,
        predicted,
        gold,
    )


def bootstrap_f1(
    predicted: Predicted, gold: Gold, *, invalid: Invalid = None, samples: int = 1000, seed: int = 0
) -> tuple[float, float]:
    """The 95 % percentile bootstrap interval of micro F1, drawn over test samples: (low, high)."""
    return bootstrap_interval(
        counts_of(predicted, gold, invalid=invalid), samples=samples, seed=seed
    )


def per_relation(predicted: Predicted, gold: Gold) -> dict[str, PRF]:
    """``micro_prf`` of each relation that is predicted or gold, in alphabetical order; invalid
    items have none."""
    _check_lengths(predicted, gold)
    predictions, golds = (
        [folded_set(sample) for sample in predicted],
        [folded_set(sample) for sample in gold],
    )
    relations = sorted({item[-1] for sample in (*predictions, *golds) for item in sample})
    return {
        r: micro_prf([_only(r, s) for s in predictions], [_only(r, s) for s in golds])
        for r in relations
    }


def entities(quintuples: Iterable[Quintuple]) -> set[tuple[str, str]]:
    """The (name, type) pairs of heads and tails."""
    return {pair for q in quintuples for pair in ((q.head, q.head_type), (q.tail, q.tail_type))}


def direction_blind(quintuples: Iterable[Quintuple]) -> set[Quintuple]:
    """The quintuples with head and tail in alphabetical order: a swapped pair then counts as
    correct (as in EEGA)."""
    return {_in_order(Quintuple(*map(fold, q))) for q in quintuples}


def folded_set(items: Iterable[Item] | None) -> set[Item]:
    """The distinct items with every string folded (``mmie.text.fold``); empty for None."""
    return {fold(item) if isinstance(item, str) else tuple(map(fold, item)) for item in items or ()}


def counts_of(
    predicted: Predicted, gold: Gold, *, invalid: Invalid = None
) -> list[tuple[int, int, int]]:
    """(correct, predicted, gold) of each sample; ``invalid`` items are among the predicted ones."""
    _check_lengths(predicted, gold)
    sets = [(folded_set(p), folded_set(g)) for p, g in zip(predicted, gold, strict=True)]
    extra = [0] * len(gold) if invalid is None else invalid
    return [(len(p & g), len(p) + more, len(g)) for (p, g), more in zip(sets, extra, strict=True)]


def _check_lengths(predicted: Predicted, gold: Gold) -> None:
    if len(predicted) != len(gold):
        raise ValueError(
            f"{len(predicted)} predictions for {len(gold)} gold samples: give one prediction a sample"
        )


def _in_order(quintuple: Quintuple) -> Quintuple:
    head, head_type, tail, tail_type, relation = quintuple
    if (tail, tail_type) < (head, head_type):
        return Quintuple(tail, tail_type, head, head_type, relation)
    return quintuple


def _only(relation: str, items: set[Item]) -> set[Item]:
    return {item for item in items if item[-1] == relation}


def _ratio(numerator: int, denominator: int) -> float:
    return numerator / denominator if denominator else 0.0
