"""Tweets with tagged words, as Twitter-2015 and Twitter-2017 come (the text of the UMT authors).

A tweet is a line ``IMGID:<picture>``, then one line ``word<TAB>tag`` for each word, then a blank
line. The tags are BIO: an entity begins at ``B-`` and goes on through the ``I-`` of the same type.
Types are compared without regard to case, and each must be known, also where it belongs to nothing.
Twitter-2015 has ``I-`` tags where nothing goes on: these words belong to no entity. Their number is
logged. Twitter-2017 has two apostrophes of Windows-1252 that someone read as Latin-1, which makes
them control characters: they are put right.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from typing import Any, ClassVar

from mmie.data.files import file_of, read_text
from mmie.data.labels import Spellings
from mmie.data.pictures import PictureFolder, Track, untracked
from mmie.data.source import SPLITS, digest, known_split, limits, picture_name, text_of
from mmie.errors import InputError
from mmie.tasks.mner.entities import Entity
from mmie.text import clean, label_key
from mmie.types import Example

FILES = {"train": ["train.txt"], "val": ["valid.txt", "val.txt", "dev.txt"], "test": ["test.txt"]}
HEAD = "IMGID:"
UNDEFINED = (0x81, 0x8D, 0x8F, 0x90, 0x9D)  # in Windows-1252
WINDOWS = {
    code: bytes([code]).decode("cp1252") for code in range(0x80, 0xA0) if code not in UNDEFINED
}

log = logging.getLogger(__name__)


@dataclass
class _Tweet:
    """The words and tags of one tweet; ``where`` is its first line."""

    img_id: str
    where: str
    words: list[str] = field(default_factory=list)
    tags: list[str] = field(default_factory=list)


class TaggedTweets:
    """``train.txt``, ``valid.txt`` and ``test.txt`` of tagged tweets. Every tweet is a sample.

    Its gold are its entities in the order of the text; a name that is tagged twice is there twice.
    ``extra`` keeps the name of the picture as ``img_id``.

    Args:
        root: folder of the files.
        images: folder of the pictures, flat or with ``train/``, ``val/``, ``test/``. Without one
            each is blank.
        types: the task's entity types.
        renamed: type in the files → type of the task, where they differ in more than case.
        missing_images: ``error`` or ``blank``.
        limit: the number of samples to take of a split, the first ones; all without a number.

    Raises:
        InputError: also from ``load`` and ``content``: a file is missing or broken (with its line),
            a type is unknown, or pictures are missing.
    """

    places: ClassVar[tuple[str, ...]] = ("root", "images")

    def __init__(
        self,
        root: str | Path,
        images: str | Path | None,
        *,
        types: Collection[str],
        renamed: Mapping[str, str] | None = None,
        missing_images: str = "error",
        limit: Mapping[str, int | None] | None = None,
    ) -> None:
        self.root = Path(root)
        self.pictures = PictureFolder(images, missing_images)
        self.types = Spellings(types)
        self.renamed = _by_key(renamed)
        self.limit = limits(limit)

    @property
    def images(self) -> Path:
        return self.pictures.folder

    def content(self) -> str:
        return digest(map(self._file, SPLITS), self.pictures)

    def load(self, split: str, *, track: Track = untracked) -> list[Example]:
        path = self._file(known_split(split))
        tweets = list(islice(_tweets(path, self._type), self.limit.get(split)))
        pictures = self.pictures.find(split, [tweet.img_id for tweet in tweets], track=track)
        examples = []
        for number, (tweet, picture) in enumerate(zip(tweets, pictures, strict=True)):
            text, extra = text_of(tweet.words, tweet.where), {"img_id": tweet.img_id}
            gold = tuple(self._entities(tweet))
            examples.append(Example(f"{split}-{number:05d}", text, (picture,), gold, extra))
        astray = sum(_astray(tweet.tags) for tweet in tweets)
        if astray:
            log.info("%s: %d I- tags go on from nothing and belong to no entity", path, astray)
        return examples

    def _file(self, split: str) -> Path:
        return file_of(self.root, *FILES[split])

    def _entities(self, tweet: _Tweet) -> Iterator[Entity]:
        for start, end in _spans(tweet.tags):
            name = clean(" ".join(tweet.words[start:end]), f"{tweet.where}: an entity")
            yield Entity(name, self._type(tweet.tags[start][2:], tweet.where))

    def _type(self, kind: str, where: str) -> str:
        known = self.types.of(self.renamed.get(label_key(kind), kind))
        if known is None:
            types = ", ".join(self.types.labels)
            advice = "extend task.types or data.renamed"
            raise InputError(f"{where}: entity type {kind!r} is none of {types}; {advice}")
        return known


def _by_key(renamed: Any) -> dict[str, str]:
    """``data.renamed`` checked, with the keys as labels are compared."""
    given = {} if renamed is None else renamed
    if not isinstance(given, Mapping) or not all(isinstance(kind, str) for kind in given.values()):
        raise InputError(f"data.renamed={renamed!r}: write types as {{OTHER: misc}}")
    return {label_key(str(kind)): known for kind, known in given.items()}


def _tweets(path: Path, type_of: Callable[[str, str], str]) -> Iterator[_Tweet]:
    """The tweets of a file; lines end with a line feed alone, as a word may be another line end.

    Args:
        path: the file.
        type_of: refuses an unknown type, given the place of its line.
    """
    tweet: _Tweet | None = None
    for number, line in enumerate(read_text(path).translate(WINDOWS).split("\n"), start=1):
        where, line = f"{path}:{number}", line.removesuffix("\r")
        if line.startswith(HEAD) and "\t" not in line:
            yield from _finished(tweet)
            tweet = _Tweet(picture_name(line.removeprefix(HEAD).strip(), where), where)
        elif not line.strip() and "\t" not in line:
            yield from _finished(tweet)
            tweet = None
        elif tweet is None:
            reason = f"{line[:40]!r} belongs to no tweet"
            raise InputError(f"{where}: {reason}; begin each one with IMGID:<picture>")
        else:
            word, tag = _word_and_tag(line, where)
            if tag != "O":
                type_of(tag[2:], where)
            tweet.words.append(word)
            tweet.tags.append(tag)
    yield from _finished(tweet)


def _finished(tweet: _Tweet | None) -> Iterator[_Tweet]:
    if tweet is not None:
        if not tweet.words:
            raise InputError(f"{tweet.where}: the tweet has no words; add them or remove the line")
        yield tweet


def _word_and_tag(line: str, where: str) -> tuple[str, str]:
    word, tab, tag = line.rpartition("\t")
    tag = tag.strip()
    if not tab or "\t" in word:
        raise InputError(f"{where}: {line[:40]!r} is no word, tabulator and tag; correct the line")
    if tag != "O" and not (tag.startswith(("B-", "I-")) and tag[2:]):
        raise InputError(f"{where}: tag {tag!r} is none of O, B-<type> and I-<type>; correct it")
    return word, tag


def _spans(tags: list[str]) -> Iterator[tuple[int, int]]:
    """First word of each entity, and the one after its last."""
    for start, tag in enumerate(tags):
        if tag.startswith("B-"):
            end = start + 1
            while end < len(tags) and _goes_on(tags[end], tag):
                end += 1
            yield start, end


def _goes_on(tag: str, begun: str) -> bool:
    return tag.startswith("I-") and label_key(tag[2:]) == label_key(begun[2:])


def _astray(tags: list[str]) -> int:
    """The number of ``I-`` tags outside of every entity."""
    inside = sum(end - start - 1 for start, end in _spans(tags))
    return sum(tag.startswith("I-") for tag in tags) - inside
