"""What every data source gives, and what those that read JMERE's quintuples from files share."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations, islice
from pathlib import Path
from typing import Any, Protocol

from mmie.data.pictures import PictureFolder, picture_from_json, picture_to_json
from mmie.errors import InputError
from mmie.labels import RelationPairs, relation_pairs
from mmie.parsing import fold
from mmie.text import clean, fault, strings
from mmie.types import Example, Quintuple

SPLITS = ("train", "val", "test")


class Source(Protocol):
    """A data set."""

    def load(self, split: str) -> list[Example]:
        """All samples of one of ``SPLITS``, in the data's order."""

    def content(self) -> str:
        """A digest of what ``load`` reads: another digest, another data set."""


@dataclass(frozen=True)
class Sample:
    """One sample as a file has it: text, the picture's file name, quintuples."""

    text: str
    img_id: str
    quintuples: tuple[Quintuple, ...]


class Labels:
    """The types, and the relations with the type pairs that each may join; anything else is an ``InputError``.

    Args:
        types: of entities.
        relations: relation → pairs such as ``per-org``, in any form that ``relation_pairs`` reads.
    """

    def __init__(self, types: Collection[str], relations: RelationPairs) -> None:
        self.types = types
        self.pairs = relation_pairs(relations)

    def checked(self, found: Quintuple, where: str) -> Quintuple:
        """The quintuple with white space folded and the relation's underscores as blanks.

        Raises:
            InputError: a name is empty, or a type, the relation or the type pair is none of the labels.
        """
        quintuple = Quintuple(*(fold(field) for field in found))._replace(relation=fold(found.relation.replace("_", " ")))
        head, head_type, tail, tail_type, relation = quintuple
        if not (head and tail):
            raise InputError(f"{where}: an entity has no name; correct or remove it")
        head, tail = (clean(name, f"{where}: an entity's name") for name in (head, tail))
        quintuple = quintuple._replace(head=head, tail=tail)
        for kind in (head_type, tail_type):
            if kind not in self.types:
                raise InputError(f"{where}: entity type {kind!r} is unknown; use {', '.join(self.types)} or extend task.types")
        if relation not in self.pairs:
            raise InputError(f"{where}: relation {found.relation!r} is unknown; correct it or extend task.relations")
        pair, pairs = f"{head_type}-{tail_type}", self.pairs[relation]
        if pair not in pairs:
            raise InputError(f"{where}: {found.relation!r} joins {', '.join(pairs)}, not {pair}; correct it or extend task.relations")
        return quintuple


def text_of(tokens: Sequence[Any], where: str) -> str:
    """The tokens joined by single blanks; InputError where there is none or one is no string."""
    if not all(isinstance(token, str) for token in tokens) or not "".join(tokens).strip():
        raise InputError(f"{where}: 'token' must be a list of words; correct or remove this entry")
    return clean(" ".join(tokens), f"{where}: 'token'")


def picture_name(img_id: str, where: str) -> str:
    """The name unchanged; InputError where it could lead out of the pictures' folder."""
    if os.path.basename(img_id) != img_id or not img_id.strip("."):
        raise InputError(f"{where}: img_id {img_id!r} is no plain file name; correct it")
    return img_id


def file_of(root: Path, *names: str) -> Path:
    """The first of these files that is in the data's folder."""
    for name in names:
        if (root / name).is_file():
            return root / name
    raise InputError(f"data.root={root}: there is no {' or '.join(map(repr, names))} in it; set data.root to the folder of the data")


def limits(limit: Mapping[str, int | None] | None) -> dict[str, int | None]:
    """``data.limit`` checked: samples to take of a split; a split without a number is taken whole."""
    if limit is not None and not isinstance(limit, Mapping):
        raise InputError(f"data.limit={limit}: name the splits, as in {{train: 48, val: 8, test: 8}}")
    for split, count in (limit or {}).items():
        if split not in SPLITS or count is not None and (type(count) is not int or count < 1):
            raise InputError(f"data.limit.{split}={count}: give each of {', '.join(SPLITS)} a whole number of 1 or more, or null")
    return dict(limit or {})


def to_examples(split: str, samples: Iterable[Sample], *, limit: Mapping[str, int | None], pictures: PictureFolder) -> list[Example]:
    """The first samples of a split with their pictures; ``extra`` keeps the picture's name as ``img_id``."""
    taken = list(islice(samples, limit.get(split)))
    found = pictures.find(split, [sample.img_id for sample in taken])
    return [
        Example(f"{split}-{number:05d}", sample.text, (picture,), sample.quintuples, {"img_id": sample.img_id})
        for number, (sample, picture) in enumerate(zip(taken, found, strict=True))
    ]


def digest(files: Iterable[Path], pictures: PictureFolder) -> str:
    """The first 16 hex digits of the SHA-256 of the files' bytes and of the pictures' names and sizes."""
    parts = [hashlib.sha256(read(path)).hexdigest() for path in files]
    return hashlib.sha256(repr((parts, pictures.listing())).encode(errors="surrogateescape")).hexdigest()[:16]


def read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise InputError(f"{path}: cannot be read ({error.strerror}); make it readable") from error


def check_splits(splits: Mapping[str, Sequence[Example]]) -> dict[str, dict[str, int]]:
    """``{"shared_sentences": {"train/val": 2, …}}``: the number of texts that stand in both splits.

    Raises:
        InputError: a split is empty, or a sample stands in two: same text, pictures of the same bytes or name, and, in
            MORE, the same box, object and entity.
    """
    for name, examples in splits.items():
        if not examples:
            raise InputError(f"data: the split {name} is empty; check data.root and data.limit")
        _check_texts(examples)
    for one, other in combinations(splits, 2):
        pairs = _same_samples(splits[one], splits[other])
        if pairs:
            example = f"{pairs[0][0]} is {pairs[0][1]}"
            raise InputError(f"data: {one} and {other} share {len(pairs)} samples ({example}); take them out of one of the two")
    return {"shared_sentences": shared_sentences(splits)}


def _check_texts(examples: Sequence[Example]) -> None:
    """Whatever the source, no string of a sample may be one that a tokenizer cannot take."""
    for example in examples:
        clean(example.text, f"data: the text of {example.id}")
        for text in strings([example.gold, example.extra]):
            reason = fault(text)
            if reason is not None:
                what = f"{text!r} in {example.id} holds {reason}"
                raise InputError(f"data: {what}, which is no text; correct it")


def shared_sentences(splits: Mapping[str, Sequence[Example]]) -> dict[str, int]:
    """For each two splits, as ``train/val``, the number of texts that stand in both."""
    texts = {name: {example.text for example in examples} for name, examples in splits.items()}
    return {f"{one}/{other}": len(texts[one] & texts[other]) for one, other in combinations(splits, 2)}


def _same_samples(one: Sequence[Example], other: Sequence[Example]) -> list[tuple[str, str]]:
    """The samples of ``other`` that are in ``one``, too, each with the id of its first twin before its own."""
    shared = {example.text for example in one} & {example.text for example in other}
    twins = {key: example.id for example in reversed(one) if example.text in shared for key in _identities(example)}
    found = ((example.id, [twins[key] for key in _identities(example) if key in twins]) for example in other if example.text in shared)
    return [(ids[0], id) for id, ids in found if ids]


def _identities(example: Example) -> list[tuple[Any, ...]]:
    """Text, entity, object and boxes, with the picture's name and with the pictures' bytes where there are any; equal in one: the same."""
    contents = [picture.path and hashlib.sha256(picture.path.read_bytes()).digest() for picture in example.pictures]
    known = [example.extra.get("img_id"), None if None in contents else tuple(contents)]
    boxes = tuple(picture.box for picture in example.pictures)
    about = example.text, example.extra.get("entity"), example.extra.get("object"), boxes
    return [(*about, pictures) for pictures in known if pictures is not None]


def examples_to_jsonl(path: Path, examples: Iterable[Example]) -> None:
    """One JSON object a line, under a temporary name in the same folder until the file is whole."""
    rows = ({**vars(example), "pictures": [picture_to_json(picture) for picture in example.pictures]} for example in examples)
    unfinished = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        with unfinished.open("w", encoding="utf-8", errors="backslashreplace") as file:
            file.writelines(json.dumps(row, ensure_ascii=False) + "\n" for row in rows)
        os.replace(unfinished, path)
    finally:
        unfinished.unlink(missing_ok=True)


def examples_from_jsonl(path: Path, *, revive: Callable[[Any], Any]) -> list[Example]:
    """What ``examples_to_jsonl`` wrote; ``revive`` gives gold its type back (``task.revive_gold``).

    Raises:
        InputError: file and line that hold something else.
    """
    return [_example(line, f"{path}:{number}", revive) for number, line in enumerate(read(path).splitlines(), start=1)]


def _example(line: bytes, where: str, revive: Callable[[Any], Any]) -> Example:
    try:
        row = json.loads(line)
        pictures = tuple(map(picture_from_json, row.pop("pictures")))
        return Example(**{**row, "pictures": pictures, "gold": revive(row["gold"])})
    except (ValueError, LookupError, TypeError, AttributeError) as error:
        raise InputError(f"{where}: not a sample; delete the file and read the data again") from error
