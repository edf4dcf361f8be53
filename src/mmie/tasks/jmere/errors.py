"""What is wrong with a set of quintuples. Pure functions over one sample.

A wrong quintuple is named after the gold quintuple that it comes nearest to, so that one slip is
one error and not a wrong plus a missed one. What comes near none is invented; gold that nothing
comes near is missed.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable

import numpy as np
from scipy.optimize import linear_sum_assignment

from mmie.error_kinds import DIRECTION, INVALID, INVENTED, MISSED, RELATION, SPAN, TRUNCATED, TYPE
from mmie.metrics import folded_set
from mmie.types import Quintuple

NEAR = 3  # parts of five that a quintuple must share with a gold one to count as a slip of it


def quintuple_errors(
    predicted: Collection[Quintuple] | None,
    gold: Collection[Quintuple],
    *,
    truncated: bool = False,
    invalid: int = 0,
) -> Counter[str]:
    """Kind → count for one sample.

    Args:
        predicted: None for an invalid answer: that is one error, and all gold is missed.
        gold: the right quintuples.
        truncated: whether the response was cut at the length limit; such an answer is invalid, and
            called so.
        invalid: the items of the answer that are wrong in form or label; each is an error.
    """
    kinds: Counter[str] = Counter()
    if predicted is None and truncated:
        kinds[TRUNCATED] += 1
    elif predicted is None or invalid:
        kinds[INVALID] += max(1, invalid)
    for wrong, right in paired(predicted, gold):
        if wrong != right:
            kinds[_kind(wrong, right)] += 1
    return kinds


def paired(
    predicted: Collection[Quintuple] | None, gold: Collection[Quintuple]
) -> list[tuple[Quintuple | None, Quintuple | None]]:
    """Each predicted quintuple with the gold one that it is, or is a slip of; None for no partner.
    Each stands in one pair.

    Equal ones go together first; of the rest those with most parts in common, at least ``NEAR`` of
    five (a swapped pair is turned round before parts are counted) and a word of their entities
    among them, such that the sum over all pairs is greatest.
    """
    said = [Quintuple(*item) for item in sorted(folded_set(predicted))]
    meant = [Quintuple(*item) for item in sorted(folded_set(gold))]
    same = [item for item in said if item in meant]
    rest, left = (
        [item for item in said if item not in same],
        [item for item in meant if item not in same],
    )
    pairs: list[tuple[Quintuple | None, Quintuple | None]] = [(item, item) for item in same]
    near = _nearest(rest, left)
    pairs += [(rest[row], left[column]) for row, column in near]
    rows, columns = {row for row, _ in near}, {column for _, column in near}
    pairs += [(item, None) for row, item in enumerate(rest) if row not in rows]
    return pairs + [(None, item) for column, item in enumerate(left) if column not in columns]


def relations_confused(
    pairs: Iterable[tuple[Quintuple | None, Quintuple | None]],
) -> Counter[tuple[str, str]]:
    """(gold relation, predicted relation) → count over the pairs of ``paired``, "" for no
    partner."""
    return Counter(
        (right.relation if right else "", said.relation if said else "") for said, right in pairs
    )


def _kind(wrong: Quintuple | None, right: Quintuple | None) -> str:
    """Of several slips the first of: direction, span, type, relation."""
    if wrong is None:
        return MISSED
    if right is None:
        return INVENTED
    if _parts(_turned(wrong), right) > _parts(wrong, right):
        return DIRECTION
    if (wrong.head, wrong.tail) != (right.head, right.tail):
        return SPAN
    return (
        TYPE
        if (wrong.head_type, wrong.tail_type) != (right.head_type, right.tail_type)
        else RELATION
    )


def _nearest(rest: list[Quintuple], left: list[Quintuple]) -> list[tuple[int, int]]:
    if not rest or not left:
        return []
    shared = np.array([[_shared(said, meant) for meant in left] for said in rest])
    rows, columns = linear_sum_assignment(shared, maximize=True)
    return [
        (int(row), int(column))
        for row, column in zip(rows, columns, strict=True)
        if shared[row, column]
    ]


def _shared(said: Quintuple, meant: Quintuple) -> int:
    """Parts in common, one of the two turned round where that gives more; 0 where it is no slip of
    the other."""
    parts = max(_parts(said, meant), _parts(_turned(said), meant))
    return parts if parts >= NEAR and _words(said) & _words(meant) else 0


def _words(quintuple: Quintuple) -> set[str]:
    return {*quintuple.head.split(), *quintuple.tail.split()}


def _parts(said: Quintuple, meant: Quintuple) -> int:
    return sum(one == other for one, other in zip(said, meant, strict=True))


def _turned(quintuple: Quintuple) -> Quintuple:
    head, head_type, tail, tail_type, relation = quintuple
    return Quintuple(tail, tail_type, head, head_type, relation)
