"""What is wrong with a set of quintuples. Pure functions over one sample.

A wrong quintuple is compared with the gold quintuple that it comes nearest to, so that one slip is
one error and not a wrong plus a missed one. What comes near none is invented; gold that nothing
comes near is missed.
"""

from __future__ import annotations

from collections.abc import Collection

import numpy as np
from scipy.optimize import linear_sum_assignment

from mmie.metrics import folded_set
from mmie.tasks.kinds import DIRECTION, INVENTED, MISSED, RELATION, SPAN, TYPE, unreadable
from mmie.types import Judged, Quintuple

NEAR = 3  # parts of five that a quintuple must share with a gold one to count as a slip of it


def judge_quintuples(
    predicted: Collection[Quintuple] | None,
    gold: Collection[Quintuple],
    *,
    truncated: bool = False,
    invalid: int = 0,
) -> list[Judged]:
    """What cannot be read, then right quintuples, slips, invented ones and missed ones.

    Args:
        predicted: None for an invalid answer: that is one error, and all gold is missed.
        gold: the right quintuples.
        truncated: whether the response was cut at the length limit; an invalid answer is then
            called truncated.
        invalid: the items of the answer that are wrong in form or label; each is an error.
    """
    answered = predicted is not None
    unread = unreadable(answered=answered, truncated=truncated, invalid=invalid)
    return unread + [
        Judged(said, meant, _kind(said, meant)) for said, meant in paired(predicted, gold)
    ]


def paired(
    predicted: Collection[Quintuple] | None, gold: Collection[Quintuple]
) -> list[tuple[Quintuple | None, Quintuple | None]]:
    """Each predicted quintuple with the gold one that it equals or is a slip of.

    None stands for no partner; each quintuple is in one pair. Equal ones are paired first. The rest
    is paired such that the sum of common parts over all pairs is greatest. A pair of them has at
    least ``NEAR`` parts of five in common, and a word of the entities among these. Where head and
    tail are swapped, one of the two is turned round before parts are counted.
    """
    said = [Quintuple(*item) for item in sorted(folded_set(predicted))]
    meant = [Quintuple(*item) for item in sorted(folded_set(gold))]
    same = [item for item in said if item in meant]
    rest = [item for item in said if item not in same]
    left = [item for item in meant if item not in same]
    pairs: list[tuple[Quintuple | None, Quintuple | None]] = [(item, item) for item in same]
    near = _nearest(rest, left)
    pairs += [(rest[row], left[column]) for row, column in near]
    rows, columns = {row for row, _ in near}, {column for _, column in near}
    pairs += [(item, None) for row, item in enumerate(rest) if row not in rows]
    return pairs + [(None, item) for column, item in enumerate(left) if column not in columns]


def _kind(wrong: Quintuple | None, right: Quintuple | None) -> str:
    """The first of several slips in the order direction, span, type, relation; "" for none."""
    if wrong == right:
        return ""
    if wrong is None:
        return MISSED
    if right is None:
        return INVENTED
    if _parts(_turned(wrong), right) > _parts(wrong, right):
        return DIRECTION
    if (wrong.head, wrong.tail) != (right.head, right.tail):
        return SPAN
    types, right_types = (wrong.head_type, wrong.tail_type), (right.head_type, right.tail_type)
    return TYPE if types != right_types else RELATION


def _nearest(rest: list[Quintuple], left: list[Quintuple]) -> list[tuple[int, int]]:
    """Places in the two lists that go together."""
    if not rest or not left:
        return []
    shared = np.array([[_shared(said, meant) for meant in left] for said in rest])
    rows, columns = linear_sum_assignment(shared, maximize=True)
    pairs = zip(rows, columns, strict=True)
    return [(int(row), int(column)) for row, column in pairs if shared[row, column]]


def _shared(said: Quintuple, meant: Quintuple) -> int:
    """Parts in common, with one turned round where that gives more; 0 where neither is a slip."""
    parts = max(_parts(said, meant), _parts(_turned(said), meant))
    return parts if parts >= NEAR and _words(said) & _words(meant) else 0


def _words(quintuple: Quintuple) -> set[str]:
    return {*quintuple.head.split(), *quintuple.tail.split()}


def _parts(said: Quintuple, meant: Quintuple) -> int:
    return sum(one == other for one, other in zip(said, meant, strict=True))


def _turned(quintuple: Quintuple) -> Quintuple:
    head, head_type, tail, tail_type, relation = quintuple
    return Quintuple(tail, tail_type, head, head_type, relation)
