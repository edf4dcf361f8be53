"""What every data source gives, and what readers of files share."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from itertools import combinations
from pathlib import Path
from typing import Any, ClassVar, Protocol

from mmie.data.files import read
from mmie.data.pictures import (
    PictureFolder,
    Track,
    picture_from_json,
    picture_to_json,
    untracked,
)
from mmie.errors import InputError
from mmie.files import read_jsonl, replacing
from mmie.text import clean, nested_strings, refuse_invalid_characters
from mmie.types import Example

SPLITS = ("train", "val", "test")
Fields = Callable[[Example], Mapping[str, Any]]


class Source(Protocol):
    """A data set.

    Attributes:
        places: the arguments that only say where the files lie. They are no part of what the data
            set is: moved files are the same data.
        images: the folder that the samples keep the paths of their pictures from.
    """

    places: ClassVar[tuple[str, ...]]

    @property
    def images(self) -> Path:
        """The folder of the pictures."""

    def load(self, split: str, *, track: Track = untracked) -> list[Example]:
        """All samples of one of ``SPLITS``, in the data's order; ``track`` shows the progress."""

    def content(self) -> str:
        """A digest of what ``load`` reads, wherever it lies: another digest, another data set."""


def text_of(tokens: Sequence[Any], where: str) -> str:
    """The tokens joined by single blanks; InputError where there is none or one is no text."""
    if not all(isinstance(token, str) for token in tokens) or not "".join(tokens).strip():
        raise InputError(f"{where}: 'token' must be a list of words; correct or remove this entry")
    return clean(" ".join(tokens), f"{where}: 'token'")


def picture_name(img_id: str | int, where: str) -> str:
    """The picture's name, maybe with folders in it (``train/1.jpg``); a number becomes its digits.

    Raises:
        InputError: the name could lead out of the pictures' folder, or is no text.
    """
    name = str(img_id).removeprefix("./")
    if isinstance(img_id, bool) or not all(part.strip(".") for part in name.split("/")):
        raise InputError(
            f"{where}: img_id {img_id!r} is no file name inside data.images; correct it"
        )
    refuse_invalid_characters(name, f"{where}: img_id")
    return name


def known_split(split: str) -> str:
    """The split's name; InputError where it is none of ``SPLITS``."""
    if split not in SPLITS:
        raise InputError(f"data: there is no split {split!r}; use {', '.join(SPLITS)}")
    return split


def by_split(key: str, given: Any, defaults: Mapping[str, Any]) -> dict[str, Any]:
    """A mapping from splits, given partly or whole, over the defaults.

    Args:
        key: the configuration's key, for the message.
        given: what the configuration holds; None leaves the defaults.
        defaults: of all splits.

    Raises:
        InputError: it is no mapping, or names a split that there is not.
    """
    if given is None:
        return dict(defaults)
    names = ", ".join(SPLITS)
    if not isinstance(given, Mapping):
        raise InputError(f"{key}={given}: name the splits, as in {{train: …}}; there are {names}")
    for split in given:
        if split not in SPLITS:
            raise InputError(f"{key}.{split}: there is no such split; use {names}")
    return {**defaults, **given}


def limits(limit: Mapping[str, int | None] | None) -> dict[str, int | None]:
    """``data.limit`` checked: samples to take of a split; None takes it whole.

    Raises:
        InputError: a split is unknown, or a number is no whole number of 1 or more.
    """
    checked = by_split("data.limit", limit, dict.fromkeys(SPLITS))
    for split, count in checked.items():
        if count is not None and (type(count) is not int or count < 1):
            raise InputError(
                f"data.limit.{split}={count}: give a whole number of 1 or more, or null for all"
            )
    return checked


def digest(files: Iterable[Path], pictures: PictureFolder) -> str:
    """16 hex digits that tell the files' bytes and the pictures' names and sizes from others."""
    parts = [hashlib.sha256(read(path)).hexdigest() for path in files]
    return hashlib.sha256(
        repr((parts, pictures.listing())).encode(errors="surrogateescape")
    ).hexdigest()[:16]


def check_splits(splits: Mapping[str, Sequence[Example]], fields: Fields) -> None:
    """Refuses data on which a test would say nothing.

    Args:
        splits: name → samples.
        fields: what belongs to a sample's question besides text and pictures (``Task.fields``).

    Raises:
        InputError: a split is empty, a text holds what is no text, or a sample is in two splits:
            the same text, boxes and fields, and pictures of the same bytes or name.
    """
    for name, examples in splits.items():
        if not examples:
            raise InputError(f"data: the split {name} is empty; check data.root and data.limit")
        _refuse_no_text(examples)
    for one, other in combinations(splits, 2):
        pairs = _same_samples(splits[one], splits[other], fields)
        if pairs:
            example = f"{pairs[0][0]} is {pairs[0][1]}"
            reason = f"{one} and {other} share {len(pairs)} samples ({example})"
            raise InputError(f"data: {reason}; take them out of one of the two")


def _refuse_no_text(examples: Sequence[Example]) -> None:
    """What no reader cleaned, as of a source of one's own, is refused before any training."""
    for example in examples:
        if not example.text.strip():
            raise InputError(
                f"data: the text of sample {example.id} is blank; correct or remove it"
            )
        for text in nested_strings([example.text, example.gold, example.extra]):
            refuse_invalid_characters(text, f"data: a text of sample {example.id}")


def shared_sentences(splits: Mapping[str, Sequence[Example]]) -> dict[str, int]:
    """For each two splits, as ``train/val``, the number of texts that stand in both."""
    texts = {name: {example.text for example in examples} for name, examples in splits.items()}
    return {
        f"{one}/{other}": len(texts[one] & texts[other]) for one, other in combinations(splits, 2)
    }


def _same_samples(
    one: Sequence[Example], other: Sequence[Example], fields: Fields
) -> list[tuple[str, str]]:
    """The samples of ``other`` that are also in ``one``: the id of the first twin, then its own."""
    shared = {example.text for example in one} & {example.text for example in other}
    twins: dict[tuple[Any, ...], str] = {}
    for example in one:
        if example.text in shared:
            for key in _identities(example, fields):
                twins.setdefault(key, example.id)
    pairs = []
    for example in other:
        if example.text in shared:
            keys = _identities(example, fields)
            ids = [twins[key] for key in keys if key in twins]
            pairs += [(ids[0], example.id)] if ids else []
    return pairs


def _identities(example: Example, fields: Fields) -> list[tuple[Any, ...]]:
    """What makes the sample's question: once with the name of its picture, once with the bytes.

    Two samples are the same where one of these is equal. A sample lacks the first without a name
    and the second where a picture is blank.
    """
    contents = [
        picture.path and hashlib.sha256(picture.path.read_bytes()).digest()
        for picture in example.pictures
    ]
    known = [example.extra.get("img_id"), None if None in contents else tuple(contents)]
    boxes = tuple(picture.box for picture in example.pictures)
    about = example.text, repr(dict(fields(example))), boxes
    return [(*about, pictures) for pictures in known if pictures is not None]


def examples_to_jsonl(path: Path, examples: Iterable[Example], *, images: Path) -> None:
    """One JSON object per line, under a temporary name in the same folder until the file is whole.

    Args:
        path: the file.
        examples: the samples.
        images: the folder that the pictures' paths are written from, so that both may be moved.
    """
    rows = (
        {**vars(example), "pictures": [picture_to_json(one, images) for one in example.pictures]}
        for example in examples
    )
    with (
        replacing(path) as temporary,
        temporary.open("w", encoding="utf-8", errors="backslashreplace") as file,
    ):
        file.writelines(json.dumps(row, ensure_ascii=False) + "\n" for row in rows)


def examples_from_jsonl(path: Path, *, revive: Callable[[Any], Any], images: Path) -> list[Example]:
    """What ``examples_to_jsonl`` wrote.

    Args:
        path: the file.
        revive: gives gold its type back (``task.revive_gold``).
        images: the folder of the pictures, wherever it is now.

    Raises:
        InputError: file and line that hold something else.
    """

    def example(row: dict[str, Any]) -> Example:
        pictures = tuple(picture_from_json(value, images) for value in row.pop("pictures"))
        return Example(**{**row, "pictures": pictures, "gold": revive(row["gold"])})

    remedy = f"delete the folder {path.parent} and run again"
    return read_jsonl(path, example, what="a sample", remedy=remedy)
