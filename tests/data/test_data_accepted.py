"""Forms of a file whose meaning is clear are read; settings are given partly or whole."""

import json
import os
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from helpers.labels import LABELS, RELATIONS, TYPES
from helpers.more_files import fact, write_labels, write_picture, write_split
from mmie.data.pictures import PictureFolder
from mmie.data.source import by_split, limits
from mmie.errors import InputError
from mmie.tasks.jmere.jmere_json import JMEREJson
from mmie.tasks.jmere.mnre import MNRE
from mmie.tasks.jmere.toy_source import SIZES, ToySource
from mmie.tasks.more.reader import MORE
from mmie.tasks.more.toy_source import ToyMORESource
from mmie.types import Picture, Quintuple

JOSH = Quintuple("Josh", "per", "Browns", "org", "member of")


def record(**changes: Any) -> dict[str, Any]:
    label = {
        "beg_ent": {"name": "Josh", "tags": "S-PER"},
        "sec_ent": {"name": "Browns", "tags": ["B-ORG", "E-ORG"]},
        "relation": "/per/org/member_of",
    }
    return {"token": ["Josh", "Browns"], "img_id": 1, "label_list": [[label]], **changes}


def source(root: Path, **settings: Any) -> JMEREJson:
    defaults = {"types": TYPES, "relations": RELATIONS, "missing_images": "blank"}
    return JMEREJson(root, root / "img_org", **{**defaults, **settings})


def load(root: Path, text: str) -> list[tuple[Quintuple, ...]]:
    (root / "train.json").write_text(text, encoding="utf-8")
    return [example.gold for example in source(root).load("train")]


LINE = json.dumps(record())


@pytest.mark.parametrize(
    ("text", "count"),
    [
        (f"{LINE}\n{LINE}\n", 2),
        (LINE, 1),
        (f"\ufeff{LINE}\r\n\r\n{LINE}", 2),
        (json.dumps(record(), indent=1), 1),
        (f"[{LINE},\n{LINE}]", 2),
        (json.dumps(record(token=["a\u2028b"]), ensure_ascii=False) + f"\n{LINE}", 2),
    ],
)
def test_json_is_read_as_a_list_and_line_by_line(tmp_path: Path, text: str, count: int) -> None:
    assert load(tmp_path, text) == [(JOSH,)] * count


@pytest.mark.parametrize(
    ("text", "where", "advice"),
    [
        (f"{LINE}\n{LINE[:-9]}\n", ":2: broken JSON", "one record on each line"),
        (f"{LINE}\n" + "[" * 99_999, ":2: broken JSON (too deep)", "one record on each line"),
        (f"{record()}\n", ":1: broken JSON", "read with data=mnre"),
        (f"{LINE}\n{json.dumps(record(img_id=None))}", ":2: needs a list token", "correct it"),
        (json.dumps({"data": []}, indent=1), ": holds no list of records", "keep the list alone"),
        ("\n[1,\n]", ":3: broken JSON", "correct it"),
    ],
)
def test_broken_json_lines_are_named(tmp_path: Path, text: str, where: str, advice: str) -> None:
    with pytest.raises(InputError) as caught:
        load(tmp_path, text)
    assert str(caught.value).startswith(f"{tmp_path}/train.json{where}")
    assert advice in str(caught.value)


def test_json_lines_are_read_where_literals_are(tmp_path: Path) -> None:
    ends = {"h": {"name": "Josh"}, "t": {"name": "Browns"}}
    row = {"token": ["x"], **ends, "img_id": 7, "relation": None}
    named = {**row, "relation": "/PER/org/Member_of "}
    (tmp_path / "mnre_train.txt").write_text(f"{json.dumps(row)}\n{json.dumps(named)}\n{named}\n")
    settings = {"types": TYPES, "relations": RELATIONS, "missing_images": "blank"}
    (sample,) = MNRE(tmp_path, tmp_path, **settings).load("train")
    assert (sample.gold, sample.extra["img_id"]) == ((JOSH,), "7")


def test_facts_are_read_with_numbers_for_pictures_and_labels_in_any_case(tmp_path: Path) -> None:
    facts = [fact(relation="/Per/Org/member_of", img_id=1), fact(relation=" None", img_id=1)]
    write_split(tmp_path, "train", facts, boxes={1: {"person_0": (0.5, 0.5, 0.5, 0.5)}})
    write_labels(tmp_path, [label.upper() for label in LABELS])
    path = write_picture(tmp_path, "train", "1.jpg")
    found = MORE(tmp_path, tmp_path / "img_org", labels=LABELS).load("train")
    assert [example.gold for example in found] == ["/per/org/member_of", "none"]
    assert found[0].pictures == (Picture(path), Picture(path, (10, 5, 30, 15)))


def touch(path: Path) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new("L", (4, 4)).save(path, "PNG")
    return path


@pytest.mark.parametrize(
    ("name", "file"),
    [
        ("1", "1.jpg"),
        ("1", "train/1.png"),
        ("tweet.17", "tweet.17.jpeg"),
        ("1", "1"),
        ("train/1.jpg", "train/1.jpg"),
        ("some/where/1.jpg", "some/where/1.jpg"),
        ("some/1", "train/some/1.webp"),
        ("caf\u00e9.jpg", "cafe\u0301.jpg"),
        ("cafe\u0301.jpg", "train/caf\u00e9.jpg"),
    ],
)
def test_a_picture_is_found_under_what_its_name_means(tmp_path: Path, name: str, file: str) -> None:
    path = touch(tmp_path / file)
    assert PictureFolder(tmp_path, "error").find("train", [name]) == [Picture(path)]
    assert file in [listed for listed, _ in PictureFolder(tmp_path, "error").listing()]


def test_a_name_that_fits_two_files_is_refused(tmp_path: Path) -> None:
    touch(tmp_path / "1.jpg")
    touch(tmp_path / "1.png")
    folder = PictureFolder(tmp_path, "blank")
    with pytest.raises(InputError, match="1.jpg and 1.png both fit the picture '1'; keep one"):
        folder.find("train", ["1"])
    inside = touch(tmp_path / "train" / "1.gif")  # the split's folder comes first
    assert folder.find("train", ["1", "1.png"]) == [Picture(inside), Picture(tmp_path / "1.png")]


def test_a_listing_ends_where_links_lead_in_circles(tmp_path: Path) -> None:
    touch(tmp_path / "a" / "1.jpg")
    os.symlink(tmp_path, tmp_path / "a" / "up")
    assert PictureFolder(tmp_path, "error").listing()[0][0] == "a/1.jpg"


def test_settings_of_splits_may_be_given_partly() -> None:
    assert limits(None) == limits({}) == {"train": None, "val": None, "test": None}
    assert limits({"train": 6}) == {"train": 6, "val": None, "test": None}
    assert by_split("data.x", {"val": 2}, SIZES) == {**SIZES, "val": 2}
    assert ToySource(sizes={"val": 2}).sizes == {**SIZES, "val": 2}
    assert ToySource().sizes == SIZES
    assert ToyMORESource(sizes={"test": 3}).sizes == {"train": 1600, "val": 200, "test": 3}


@pytest.mark.parametrize("files", [None, {}, {"train": "mine.json"}])
def test_files_may_be_given_partly(tmp_path: Path, files: Any) -> None:
    (tmp_path / "val.json").write_text(LINE)
    assert len(source(tmp_path, files=files).load("val")) == 1


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"files": {"dev": "dev.json"}}, "data.files.dev: there is no such split; use train, val"),
        ({"files": "train.json"}, "data.files=train.json: name the splits, as in {train: …}"),
        ({"files": {"train": None}}, "data.files.train=None: give the name of a file in data.root"),
        ({"files": {"train": 7}}, "data.files.train=7: give the name of a file in data.root"),
        ({"limit": {"dev": None}}, "data.limit.dev: there is no such split; use train, val, test"),
        ({"limit": {"train": 0}}, "data.limit.train=0: give a whole number of 1 or more"),
        ({"limit": [8]}, "data.limit=[8]: name the splits"),
    ],
)
def test_wrong_settings_of_splits_are_refused(
    tmp_path: Path, settings: dict[str, Any], message: str
) -> None:
    with pytest.raises(InputError) as caught:
        source(tmp_path, **settings)
    assert str(caught.value).startswith(message)


@pytest.mark.parametrize("toy", [ToySource, ToyMORESource])
@pytest.mark.parametrize(
    ("sizes", "message"),
    [
        ({"dev": 4}, "data.sizes.dev: there is no such split; use train, val, test"),
        ({"train": None}, "data.sizes.train=None: it must be a whole number of 1 or more"),
        ({"train": True}, "data.sizes.train=True: it must be a whole number of 1 or more"),
        (600, "data.sizes=600: name the splits"),
    ],
)
def test_wrong_sizes_are_refused(toy: Any, sizes: Any, message: str) -> None:
    with pytest.raises(InputError) as caught:
        toy(sizes=sizes)
    assert str(caught.value).startswith(message)


def test_every_source_refuses_an_unknown_split(tmp_path: Path) -> None:
    labelled = {"types": TYPES, "relations": RELATIONS}
    sources = (
        source(tmp_path),
        MNRE(tmp_path, tmp_path, **labelled),
        MORE(tmp_path, tmp_path, labels=LABELS),
        ToySource(images=tmp_path),
        ToyMORESource(images=tmp_path),
    )
    for one in sources:
        with pytest.raises(InputError, match="there is no split 'dev'; use train, val, test"):
            one.load("dev")
