"""Kinds of errors that several tasks know, and how they are told.

A task may have others; nothing else depends on them.
"""

from __future__ import annotations

from collections.abc import Callable

from mmie.types import Judged

SPAN, TYPE, RELATION, DIRECTION = "wrong span", "wrong type", "wrong relation", "swapped direction"
MISSED, INVENTED = "missed", "invented"
INVALID, TRUNCATED = "invalid answer", "truncated"


def unreadable(*, answered: bool, truncated: bool, invalid: int) -> list[Judged]:
    """What cannot be read of an answer that lists items.

    Args:
        answered: whether the answer as a whole is valid; if not, that is one error at least.
        truncated: whether the response was cut; an invalid answer is then called truncated.
        invalid: the items that are wrong in form or label; each is an error.
    """
    if truncated and not answered:
        return [Judged(None, None, TRUNCATED)]
    return [Judged(None, None, INVALID)] * max(invalid, int(not answered))


def judged_label(
    predicted: str | None,
    gold: str,
    *,
    truncated: bool,
    none: str,
    types_of: Callable[[str], object],
) -> Judged:
    """The label beside the gold one.

    The label ``none`` in place of a relation is missed, a relation in place of ``none`` is
    invented. ``types_of`` gives what two relations of the same types have in common.
    """

    def kind() -> str:
        if predicted is None:
            return TRUNCATED if truncated else INVALID
        if predicted == gold:
            return ""
        if predicted == none:
            return MISSED
        if gold == none:
            return INVENTED
        return RELATION if types_of(predicted) == types_of(gold) else TYPE

    return Judged(None if predicted is None else (predicted,), (gold,), kind())
