"""Micro precision, recall and F1 over one set of items per sample, with confidence intervals.

Two items are equal if all their parts are equal after ``mmie.text.fold``: in Unicode NFC, trimmed,
with white space folded; case matters. The invalid items that the lenient reader counts are among
the predicted ones and are never correct.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass

from mmie.significance import bootstrap_interval
from mmie.text import fold

Item = str | tuple[str, ...]
Predicted = Sequence[Collection[Item] | None]
Gold = Sequence[Collection[Item]]
Invalid = Sequence[int] | None


@dataclass(frozen=True)
class PRF:
    """Precision, recall and F1 in 0..1, and the counts that they come from.

    A score is 0 if its denominator is 0.
    """

    precision: float
    recall: float
    f1: float
    correct: int
    predicted: int
    gold: int


def micro_prf(predicted: Predicted, gold: Gold, *, invalid: Invalid = None) -> PRF:
    """Counts over all samples, then divides.

    P = correct / predicted, R = correct / gold, F1 = 2 correct / (predicted + gold).

    Args:
        predicted: one collection of items per sample. None, an unparsable answer, counts as empty.
            Items are strings or tuples of strings.
        gold: one collection per sample, in the same order.
        invalid: the number of invalid items of each sample; None if there are none.

    Raises:
        ValueError: predictions and gold differ in length.
    """
    counts = counts_of(predicted, gold, invalid=invalid)
    return prf(*(sum(row[column] for row in counts) for column in range(3)))


def prf(correct: int, predicted: int, gold: int) -> PRF:
    """The scores that follow from these counts."""
    precision, recall = _ratio(correct, predicted), _ratio(correct, gold)
    f1 = _ratio(2 * correct, predicted + gold)
    return PRF(precision, recall, f1, correct, predicted, gold)


def bootstrap_f1(
    predicted: Predicted, gold: Gold, *, invalid: Invalid = None, samples: int = 1000, seed: int = 0
) -> tuple[float, float]:
    """The 95 % percentile bootstrap interval of micro F1, drawn over test samples: (low, high)."""
    return bootstrap_interval(
        counts_of(predicted, gold, invalid=invalid), samples=samples, seed=seed
    )


def per_relation(predicted: Predicted, gold: Gold) -> dict[str, PRF]:
    """``micro_prf`` of each relation that is predicted or gold, in alphabetical order.

    Invalid items have no relation and are left out.
    """
    _check_lengths(predicted, gold)
    predictions = [folded_set(sample) for sample in predicted]
    golds = [folded_set(sample) for sample in gold]
    items = set().union(*predictions, *golds)
    relations = {item[-1] for item in items}
    scores = {}
    for relation in sorted(relations):
        predicted_here = [_with_relation(relation, sample) for sample in predictions]
        gold_here = [_with_relation(relation, sample) for sample in golds]
        scores[relation] = micro_prf(predicted_here, gold_here)
    return scores


def folded_set(items: Iterable[Item] | None) -> set[Item]:
    """The distinct items with every string folded (``mmie.text.fold``); empty for None."""
    folded: set[Item] = set()
    for item in items or ():
        folded.add(fold(item) if isinstance(item, str) else tuple(map(fold, item)))
    return folded


def counts_of(
    predicted: Predicted, gold: Gold, *, invalid: Invalid = None
) -> list[tuple[int, int, int]]:
    """(correct, predicted, gold) of each sample; invalid items count among the predicted ones."""
    _check_lengths(predicted, gold)
    invalid = [0] * len(gold) if invalid is None else invalid
    counts = []
    for answer, right, extra in zip(predicted, gold, invalid, strict=True):
        answer_set, gold_set = folded_set(answer), folded_set(right)
        counts.append((len(answer_set & gold_set), len(answer_set) + extra, len(gold_set)))
    return counts


def _check_lengths(predicted: Predicted, gold: Gold) -> None:
    if len(predicted) != len(gold):
        counts = f"{len(predicted)} predictions for {len(gold)} gold samples"
        raise ValueError(f"{counts}: give one prediction per sample")


def _with_relation(relation: str, items: set[Item]) -> set[Item]:
    return {item for item in items if item[-1] == relation}


def _ratio(numerator: int, denominator: int) -> float:
    return numerator / denominator if denominator else 0.0
