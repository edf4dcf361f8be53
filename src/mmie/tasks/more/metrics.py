"""The metric of MORE: one label per sample, with ``none`` as the negative one.

The data set's own evaluation counts like this. A prediction is None where the answer cannot be
read. It is then never right, and nothing counts as predicted. There is one exception: a label that
the task does not know, which ``invalid`` counts, is a relation that was predicted.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

import numpy as np

from mmie.metrics import Invalid, bootstrap_f1, micro_prf, per_relation

NONE = "none"

Predicted = Sequence[str | None]
Gold = Sequence[str]
Group = TypeVar("Group", int, str)
Measured = TypeVar("Measured")


@dataclass(frozen=True)
class RelationScores:
    """The scores in 0..1, and the counts that they come from.

    A score is 0 if its denominator is 0. ``correct``, ``predicted`` and ``gold`` count relations,
    and ``samples`` counts every label, ``none`` included.
    """

    accuracy: float
    precision: float
    recall: float
    f1: float
    macro_f1: float
    correct: int
    predicted: int
    gold: int
    samples: int


def relation_scores(predicted: Predicted, gold: Gold, *, invalid: Invalid = None) -> RelationScores:
    """Accuracy over all samples, and micro and macro scores over the relations.

    Micro scores: P = correct / predicted, R = correct / gold, F1 = 2 correct / (predicted + gold).
    Macro F1 is the plain mean of F1 over the relations that are gold or predicted in at least one
    sample. ``none`` is no relation.

    Raises:
        ValueError: the two differ in length.
    """
    relations = relations_of(predicted), relations_of(gold)
    micro = micro_prf(*relations, invalid=invalid)
    of_each = [scores.f1 for scores in per_relation(*relations).values()]
    return RelationScores(
        accuracy=_hits(predicted, gold) / len(gold) if gold else 0.0,
        precision=micro.precision,
        recall=micro.recall,
        f1=micro.f1,
        macro_f1=sum(of_each) / len(of_each) if of_each else 0.0,
        correct=micro.correct,
        predicted=micro.predicted,
        gold=micro.gold,
        samples=len(gold),
    )


def bootstrap_relation_f1(
    predicted: Predicted, gold: Gold, *, invalid: Invalid = None, samples: int = 1000, seed: int = 0
) -> tuple[float, float]:
    """The 95 % percentile bootstrap interval of micro F1, drawn over test samples: (low, high)."""
    relations = relations_of(predicted), relations_of(gold)
    return bootstrap_f1(*relations, invalid=invalid, samples=samples, seed=seed)


def bootstrap_accuracy(
    predicted: Predicted, gold: Gold, *, samples: int = 1000, seed: int = 0
) -> tuple[float, float]:
    """The 95 % percentile bootstrap interval of accuracy: (low, high).

    The number of hits among samples that are drawn anew is binomial.
    """
    if not gold:
        return 0.0, 0.0
    draws = np.random.default_rng(seed).binomial(
        len(gold), _hits(predicted, gold) / len(gold), size=samples
    )
    low, high = np.percentile(draws / len(gold), [2.5, 97.5])
    return float(low), float(high)


def by_group(
    *columns: Sequence[Any], groups: Sequence[Group], measure: Callable[..., Measured]
) -> dict[Group, Measured]:
    """``measure`` of the samples of each group, in the groups' order.

    Args:
        columns: what ``measure`` takes, predictions and gold for instance; each has one value per
            sample.
        groups: the group of each sample.
        measure: takes the columns, cut down to the samples of one group.
    """
    rows: dict[Group, list[tuple[Any, ...]]] = {group: [] for group in sorted(set(groups))}
    for group, *values in zip(groups, *columns, strict=True):
        rows[group].append(tuple(values))
    return {
        group: measure(*(list(column) for column in zip(*of_group, strict=True)))
        for group, of_group in rows.items()
    }


def relations_of(labels: Predicted) -> list[tuple[tuple[str], ...]]:
    """One set of relations per sample, as ``mmie.metrics`` wants it.

    It is empty for ``none`` and where there is no answer.
    """
    return [() if label is None or label == NONE else ((label,),) for label in labels]


def _hits(predicted: Predicted, gold: Gold) -> int:
    return sum(p == g for p, g in zip(predicted, gold, strict=True))
