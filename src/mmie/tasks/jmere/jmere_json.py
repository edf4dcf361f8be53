"""JMERE's own JSON files: V1 has the samples of ``mnre``, V2 merges them by tokens and picture.

Both have one format.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from mmie.data.files import fault_in, file_of, read_text
from mmie.data.source import by_split, picture_name, text_of
from mmie.errors import InputError
from mmie.tasks.jmere.annotations import AnnotatedFiles, Sample
from mmie.tasks.jmere.relations import RelationPairs
from mmie.types import Quintuple

FILES = {"train": "train.json", "val": "val.json", "test": "test.json"}
OTHER_NAME = {"val.json": "dev.json"}
NEEDED = "needs a list token, img_id (a name or a number) and a list label_list"


class JMEREJson(AnnotatedFiles):
    """Records in one list, or one on each line.

    ``{"token": […], "img_id": …, "label_list": [[{"beg_ent", "sec_ent", "relation"}], …]}``.

    Args:
        files: split → file name; ``dev.json`` is taken where ``val.json`` is not there.
        root, images, types, relations, missing_images, limit: see ``AnnotatedFiles``.

    Raises:
        InputError: see ``AnnotatedFiles``; a broken file is named with the line or the record's
            index.
    """

    def __init__(
        self,
        root: str | Path,
        images: str | Path | None,
        *,
        types: Sequence[str],
        relations: RelationPairs,
        missing_images: str = "error",
        limit: Mapping[str, int | None] | None = None,
        files: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(
            root,
            images,
            types=types,
            relations=relations,
            missing_images=missing_images,
            limit=limit,
        )
        self.files = by_split("data.files", files, FILES)
        for split, name in self.files.items():
            if not (isinstance(name, str) and name.strip()):
                raise InputError(f"data.files.{split}={name}: give the name of a file in data.root")

    def _file(self, split: str) -> Path:
        name = self.files[split]
        return file_of(self.root, *filter(None, (name, OTHER_NAME.get(name))))

    def _samples(self, path: Path) -> Iterator[Sample]:
        for where, record in _records(path):
            match record:
                case {
                    "token": [*tokens],
                    "img_id": str() | int() as img_id,
                    "label_list": [*labels],
                }:
                    quintuples = dict.fromkeys(
                        self._quintuple(label, where) for label in _flat(labels)
                    )
                    text, name = text_of(tokens, where), picture_name(img_id, where)
                    yield Sample(text, name, tuple(quintuples))
                case _:
                    raise InputError(f"{where}: {NEEDED}; correct it")

    def _quintuple(self, label: Any, where: str) -> Quintuple:
        match label:
            case {
                "beg_ent": {"name": str(head), "tags": head_tags},
                "sec_ent": {"name": str(tail), "tags": tail_tags},
                "relation": str(relation),
            }:
                types = self.labels.type_of(head_tags), self.labels.type_of(tail_tags)
                quintuple = Quintuple(head, types[0], tail, types[1], relation)
                return self.labels.checked(quintuple, where)
        parts = "beg_ent and sec_ent, each with name and tags, and relation"
        raise InputError(f"{where}: a label needs {parts}; correct it")


def _flat(labels: Sequence[Any]) -> Iterator[Any]:
    for label in labels:
        yield from label if isinstance(label, list) else [label]


def _records(path: Path) -> Iterator[tuple[str, Any]]:
    """Where each record stands and its value: out of a list of records, or out of JSON lines."""
    text = read_text(path)
    try:
        records = json.loads(text)
    except (ValueError, RecursionError) as error:
        if text.lstrip().startswith("{"):
            yield from _lines(path, text)
            return
        line, reason = getattr(error, "lineno", 1), fault_in(error)
        raise InputError(f"{path}:{line}: broken JSON ({reason}); correct it") from error
    if isinstance(records, dict) and "token" in records:
        records = [records]  # JSON lines of one line
    if not isinstance(records, list):
        raise InputError(f"{path}: holds no list of records; keep the list alone in the file")
    for index, record in enumerate(records):
        yield f"{path}: record {index}", record


def _lines(path: Path, text: str) -> Iterator[tuple[str, Any]]:
    """One record per line; line ends are those of a file alone, as a text may hold others."""
    for number, line in enumerate(text.split("\n"), start=1):
        if line.strip():
            yield f"{path}:{number}", _record(line, f"{path}:{number}")


def _record(line: str, where: str) -> Any:
    try:
        return json.loads(line)
    except (ValueError, RecursionError) as error:
        reason = fault_in(error)
        advice = "hold one record on each line, or all of them in one list"
        if line.lstrip().startswith("{'"):
            advice = "Python literals, as MNRE-2 has them, are read with data=mnre"
        raise InputError(f"{where}: broken JSON ({reason}); {advice}") from error
