"""Relations and the pairs of types that they join, in every form that a configuration may have."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from mmie.errors import InputError

RelationPairs = Mapping[str, Sequence[str]] | Sequence[Any] | str


def relation_pairs(relations: RelationPairs) -> dict[str, tuple[str, ...]]:
    """Relation → type pairs such as ``per-org``, in the given order, with blanks for underscores.

    Args:
        relations: a mapping from each relation to its pairs; or a text with one line for each,
            as in ``alternate_names: per-per, org-org``; or a list of such lines or mappings.

    Raises:
        InputError: there is none, one has no pair or stands twice, or a pair is not two types.
    """
    pairs: dict[str, tuple[str, ...]] = {}
    for name, joined in _entries(relations):
        relation = " ".join(str(name).replace("_", " ").split())
        if not relation or relation in pairs:
            reason = f"{name!r} is blank or stands twice"
            raise InputError(f"task.relations: {reason}; give each relation once")
        pairs[relation] = _pairs_of(name, joined)
    if not pairs:
        raise InputError("task.relations: there is none; write {member_of: [per-org]}")
    return pairs


def relation_names(relations: RelationPairs) -> list[str]:
    """The relations alone, with blanks for underscores; a list may hold nothing but their names."""
    listed = isinstance(relations, Sequence) and not isinstance(relations, str)
    if listed and all(isinstance(name, str) and ":" not in name for name in relations):
        return [name.replace("_", " ") for name in relations]
    return list(relation_pairs(relations))


def _entries(relations: Any) -> Iterator[tuple[Any, Any]]:
    if isinstance(relations, Mapping):
        yield from relations.items()
    elif isinstance(relations, str):
        for line in filter(str.strip, relations.splitlines()):
            name, _, joined = line.partition(":")
            yield name, joined
    elif isinstance(relations, Sequence):
        for entry in relations:
            yield from _entries(entry)
    else:
        reason = f"{relations!r} names no relations"
        raise InputError(f"task.relations: {reason}; write {{member_of: [per-org]}}")


def _pairs_of(name: Any, joined: Any) -> tuple[str, ...]:
    listed = joined.split(",") if isinstance(joined, str) else joined
    if not isinstance(listed, Sequence) or not listed:
        reason = f"{name} has no list of type pairs"
        raise InputError(f"task.relations: {reason}; write {{{name}: [per-org]}}")
    pairs = tuple(pair.strip() if isinstance(pair, str) else repr(pair) for pair in listed)
    for pair in pairs:
        head, _, tail = pair.partition("-")
        if not (head and tail):
            reason = f"{pair!r} of {str(name).strip()} is no pair of types"
            raise InputError(f"task.relations: {reason}; write per-org")
    return pairs
