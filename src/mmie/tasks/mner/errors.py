"""What is wrong with the entities of an answer. Pure functions over one sample.

A wrong entity is compared with the gold one that it comes nearest to, so that one slip is one error
and not an invented entity plus a missed one.
"""

from __future__ import annotations

from collections.abc import Sequence

from mmie.tasks.kinds import INVENTED, MISSED, SPAN, TYPE, unreadable
from mmie.tasks.mner.entities import Entity
from mmie.tasks.mner.matching import best_pairs
from mmie.text import fold
from mmie.types import Judged

Pair = tuple[Entity | None, Entity | None]


def judge_entities(
    predicted: Sequence[Entity] | None,
    gold: Sequence[Entity],
    *,
    truncated: bool = False,
    invalid: int = 0,
) -> list[Judged]:
    """What cannot be read, then right entities, slips, invented ones and missed ones.

    Args:
        predicted: None for an invalid answer: that is one error, and all gold is missed.
        gold: the right entities.
        truncated: whether the response was cut at the length limit; an invalid answer is then
            called truncated.
        invalid: the items of the answer that are wrong in form or type; each is an error.
    """
    answered = predicted is not None
    unread = unreadable(answered=answered, truncated=truncated, invalid=invalid)
    pairs = paired(predicted or (), gold)
    return unread + [Judged(said, meant, _kind(said, meant)) for said, meant in pairs]


def paired(predicted: Sequence[Entity], gold: Sequence[Entity]) -> list[Pair]:
    """Each predicted entity with the gold one that it equals or is a slip of; each in one pair.

    None stands for no partner. Equal ones are paired first. The others are paired such that they
    come nearest in all; two without a common word are no pair.
    """
    same: list[Pair] = []
    rest: list[Entity] = []
    left = [_folded(entity) for entity in gold]
    for entity in map(_folded, predicted):
        if entity in left:
            left.remove(entity)
            same.append((entity, entity))
        else:
            rest.append(entity)
    near = {row: column for row, column, _ in best_pairs(rest, left)}
    slips: list[Pair] = [(rest[row], left[column]) for row, column in near.items()]
    invented: list[Pair] = [(one, None) for row, one in enumerate(rest) if row not in near]
    taken = set(near.values())
    missed: list[Pair] = [(None, one) for column, one in enumerate(left) if column not in taken]
    return [*same, *slips, *invented, *missed]


def _kind(said: Entity | None, meant: Entity | None) -> str:
    """A wrong span goes before a wrong type; "" where nothing is wrong."""
    if said == meant:
        return ""
    if said is None:
        return MISSED
    if meant is None:
        return INVENTED
    return TYPE if said.name == meant.name else SPAN


def _folded(entity: Entity) -> Entity:
    return Entity(*map(fold, entity))
