"""The reader of tagged tweets: what it reads and refuses, and the numbers of the real files."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from mmie.data.source import SPLITS, check_splits, shared_sentences
from mmie.data.statistics import statistics
from mmie.errors import InputError
from mmie.tasks.mner.entities import Entity
from mmie.tasks.mner.reader import TaggedTweets
from mmie.tasks.mner.task import MNER
from mmie.tasks.responses import Direct
from mmie.types import Example, Picture

SHARED = Path("../shared/data")
TYPES = ["per", "loc", "org", "misc"]
TASK = MNER(types=TYPES, response=Direct())
TWEET = "IMGID:1\nAnn\tB-PER\nLee\tI-PER\nat\tO\nApex\tB-ORG\n\n"


def write(root: Path, text: str = TWEET, name: str = "train.txt") -> Path:
    path = root / name
    path.write_bytes(text.encode())
    return path


def source(root: Path, **settings: Any) -> TaggedTweets:
    return TaggedTweets(
        root, root / "images", **{"types": TYPES, "missing_images": "blank", **settings}
    )


def gold(root: Path, text: str) -> list[tuple[Entity, ...]]:
    write(root, text)
    return [one.gold for one in source(root).load("train")]


def test_a_tweet_is_a_sample(tmp_path: Path) -> None:
    write(tmp_path)
    assert source(tmp_path).load("train") == [
        Example(
            "train-00000",
            "Ann Lee at Apex",
            (Picture(None),),
            (Entity("Ann Lee", "per"), Entity("Apex", "org")),
            {"img_id": "1"},
        )
    ]


@pytest.mark.parametrize(
    ("tags", "names"),
    [
        ("B-PER I-PER O", ["a b"]),
        ("B-PER B-PER I-PER", ["a", "b c"]),
        ("O I-PER I-PER", []),  # nothing goes on here
        ("B-PER I-ORG O", ["a"]),
        ("B-PER I-ORG I-PER", ["a"]),
        ("B-PER I-PER I-PER", ["a b c"]),
        ("O O O", []),
        ("B-per I-per O", ["a b"]),
        ("B-PER I-per O", ["a b"]),
        ("B-OTHER I-Other I-MISC", ["a b"]),  # two types of the file, one of the task
    ],
)
def test_where_entities_begin_and_end(tmp_path: Path, tags: str, names: list[str]) -> None:
    lines = [f"{word}\t{tag}\n" for word, tag in zip("abc", tags.split(), strict=True)]
    write(tmp_path, "IMGID:1\n" + "".join(lines))
    [one] = source(tmp_path, renamed={"Other": "misc"}).load("train")
    entities = one.gold
    assert [entity.name for entity in entities] == names


def test_a_name_that_is_tagged_twice_is_there_twice(tmp_path: Path) -> None:
    text = "IMGID:1\nTower\tB-LOC\nand\tO\nTower\tB-LOC\n"
    assert gold(tmp_path, text) == [(Entity("Tower", "loc"), Entity("Tower", "loc"))]


def test_words_may_be_empty_or_odd(tmp_path: Path) -> None:
    text = "\ufeffIMGID:1\r\nIMGID:\tO\r\n\tO\r\nAnn\u2028Lee\tB-PER\r\n \tI-PER\r\nt\u0092s\tO\r\n"
    write(tmp_path, text)
    [one] = source(tmp_path).load("train")
    assert (one.text, one.gold) == ("IMGID: Ann Lee t’s", (Entity("Ann Lee", "per"),))


def test_white_space_around_a_tag_is_no_part_of_it(tmp_path: Path) -> None:
    write(tmp_path, TWEET.replace("\n", " \n").replace("\n \n", "\n\n"))
    [one] = source(tmp_path).load("train")
    assert one.gold == (Entity("Ann Lee", "per"), Entity("Apex", "org"))


def test_types_may_be_renamed(tmp_path: Path) -> None:
    write(tmp_path, TWEET.replace("ORG", "OTHER"))
    [one] = source(tmp_path, renamed={"OTHER": "misc"}).load("train")
    assert one.gold[1] == Entity("Apex", "misc")


@pytest.mark.parametrize(
    ("bad", "message"),
    [
        ("word", "'word' is no word, tabulator and tag"),
        ("word O", "'word O' is no word, tabulator and tag"),
        ("a\tb\tO", r"'a\\tb\\tO' is no word, tabulator and tag"),
        ("word\tX-PER", "tag 'X-PER' is none of O, B-<type> and I-<type>"),
        ("word\tB-", "tag 'B-' is none of O"),
        ("word\t", "tag '' is none of O"),
        ("word\tB-ANIMAL", "entity type 'ANIMAL' is none of per, loc, org, misc"),
        ("word\tI-PRE", "entity type 'PRE' is none of per, loc, org, misc"),
        ("\n\nword\tO", r"'word\\tO' belongs to no tweet; begin each one with IMGID:<picture>"),
        ("IMGID:\n", "img_id '' is no file name"),
        ("IMGID:../2\n", "img_id '../2' is no file name inside data.images"),
    ],
)
def test_a_broken_line_is_named(tmp_path: Path, bad: str, message: str) -> None:
    path = write(tmp_path, f"{TWEET}IMGID:2\nfine\tO\n{bad}\n")
    number = 9 + bad.startswith("\n") * 2
    with pytest.raises(InputError, match=rf"^{path}:{number}: {message}") as caught:
        source(tmp_path).load("train")
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("text", "line", "message"),
    [
        ("IMGID:1\n\nIMGID:2\na\tO\n", 1, "the tweet has no words"),
        ("IMGID:1\na\tO\n\nIMGID:2\n", 4, "the tweet has no words"),
        ("IMGID:1\n \tO\n", 1, "'token' must be a list of words"),
        ("IMGID:1\n \tB-PER\na\tO\n", 1, "an entity is blank"),
        ("IMGID:1\na\x01\tO\n", 1, "'token' holds a control character"),
    ],
)
def test_a_broken_tweet_is_named_by_its_first_line(
    tmp_path: Path, text: str, line: int, message: str
) -> None:
    path = write(tmp_path, text)
    with pytest.raises(InputError, match=rf"^{path}:{line}: {message}"):
        source(tmp_path).load("train")


@pytest.mark.parametrize("renamed", ["OTHER", ["OTHER"], {"OTHER": 1}])
def test_what_renames_nothing_is_refused(tmp_path: Path, renamed: Any) -> None:
    with pytest.raises(InputError, match=r"^data\.renamed=.*: write .*OTHER: misc"):
        source(tmp_path, renamed=renamed)


def test_other_files_are_told_from_annotations(tmp_path: Path) -> None:
    path = write(tmp_path, "<!DOCTYPE html>")
    with pytest.raises(InputError, match=rf"^{path}: is a web page"):
        source(tmp_path).load("train")
    path.write_bytes(TWEET.encode() + b"\xff\tO\n")
    with pytest.raises(InputError, match=rf"^{path}:7: byte 0xff is not UTF-8"):
        source(tmp_path).load("train")
    with pytest.raises(InputError, match=r"^data\.root=.*'valid\.txt' or 'val\.txt' or 'dev\.txt'"):
        source(tmp_path).content()


def test_pictures_and_limits(tmp_path: Path) -> None:
    write(tmp_path, TWEET + TWEET.replace("IMGID:1", "IMGID:2") + "broken\n")
    (tmp_path / "images").mkdir()
    Image.new("RGB", (4, 4)).save(tmp_path / "images" / "1.jpg")
    reader = source(tmp_path, missing_images="error", limit={"train": 1})
    [one] = reader.load("train")
    assert one.pictures == (Picture(tmp_path / "images" / "1.jpg"),)
    with pytest.raises(InputError, match=r"1 of 2 pictures of train are missing"):
        source(tmp_path, missing_images="error", limit={"train": 2}).load("train")


def test_the_content_is_that_of_all_files(tmp_path: Path) -> None:
    for name in ("train.txt", "valid.txt", "test.txt"):
        write(tmp_path, name=name)
    digests = [source(tmp_path).content()]
    for name in ("train.txt", "valid.txt", "test.txt"):
        write(tmp_path, TWEET * 2, name=name)
        digests.append(source(tmp_path).content())
    assert len(set(digests)) == 4


@pytest.fixture(scope="module", params=["twitter2015", "twitter2017"])
def real(request: pytest.FixtureRequest) -> tuple[str, dict[str, list[Example]]]:
    root = SHARED / request.param
    if not root.is_dir():
        pytest.skip(f"the tagged tweets are not at hand in {root}")
    reader = source(root, renamed={"OTHER": "misc"})
    return request.param, {split: reader.load(split) for split in SPLITS}


SIZES = {  # tweets, entities; per, loc, org, misc (Twitter-2015 calls it OTHER)
    "twitter2015": {
        "train": (4000, 6166, 2217, 2091, 927, 931),
        "val": (1000, 1541, 552, 522, 247, 220),
        "test": (3257, 5072, 1816, 1697, 839, 720),
    },
    "twitter2017": {
        "train": (3373, 6049, 2943, 731, 1674, 701),
        "val": (723, 1324, 626, 173, 375, 150),
        "test": (723, 1351, 621, 178, 395, 157),
    },
}


def test_the_real_files_have_their_numbers(real: tuple[str, dict[str, list[Example]]]) -> None:
    name, splits = real
    counted = statistics(splits, TASK)
    for split, sizes in SIZES[name].items():
        labels = counted[split]["labels"]["entity type"]
        kinds = [labels[kind] for kind in TYPES]
        assert (counted[split]["samples"], counted[split]["entities"], *kinds) == sizes


def test_the_real_splits_share_no_sample(real: tuple[str, dict[str, list[Example]]]) -> None:
    name, splits = real
    check_splits(splits, TASK.fields)
    shared = {"twitter2015": (2, 4, 3), "twitter2017": (1, 0, 0)}
    assert tuple(shared_sentences(splits).values()) == shared[name]


def test_every_real_answer_is_read_back(real: tuple[str, dict[str, list[Example]]]) -> None:
    for one in real[1]["test"]:
        answer = TASK.gold_answer(one)
        assert TASK.parse(answer) == TASK.read(answer, lenient=True).prediction == one.gold
        assert all(entity.name in one.text for entity in one.gold)


def test_tags_that_go_on_from_nothing_are_counted(caplog: pytest.LogCaptureFixture) -> None:
    if not (SHARED / "twitter2015").is_dir():
        pytest.skip("Twitter-2015 is not at hand")
    with caplog.at_level(logging.INFO):
        source(SHARED / "twitter2015", renamed={"OTHER": "misc"}).load("val")
    assert "valid.txt: 75 I- tags go on from nothing and belong to no entity" in caplog.text
