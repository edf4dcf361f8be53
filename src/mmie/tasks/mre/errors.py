"""What is wrong with a label."""

from __future__ import annotations

from mmie.tasks.kinds import INVALID, INVENTED, MISSED, RELATION, TRUNCATED, TYPE
from mmie.tasks.mre.labels import NONE, parts_of
from mmie.types import Judged


def judge_label(predicted: str | None, gold: str, *, truncated: bool = False) -> Judged:
    """The label beside the gold one.

    ``none`` in place of a relation is missed, a relation in place of ``none`` is invented.
    """
    said = None if predicted is None else (predicted,)
    return Judged(said, (gold,), _kind(predicted, gold, truncated=truncated))


def _kind(predicted: str | None, gold: str, *, truncated: bool) -> str:
    if predicted is None:
        return TRUNCATED if truncated else INVALID
    if predicted == gold:
        return ""
    if predicted == NONE:
        return MISSED
    if gold == NONE:
        return INVENTED
    return RELATION if parts_of(predicted)[:2] == parts_of(gold)[:2] else TYPE
