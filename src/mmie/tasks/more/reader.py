"""MORE (ACM MM 2023) as its authors lay it out: one fact per line, and the boxes of the objects.

``txt/{train,valid,test}.txt``, ``ent_{train,valid,test}_dict.pth`` (in the folder or in ``txt``),
``img_org/{train,valid,test}/``, ``rel2id.json``.
"""

from __future__ import annotations

import json
import logging
from collections import defaultdict
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, ClassVar

from mmie.data.files import fault_in, file_of, read_text
from mmie.data.labels import Spellings
from mmie.data.literals import literals
from mmie.data.pictures import PictureFolder, Track, untracked, upright_size
from mmie.data.source import SPLITS, digest, known_split, limits, picture_name, text_of
from mmie.errors import InputError
from mmie.tasks.more.boxes import Boxes, in_pixels
from mmie.tasks.more.metrics import NONE
from mmie.text import clean
from mmie.types import Example, Picture

ON_DISK = {"train": "train", "val": "valid", "test": "test"}
LABELS_FILES = ("rel2id.json", "txt/rel2id.json")
DEGENERATE = ("error", "whole")

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class _Fact:
    text: str
    img_id: str
    entity: str
    object: str
    label: str
    where: str

    @property
    def scene(self) -> tuple[str, str]:
        return self.text, self.img_id


class MORE:
    """Python-literal dicts, one per line: ``token``, ``h``, ``t``, ``img_id`` and ``relation``.

    ``h`` is the entity and ``t`` the object, each with ``name``. Every fact is a sample. Its
    pictures are the whole one and the part in the object's box; its gold is the label. ``extra``
    has ``img_id``, ``entity`` and ``object``, and in ``entity_count`` and ``object_count`` the
    numbers of distinct ones among the file's facts of that picture and text.

    Args:
        root: folder of the files.
        images: folder of the pictures, flat or with ``train/``, ``valid/``, ``test/``; None makes
            all pictures blank.
        labels: the task's, without none.
        missing_images: ``error`` or ``blank``; the object of a blank picture is blank, too.
        degenerate_boxes: what a box without a pixel inside the picture gives: ``error``, or the
            ``whole`` picture and a warning.
        limit: the number of samples to take of a split, the first ones; all without a number.

    Raises:
        InputError: also from ``load`` and ``content``: a file is missing or broken (with its line),
            a label is unknown or ``rel2id.json`` has others, a box is missing, broken or empty, or
            pictures are missing.
    """

    places: ClassVar[tuple[str, ...]] = ("root", "images")

    def __init__(
        self,
        root: str | Path,
        images: str | Path | None,
        *,
        labels: Sequence[str],
        missing_images: str = "error",
        degenerate_boxes: str = "error",
        limit: Mapping[str, int | None] | None = None,
    ) -> None:
        if not labels:
            raise InputError("data.labels: there is none; read these data with task=more")
        if degenerate_boxes not in DEGENERATE:
            raise InputError(
                f"data.degenerate_boxes={degenerate_boxes}: use {' or '.join(DEGENERATE)}"
            )
        self.root = Path(root)
        self.pictures = PictureFolder(images, missing_images)
        self.labels = Spellings(labels)
        self.degenerate_boxes = degenerate_boxes
        self.limit = limits(limit)

    def load(self, split: str, *, track: Track = untracked) -> list[Example]:
        check_labels(self.labels.labels, self.root)
        facts = list(self._facts(self._texts(known_split(split))))
        extras = _extras(facts)
        taken = facts[: self.limit.get(split)]
        names = [fact.img_id for fact in taken]
        whole = self.pictures.find(ON_DISK[split], names, track=track)
        objects = self._cut(taken, whole, self._boxes(split))
        examples = []
        for number, fact in enumerate(taken):
            name, pictures = f"{split}-{number:05d}", (whole[number], objects[number])
            examples.append(Example(name, fact.text, pictures, fact.label, extras[number]))
        return examples

    @property
    def images(self) -> Path:
        return self.pictures.folder

    def content(self) -> str:
        files = [path for split in SPLITS for path in (self._texts(split), self._boxes(split))]
        return digest([*files, *_labels_file(self.root)], self.pictures)

    def _texts(self, split: str) -> Path:
        return file_of(self.root, f"txt/{ON_DISK[split]}.txt")

    def _boxes(self, split: str) -> Path:
        name = f"ent_{ON_DISK[split]}_dict.pth"
        return file_of(self.root, name, f"txt/{name}")

    def _facts(self, path: Path) -> Iterator[_Fact]:
        for where, line in literals(path):
            match line:
                case {
                    "token": [*tokens],
                    "h": {"name": str(entity)},
                    "t": {"name": str(name)},
                    "img_id": str() | int() as img_id,
                    "relation": (str() | None) as relation,
                }:
                    text, picture = text_of(tokens, where), picture_name(img_id, where)
                    label = self._label(relation, where)
                    yield _Fact(text, picture, _entity(entity, where), name, label, where)
                case _:
                    needed = "token, h and t with a name, img_id and relation"
                    raise InputError(f"{where}: not a line of MORE; it needs {needed}")

    def _label(self, relation: str | None, where: str) -> str:
        if relation is None or relation.strip().lower() == NONE:
            return NONE
        known = self.labels.of(relation)
        if known is None:
            raise InputError(
                f"{where}: relation {relation!r} is no label; correct it or extend task.labels"
            )
        return known

    def _cut(
        self, facts: Sequence[_Fact], pictures: Sequence[Picture], path: Path
    ) -> list[Picture]:
        """The picture of each fact with its object's box."""
        boxes, size = Boxes(path), cache(upright_size)
        cut, degenerate = [], []
        for fact, picture in zip(facts, pictures, strict=True):
            centred = boxes.of(fact.img_id, fact.object, where=fact.where)
            if picture.path is None:
                cut.append(picture)
                continue
            box = in_pixels(centred, size(picture.path))
            cut.append(Picture(picture.path, box))
            if box is None:
                degenerate.append(fact)
        if degenerate:
            self._complain(degenerate, path.name)
        return cut

    def _complain(self, facts: Sequence[_Fact], name: str) -> None:
        first = facts[0]
        box = f"the box of object {first.object!r} of {first.img_id}"
        message = f"{first.where}: {box} holds no pixel of the picture"
        if self.degenerate_boxes == "error":
            raise InputError(f"{message}; correct {name} or set data.degenerate_boxes=whole")
        log.warning(f"{message}; {len(facts)} such boxes of {name} show the whole picture")


def _extras(facts: Sequence[_Fact]) -> list[dict[str, Any]]:
    """``extra`` of each fact."""
    entities, objects = defaultdict(set), defaultdict(set)
    for fact in facts:
        entities[fact.scene].add(fact.entity)
        objects[fact.scene].add(fact.object)
    return [
        {
            "img_id": fact.img_id,
            "entity": fact.entity,
            "object": fact.object,
            "entity_count": len(entities[fact.scene]),
            "object_count": len(objects[fact.scene]),
        }
        for fact in facts
    ]


def _entity(name: str, where: str) -> str:
    if not name.strip():
        raise InputError(f"{where}: the entity has no name; correct or remove this line")
    return clean(name, f"{where}: the entity")


def check_labels(labels: Collection[str], root: Path) -> None:
    """Holds the task's labels against ``rel2id.json``, where it is there.

    Raises:
        InputError: the two differ, or the file is broken.
    """
    for path in _labels_file(root):
        own, found = Spellings(labels), Spellings(read_labels(path))
        more = sorted(label for label in found.labels if own.of(label) is None)
        less = sorted(label for label in own.labels if found.of(label) is None)
        if more or less:
            raise InputError(
                f"task.labels: {path} has {more} beside them and lacks {less}; make them equal"
            )


def read_labels(path: Path) -> list[str]:
    """The labels of a ``rel2id.json`` by their numbers, without none.

    Raises:
        InputError: it is no JSON object from labels to whole numbers of their own, or it lacks
            ``none``.
    """
    text = read_text(path)
    try:
        numbers = json.loads(text)
    except (ValueError, RecursionError) as error:
        line, reason = getattr(error, "lineno", 1), fault_in(error)
        raise InputError(f"{path}:{line}: broken JSON ({reason}); correct it") from error
    if not isinstance(numbers, dict) or not all(type(number) is int for number in numbers.values()):
        raise InputError(f"{path}: must map each label to a whole number; copy the file anew")
    if len({*numbers.values()}) < len(numbers) or NONE not in map(str.lower, numbers):
        raise InputError(
            f"{path}: gives two labels one number, or has no {NONE!r}; copy the file anew"
        )
    return [label for label in sorted(numbers, key=numbers.__getitem__) if label.lower() != NONE]


def _labels_file(root: Path) -> list[Path]:
    return [root / name for name in LABELS_FILES if (root / name).is_file()][:1]
