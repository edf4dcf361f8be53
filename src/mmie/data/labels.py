"""Types and relations as a data set writes them, held against those of the task."""

from __future__ import annotations

import re
from collections.abc import Collection
from typing import Any

from mmie.errors import InputError
from mmie.labels import RelationPairs, relation_pairs
from mmie.text import clean, fold, label_key
from mmie.types import Quintuple

_PREFIX = re.compile("[BIESLUM]-")  # of the tagging schemes IOB, BIOES, BILOU and BMES
_SMALL_PREFIX = re.compile("[bsu]-")  # with which an entity's first tag begins, in small letters
_PATH = re.compile(r"/([^/]+)/([^/]+)/([^/]+)")  # /per/org/member_of


class Spellings:
    """Labels by what they mean: case, Unicode form, and blanks for underscores make no difference.

    Args:
        labels: in the spelling that is written.
    """

    def __init__(self, labels: Collection[str]) -> None:
        self.labels = list(labels)
        self._by_key = {label_key(label): label for label in reversed(self.labels)}

    def of(self, label: str) -> str | None:
        """The label in its own spelling; None where it is none of them."""
        return label if label in self.labels else self._by_key.get(label_key(label))


class Labels:
    """The types, and the relations with the type pairs that each may join.

    Args:
        types: of entities.
        relations: relation → pairs such as ``per-org``, in any form that ``relation_pairs`` reads.
    """

    def __init__(self, types: Collection[str], relations: RelationPairs) -> None:
        self.types = Spellings(types)
        self.pairs = relation_pairs(relations)
        self.relations = Spellings(self.pairs)

    def type_of(self, tags: Any) -> str:
        """The type in ``per``, ``PER``, ``B-per``, ``S-PER`` or ``["b-per", "i-per"]``.

        A tag that is itself a type stays whole: a type may be called ``i-product``. A prefix in
        small letters is taken off where the tags are a list that begins as an entity does. What
        is no type comes back as it stands.
        """
        in_list = isinstance(tags, list)
        tag = fold(str(tags[0] if in_list and tags else tags))
        known = self.types.of(tag)
        if known is not None:
            return known
        prefixed = _PREFIX.match(tag) or (in_list and _SMALL_PREFIX.match(tag))
        return (self.types.of(tag[2:]) if prefixed else None) or tag

    def checked(self, found: Quintuple, where: str) -> Quintuple:
        """The quintuple with clean names, types and relation in the task's spelling.

        A relation may be written ``/per/org/member_of``, with the types of its two entities.

        Raises:
            InputError: a name is empty or no text, or a type, the relation or the type pair is none
                of the task's.
        """
        if not (found.head.strip() and found.tail.strip()):
            raise InputError(f"{where}: an entity has no name; correct or remove it")
        head, tail = (clean(name, f"{where}: an entity") for name in (found.head, found.tail))
        head_type, tail_type = (
            self._type(kind, where) for kind in (found.head_type, found.tail_type)
        )
        relation = self._relation(found.relation, (head_type, tail_type), where)
        pair, pairs = f"{head_type}-{tail_type}", self.pairs[relation]
        if pair.casefold() not in (allowed.casefold() for allowed in pairs):
            joins = f"{found.relation!r} joins {', '.join(pairs)}, not {pair}"
            raise InputError(f"{where}: {joins}; correct it or extend task.relations")
        return Quintuple(head, head_type, tail, tail_type, relation)

    def _type(self, kind: str, where: str) -> str:
        known = self.types.of(fold(kind))
        if known is None:
            types = ", ".join(self.types.labels)
            raise InputError(
                f"{where}: entity type {kind!r} is unknown; use {types} or extend task.types"
            )
        return known

    def _relation(self, relation: str, types: tuple[str, str], where: str) -> str:
        known = self.relations.of(relation)
        path = _PATH.fullmatch(fold(relation))
        if known is None and path:
            known = self.relations.of(path[3])
            stated = (self.types.of(path[1]), self.types.of(path[2]))
            if known is not None and stated != types:
                wrong = f"relation {relation!r} does not fit the tags {' and '.join(types)}"
                raise InputError(f"{where}: {wrong}; correct one of them")
        if known is None:
            raise InputError(
                f"{where}: relation {relation!r} is unknown; correct it or extend task.relations"
            )
        return known
