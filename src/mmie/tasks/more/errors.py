"""What is wrong with a label. Pure functions over one sample."""

from __future__ import annotations

from collections import Counter

from mmie.error_kinds import INVALID, INVENTED, MISSED, RELATION, TRUNCATED, TYPE
from mmie.tasks.more.metrics import NONE


def label_errors(predicted: str | None, gold: str, *, truncated: bool = False) -> Counter[str]:
    """Kind → count, at most one, for one of MORE's samples; ``none`` for a relation is missed, a
    relation for ``none`` invented."""
    if predicted is None:
        return Counter([TRUNCATED if truncated else INVALID])
    if predicted == gold:
        return Counter()
    if NONE in (predicted, gold):
        return Counter([MISSED if predicted == NONE else INVENTED])
    same_types = predicted.rpartition("/")[0] == gold.rpartition("/")[0]
    return Counter([RELATION if same_types else TYPE])
