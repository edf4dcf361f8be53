"""MNRE-2 as relation extraction: every line is a sample, those without a relation as well."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any, ClassVar

from mmie.data.files import file_of
from mmie.data.labels import Spellings
from mmie.data.literals import literals
from mmie.data.pictures import PictureFolder, Track, untracked
from mmie.data.source import SPLITS, digest, known_split, limits, picture_name, text_of
from mmie.errors import InputError
from mmie.tasks.mre.labels import NONE, checked_labels, label_of
from mmie.tasks.mre.marks import mark_words
from mmie.text import clean
from mmie.types import Example

FILES = {
    "train": ["mnre_train.txt"],
    "val": ["mnre_val .txt", "mnre_val.txt"],
    "test": ["mnre_test.txt"],
}


@dataclass(frozen=True)
class _Fact:
    text: str
    img_id: str
    label: str
    extra: Mapping[str, str]


class MNREFacts:
    """Python-literal dicts, one per line: ``token``, ``h``, ``t``, ``img_id`` and ``relation``.

    ``h`` and ``t`` are head and tail, each with ``name`` and ``pos``: first word, and the one after
    the last. ``extra`` of a sample has ``head``, ``tail``, ``marked`` and ``img_id``.

    Args:
        root: folder of ``mnre_train.txt``, ``mnre_val .txt`` (with or without the blank) and
            ``mnre_test.txt``.
        images: folder of the pictures, flat or with ``train/``, ``val/``, ``test/``. Without one
            each is blank.
        labels: the task's, without none.
        missing_images: ``error`` or ``blank``.
        limit: the number of samples to take of a split, the first ones; all without a number.

    Raises:
        InputError: also from ``load`` and ``content``: a file is missing or broken (with its line),
            a label is unknown, a position does not fit, or pictures are missing.
    """

    places: ClassVar[tuple[str, ...]] = ("root", "images")

    def __init__(
        self,
        root: str | Path,
        images: str | Path | None,
        *,
        labels: Sequence[str],
        missing_images: str = "error",
        limit: Mapping[str, int | None] | None = None,
    ) -> None:
        self.root = Path(root)
        self.pictures = PictureFolder(images, missing_images)
        self.labels = Spellings(checked_labels(labels))
        self.limit = limits(limit)

    @property
    def images(self) -> Path:
        return self.pictures.folder

    def content(self) -> str:
        return digest(map(self._file, SPLITS), self.pictures)

    def load(self, split: str, *, track: Track = untracked) -> list[Example]:
        facts = list(islice(self._facts(self._file(known_split(split))), self.limit.get(split)))
        found = self.pictures.find(split, [fact.img_id for fact in facts], track=track)
        examples = []
        for number, (fact, picture) in enumerate(zip(facts, found, strict=True)):
            name, extra = f"{split}-{number:05d}", {**fact.extra, "img_id": fact.img_id}
            examples.append(Example(name, fact.text, (picture,), fact.label, extra))
        return examples

    def _file(self, split: str) -> Path:
        return file_of(self.root, *FILES[split])

    def _facts(self, path: Path) -> Iterator[_Fact]:
        for where, line in literals(path):
            match line:
                case {
                    "token": [*tokens],
                    "h": {"name": str(), "pos": [int(), int()]} as head,
                    "t": {"name": str(), "pos": [int(), int()]} as tail,
                    "img_id": str() | int() as img_id,
                    "relation": (str() | None) as relation,
                }:
                    text, name = text_of(tokens, where), picture_name(img_id, where)
                    extra = _pair(tokens, head, tail, where)
                    yield _Fact(text, name, self._label(relation, where), extra)
                case _:
                    needed = "token, h and t with name and pos, img_id and relation"
                    raise InputError(f"{where}: not a line of MNRE-2; it needs {needed}")

    def _label(self, relation: str | None, where: str) -> str:
        if relation is None or relation.strip().lower() == NONE:
            return NONE
        label = self.labels.of(label_of(relation) or "")
        if label is None:
            reason = f"relation {relation!r} is unknown"
            raise InputError(f"{where}: {reason}; correct it or extend task.labels")
        return label


def _pair(
    tokens: Sequence[str], head: Mapping[str, Any], tail: Mapping[str, Any], where: str
) -> dict[str, str]:
    """The names of head and tail, and the text with both in tags."""
    places: dict[str, tuple[int, int]] = {}
    names: dict[str, str] = {}
    for key, entity in (("head", head), ("tail", tail)):
        start, end = entity["pos"]
        name = clean(entity["name"], f"{where}: the name of the {key}")
        words = " ".join(tokens[start:end]) if 0 <= start < end <= len(tokens) else ""
        if not words.strip() or clean(words, where) != name:
            reason = f"the {key} {name!r} is not at its position {[start, end]}"
            raise InputError(f"{where}: {reason}; correct name or pos")
        places[key], names[key] = (start, end), name
    marked = clean(mark_words(tokens, places), f"{where}: 'token'")
    return {**names, "marked": marked}
