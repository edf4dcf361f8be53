"""Annotated samples as JMERE's files have them: their quintuples in the task's labels."""

from __future__ import annotations

import re
from abc import ABC, abstractmethod
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any, ClassVar

from mmie.data.labels import Spellings
from mmie.data.pictures import PictureFolder, Track, untracked
from mmie.data.source import SPLITS, digest, known_split, limits
from mmie.errors import InputError
from mmie.tasks.jmere.relations import RelationPairs, relation_pairs
from mmie.text import clean, fold
from mmie.types import Example, Quintuple

_PREFIX = re.compile("[BIESLUM]-")  # of the tagging schemes IOB, BIOES, BILOU and BMES
_SMALL_PREFIX = re.compile("[bsu]-")  # with which an entity's first tag begins, in small letters
_PATH = re.compile(r"/([^/]+)/([^/]+)/([^/]+)")  # /per/org/member_of


@dataclass(frozen=True)
class Sample:
    """One sample as a file has it: text, the picture's file name, quintuples."""

    text: str
    img_id: str
    quintuples: tuple[Quintuple, ...]


class KnownLabels:
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


class AnnotatedFiles(ABC):
    """A data set of one file per split and a folder of pictures; a subclass reads the format.

    Args:
        root: folder of the files.
        images: folder of the pictures, flat or with ``train/``, ``val/``, ``test/``; None makes all
            pictures blank.
        types: entity types.
        relations: relation → type pairs such as ``per-org``.
        missing_images: ``error`` or ``blank``.
        limit: the number of samples to take of a split, the first ones; all without a number.

    Raises:
        InputError: also from ``load`` and ``content``: a file is missing or broken, a label is
            unknown, or pictures are missing.
    """

    places: ClassVar[tuple[str, ...]] = ("root", "images")

    def __init__(
        self,
        root: str | Path,
        images: str | Path | None,
        *,
        types: Collection[str],
        relations: RelationPairs,
        missing_images: str = "error",
        limit: Mapping[str, int | None] | None = None,
    ) -> None:
        self.root = Path(root)
        self.pictures = PictureFolder(images, missing_images)
        self.labels = KnownLabels(types, relations)
        self.limit = limits(limit)

    @abstractmethod
    def _file(self, split: str) -> Path:
        """The file of a split; InputError where there is none."""

    @abstractmethod
    def _samples(self, path: Path) -> Iterator[Sample]:
        """The samples of a file, in its order."""

    @property
    def images(self) -> Path:
        return self.pictures.folder

    def content(self) -> str:
        return digest(map(self._file, SPLITS), self.pictures)

    def load(self, split: str, *, track: Track = untracked) -> list[Example]:
        samples = self._samples(self._file(known_split(split)))
        return to_examples(split, samples, limit=self.limit, pictures=self.pictures, track=track)


def to_examples(
    split: str,
    samples: Iterable[Sample],
    *,
    limit: Mapping[str, int | None],
    pictures: PictureFolder,
    track: Track,
) -> list[Example]:
    """The first samples of a split with their pictures.

    ``extra`` keeps the name of the picture as ``img_id``.
    """
    taken = list(islice(samples, limit.get(split)))
    found = pictures.find(split, [sample.img_id for sample in taken], track=track)
    return [
        Example(
            f"{split}-{number:05d}",
            sample.text,
            (picture,),
            sample.quintuples,
            {"img_id": sample.img_id},
        )
        for number, (sample, picture) in enumerate(zip(taken, found, strict=True))
    ]
