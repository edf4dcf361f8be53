"""JMERE's own JSON files, V1 (samples as in ``mnre``) and V2 (merged by tokens and picture): one format."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from mmie.data.pictures import PictureFolder
from mmie.data.source import SPLITS, Labels, Sample, digest, file_of, limits, picture_name, read, text_of, to_examples
from mmie.errors import InputError
from mmie.labels import RelationPairs
from mmie.types import Example, Quintuple

FILES = {"train": "train.json", "val": "val.json", "test": "test.json"}
OTHER_NAME = {"val.json": "dev.json"}


class JMEREJson:
    """A list of ``{"token": […], "img_id": …, "label_list": [[{"beg_ent", "sec_ent", "relation"}], …]}``.

    Args:
        root: folder of the files.
        images: folder of the pictures, flat or with ``train/``, ``val/``, ``test/``.
        types: entity types.
        relations: relation → type pairs such as ``per-org``.
        missing_images: ``error`` or ``blank``.
        limit: samples to take of a split, the first ones; all where it gives no number.
        files: split → file name; ``dev.json`` is taken where ``val.json`` is not there.

    Raises:
        InputError: also from ``load`` and ``content``: a file is missing or broken (with the line or the record's
            index), a label is unknown, pictures are missing.
    """

    def __init__(
        self,
        root: str | Path,
        images: str | Path,
        *,
        types: Sequence[str],
        relations: RelationPairs,
        missing_images: str = "error",
        limit: Mapping[str, int | None] | None = None,
        files: Mapping[str, str] = FILES,
    ) -> None:
        self.root = Path(root)
        self.pictures = PictureFolder(images, missing_images)
        self.labels = Labels(types, relations)
        self.limit = limits(limit)
        self.files = {**FILES, **files}

    def load(self, split: str) -> list[Example]:
        return to_examples(split, self._samples(self._file(split)), limit=self.limit, pictures=self.pictures)

    def content(self) -> str:
        return digest(map(self._file, SPLITS), self.pictures)

    def _file(self, split: str) -> Path:
        name = self.files[split]
        return file_of(self.root, *filter(None, (name, OTHER_NAME.get(name))))

    def _samples(self, path: Path) -> Iterator[Sample]:
        for index, record in enumerate(_records(path)):
            where = f"{path}: record {index}"
            match record:
                case {"token": [*tokens], "img_id": str(img_id), "label_list": [*labels]}:
                    quintuples = dict.fromkeys(self._quintuple(label, where) for label in _flat(labels))
                    yield Sample(text_of(tokens, where), picture_name(img_id, where), tuple(quintuples))
                case _:
                    raise InputError(f"{where}: needs a list token, a string img_id and a list label_list; correct it")

    def _quintuple(self, label: Any, where: str) -> Quintuple:
        match label:
            case {
                "beg_ent": {"name": str(head), "tags": head_tags},
                "sec_ent": {"name": str(tail), "tags": tail_tags},
                "relation": str(relation),
            }:
                found = Quintuple(head, entity_type(head_tags), tail, entity_type(tail_tags), relation)
                return self.labels.checked(found, where)
        raise InputError(f"{where}: a label needs beg_ent and sec_ent, each with name and tags, and relation; correct it")


def entity_type(tags: Any) -> str:
    """The type in ``per``, ``PER``, ``B-per`` or ``["B-per", "I-per"]``; of anything else its text, which is no type."""
    first = tags[0] if isinstance(tags, list) and tags else tags
    return re.sub("^[bi]-", "", str(first).lower())


def _flat(labels: Sequence[Any]) -> Iterator[Any]:
    for label in labels:
        yield from label if isinstance(label, list) else [label]


def _records(path: Path) -> list[Any]:
    try:
        records = json.loads(read(path).decode("utf-8-sig"))
    except json.JSONDecodeError as error:
        raise InputError(f"{path}:{error.lineno}: broken JSON ({error.msg}); correct it or copy the file anew") from error
    except (ValueError, RecursionError) as error:
        raise InputError(f"{path}: not JSON in UTF-8; copy the file anew") from error
    if not isinstance(records, list):
        raise InputError(f"{path}: holds no list of records; it is not one of JMERE's files")
    return records
