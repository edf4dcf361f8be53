"""The rule that rebuilds JMERE V1 from lines of MNRE-2, and what it refuses."""

import logging
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from helpers.labels import RELATIONS, TYPES
from mmie.data.literals import MAX_LINE
from mmie.data.source import SPLITS, check_splits, shared_sentences
from mmie.errors import InputError
from mmie.tasks.jmere.mnre import MNRE
from mmie.types import Example, Picture, Quintuple

REAL = Path("../shared/data/mnre")
NAMES = {"train": "mnre_train.txt", "val": "mnre_val .txt", "test": "mnre_test.txt"}


def line(
    text: str, relation: str | None, head: str = "A", tail: str = "B", img_id: str = "1.jpg"
) -> str:
    entities = {"h": {"name": head, "pos": [0, 1]}, "t": {"name": tail, "pos": [1, 2]}}
    return repr({"token": text.split(), **entities, "img_id": img_id, "relation": relation})


def write(root: Path, *lines: str, name: str = NAMES["train"]) -> Path:
    path = root / name
    path.write_text("".join(f"{one}\n" for one in lines), encoding="utf-8")
    return path


def source(root: Path, **settings: Any) -> MNRE:
    defaults = {"types": TYPES, "relations": RELATIONS, "missing_images": "blank"}
    return MNRE(root, root / "img_org", **{**defaults, **settings})


def shape(root: Path) -> list[tuple[str, str]]:
    """(text, heads) of each sample."""
    return [
        (one.text, "".join(quintuple.head for quintuple in one.gold))
        for one in source(root).load("train")
    ]


def test_one_line_becomes_one_sample(tmp_path: Path) -> None:
    write(
        tmp_path, line("Josh  Gordon @ Browns", "/per/org/member_of", " Josh \t Gordon ", "Browns")
    )
    assert source(tmp_path).load("train") == [
        Example(
            id="train-00000",
            text="Josh Gordon @ Browns",
            pictures=(Picture(None),),
            gold=(Quintuple("Josh Gordon", "per", "Browns", "org", "member of"),),
            extra={"img_id": "1.jpg"},
        )
    ]


PEER = "/per/per/peer"


@pytest.mark.parametrize(
    ("rows", "expected"),
    [
        ([("x", "a"), ("x", "b"), ("y", "c")], [("x", "ab"), ("y", "c")]),
        ([("x", None), ("y", "a")], [("y", "a")]),
        (
            [("x", "a"), ("x", None), ("x", "b")],
            [("x", "a"), ("x", "b")],
        ),  # consumed, ends the sample
        ([("x", "a"), ("x", None), ("x", None), ("y", "b")], [("x", "a"), ("y", "b")]),
        ([("x", "a"), ("y", None), ("x", "b")], [("x", "a"), ("x", "b")]),
        (
            [("x", "a"), ("y", "b"), ("x", "c")],
            [("x", "a"), ("y", "b"), ("x", "c")],
        ),  # not neighbours
        ([("x", None), ("x", "a"), ("x", "b"), ("x", None)], [("x", "ab")]),
        ([("x", "a"), ("x", "a"), ("x", "b")], [("x", "ab")]),  # the same quintuple twice
        ([("x", None), ("y", None)], []),
    ],
)
def test_samples_are_runs_of_equal_tokens(
    tmp_path: Path, rows: list[tuple[str, str | None]], expected: list[tuple[str, str]]
) -> None:
    write(tmp_path, *(line(text, PEER if head else "None", head or "-") for text, head in rows))
    assert shape(tmp_path) == expected


def test_equal_text_of_other_tokens_is_another_sample(tmp_path: Path) -> None:
    write(tmp_path, line("x y", PEER, "a"), line("x y", PEER, "b").replace("['x', 'y']", "['x y']"))
    assert shape(tmp_path) == [("x y", "a"), ("x y", "b")]


def test_none_is_the_word_or_the_value_and_blank_lines_do_not_count(tmp_path: Path) -> None:
    write(
        tmp_path,
        line("x", None),
        line("x", "None"),
        "",
        line("y", PEER, "a"),
        "  ",
        line("y", PEER, "b"),
    )
    assert shape(tmp_path) == [("y", "ab")]


def test_a_byte_order_mark_and_foreign_line_ends_are_read(tmp_path: Path) -> None:
    path = write(tmp_path, line("é", PEER, "é\u2028e"))
    path.write_bytes(b"\xef\xbb\xbf" + path.read_bytes().replace(b"\n", b"\r\n"))
    assert shape(tmp_path) == [("é", "é e")]


@pytest.mark.parametrize("name", ["mnre_val .txt", "mnre_val.txt"])
def test_both_names_of_the_validation_file_are_read(tmp_path: Path, name: str) -> None:
    write(tmp_path, line("x", PEER), name=name)
    assert [one.id for one in source(tmp_path).load("val")] == ["val-00000"]


GOOD = line("x", PEER)


@pytest.mark.parametrize(
    ("bad", "message"),
    [
        (GOOD[:-5], "not a Python literal in UTF-8"),
        ("print('x')", "not a Python literal in UTF-8"),
        ("{[]: 1}", "not a Python literal in UTF-8"),
        ("(" * 5000, "not a Python literal in UTF-8"),
        ("-" * 50_000 + "1", "not a Python literal in UTF-8"),
        (GOOD.replace("'1.jpg'", f"'{'x' * MAX_LINE}'"), "longer than 65,536 bytes"),
        ("[1, 2]", "not a line of MNRE-2"),
        (GOOD.replace("'token'", "'tokens'"), "not a line of MNRE-2"),
        (GOOD.replace("'name': 'A'", "'name': 7"), "not a line of MNRE-2"),
        (GOOD.replace("['x']", "'x'"), "not a line of MNRE-2"),
        (GOOD.replace("['x']", "[]"), "'token' must be a list of words"),
        (GOOD.replace("['x']", "[['x']]"), "'token' must be a list of words"),
        (GOOD.replace("1.jpg", "../1.jpg"), "img_id '../1.jpg' is no file name inside data.images"),
        (line("x", "/per/per/enemy"), "relation 'enemy' is unknown"),
        (line("x", "/per/animal/peer"), "entity type 'animal' is unknown"),
        (line("x", "/per/org/peer"), "'peer' joins per-per, not per-org"),
        (line("x", "peer"), "relation 'peer' is not of the form /per/org/member_of"),
        (line("x", "/a/per/per/peer"), "relation '/a/per/per/peer' is not of the form"),
        (line("x", PEER, " "), "an entity has no name"),
    ],
)
def test_a_broken_line_is_named(tmp_path: Path, bad: str, message: str) -> None:
    path = write(tmp_path, line("w", PEER), "", bad, GOOD)
    with pytest.raises(InputError) as caught:
        source(tmp_path).load("train")
    assert str(caught.value).startswith(f"{path}:3: {message}")
    assert "\n" not in str(caught.value)


def test_bytes_that_are_no_utf8_are_named(tmp_path: Path) -> None:
    path = write(tmp_path, GOOD)
    path.write_bytes(path.read_bytes() + GOOD.encode().replace(b"'x'", b"'\xff'"))
    with pytest.raises(InputError, match=f"^{path}:2: not a Python literal in UTF-8"):
        source(tmp_path).load("train")


@pytest.mark.parametrize("root", ["", "nowhere", "mnre_test.txt"])
def test_a_wrong_root_names_the_key(tmp_path: Path, root: str) -> None:
    write(tmp_path, GOOD, name="mnre_test.txt")
    wrong = source(tmp_path / root)
    for call in (lambda: wrong.load("train"), wrong.content):
        with pytest.raises(
            InputError, match=f"^data.root={tmp_path / root}: there is no 'mnre_train.txt' in it"
        ):
            call()


def test_pictures_are_found_and_missing_ones_refused(tmp_path: Path) -> None:
    write(tmp_path, line("x", PEER, img_id="1.jpg"), line("y", PEER, img_id="2.jpg"))
    folder = tmp_path / "img_org" / "train"
    folder.mkdir(parents=True)
    Image.new("RGB", (4, 4)).save(folder / "1.jpg")
    with pytest.raises(
        InputError, match=r"1 of 2 pictures of train are missing or unreadable \(2\.jpg\)"
    ):
        source(tmp_path, missing_images="error").load("train")
    Image.new("RGB", (4, 4)).save(tmp_path / "img_org" / "2.jpg")
    found = source(tmp_path, missing_images="error").load("train")
    assert [one.pictures for one in found] == [
        (Picture(folder / "1.jpg"),),
        (Picture(tmp_path / "img_org" / "2.jpg"),),
    ]


def test_blank_pictures_are_logged_once_with_the_count(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    write(tmp_path, *(line(text, PEER, img_id=f"{text}.jpg") for text in "abc"))
    with caplog.at_level(logging.INFO):
        assert {one.pictures for one in source(tmp_path).load("train")} == {(Picture(None),)}
    assert len(caplog.records) == 1
    assert "3 of 3 pictures of train" in caplog.text


def test_a_limit_stops_reading(tmp_path: Path) -> None:
    write(
        tmp_path,
        line("x", PEER, "a"),
        line("x", PEER, "b"),
        line("y", PEER, "c"),
        line("z", PEER, "d"),
        "broken",
    )
    taken = source(tmp_path, limit={"train": 2, "val": 1}).load("train")
    assert [(one.text, len(one.gold)) for one in taken] == [("x", 2), ("y", 1)]


@pytest.mark.parametrize("settings", [{"missing_images": "skip"}, {"limit": {"train": 0}}])
def test_wrong_settings_are_refused_at_once(tmp_path: Path, settings: dict[str, Any]) -> None:
    with pytest.raises(InputError, match=r"^data\."):
        source(tmp_path, **settings)


def test_content_changes_with_any_file_and_with_the_pictures(tmp_path: Path) -> None:
    for name in NAMES.values():
        write(tmp_path, GOOD, name=name)
    digests = [source(tmp_path).content()]
    for name in NAMES.values():
        write(tmp_path, GOOD, GOOD, name=name)
        digests.append(source(tmp_path).content())
    (tmp_path / "img_org").mkdir()
    (tmp_path / "img_org" / "1.jpg").touch()
    digests.append(source(tmp_path).content())
    assert len(set(digests)) == 5
    assert digests[-1] == source(tmp_path).content()


@pytest.fixture(scope="module")
def real() -> dict[str, list[Example]]:
    if not REAL.is_dir():
        pytest.skip(f"MNRE-2 is not at hand in {REAL}")
    return {split: source(REAL).load(split) for split in SPLITS}


@pytest.mark.parametrize(
    ("split", "samples", "quintuples"),
    [("train", 3618, 4503), ("val", 496, 624), ("test", 475, 640)],
)
def test_the_real_splits_have_the_papers_sizes(
    real: dict[str, list[Example]], split: str, samples: int, quintuples: int
) -> None:
    assert len(real[split]) == samples
    assert sum(len(one.gold) for one in real[split]) == quintuples


def test_the_real_relations_have_the_printed_counts(real: dict[str, list[Example]]) -> None:
    counts = Counter(
        (q.relation, f"{q.head_type}-{q.tail_type}") for one in real["train"] for q in one.gold
    )
    assert counts == {
        ("peer", "per-per"): 960,
        ("member of", "per-org"): 872,
        ("contain", "loc-loc"): 629,
        ("present in", "per-misc"): 427,
        ("locate at", "org-loc"): 316,
        ("place of residence", "per-loc"): 231,
        ("alternate names", "per-per"): 146,
        ("alternate names", "org-org"): 78,
        ("held on", "misc-loc"): 192,
        ("subsidiary", "org-org"): 152,
        ("couple", "per-per"): 115,
        ("nationality", "per-misc"): 98,
        ("part of", "misc-misc"): 81,
        ("place of birth", "per-loc"): 69,
        ("awarded", "per-misc"): 57,
        ("charges", "per-per"): 24,
        ("parent", "per-per"): 14,
        ("siblings", "per-per"): 14,
        ("neighbor", "per-per"): 8,
        ("alumi", "per-per"): 8,
        ("religion", "per-misc"): 6,
        ("race", "per-misc"): 6,
    }
    assert {
        (name.replace("_", " "), pair) for name, pairs in RELATIONS.items() for pair in pairs
    } == set(counts)


def test_the_real_splits_share_no_sample(real: dict[str, list[Example]]) -> None:
    check_splits(real, lambda sample: {})
    assert shared_sentences(real) == {"train/val": 2, "train/test": 0, "val/test": 0}
