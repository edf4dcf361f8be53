"""JMERE's own JSON in both versions, and what it refuses."""

import json
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from helpers.labels import RELATIONS, TYPES
from mmie.errors import InputError
from mmie.tasks.jmere.annotations import KnownLabels
from mmie.tasks.jmere.jmere_json import JMEREJson
from mmie.types import Example, Picture, Quintuple

JOSH = Quintuple("Josh Gordon", "per", "Browns", "org", "member of")
PEER = Quintuple("Josh Gordon", "per", "Baker", "per", "peer")


def label(quintuple: Quintuple = JOSH, *, tags: Any = None) -> dict[str, Any]:
    head, head_type, tail, tail_type, relation = quintuple
    return {
        "beg_ent": {"name": head, "pos": [0, 2], "tags": head_type if tags is None else tags},
        "sec_ent": {"name": tail, "pos": [3, 4], "tags": tail_type},
        "relation": relation.replace(" ", "_"),
    }


def record(
    *labels: Any, text: str = "Josh Gordon @ Browns", img_id: str = "1.jpg"
) -> dict[str, Any]:
    return {"token": text.split(), "img_id": img_id, "label_list": list(labels)}


def write(root: Path, *records: Any, name: str = "train.json") -> Path:
    (root / name).write_text(json.dumps(list(records), indent=1))
    return root / name


def source(root: Path, **settings: Any) -> JMEREJson:
    defaults = {"types": TYPES, "relations": RELATIONS, "missing_images": "blank"}
    return JMEREJson(root, root / "img_org", **{**defaults, **settings})


def gold(root: Path) -> list[tuple[Quintuple, ...]]:
    return [one.gold for one in source(root).load("train")]


def test_v1_records_become_samples(tmp_path: Path) -> None:
    write(tmp_path, record([label()]), record([label(PEER)]))
    examples = source(tmp_path).load("train")
    assert examples[0] == Example(
        "train-00000", "Josh Gordon @ Browns", (Picture(None),), (JOSH,), {"img_id": "1.jpg"}
    )
    assert (examples[1].id, examples[1].gold) == ("train-00001", (PEER,))


def test_v2_records_hold_several_labels(tmp_path: Path) -> None:
    write(tmp_path, record([label()], [label(PEER)], [label()]))
    assert gold(tmp_path) == [(JOSH, PEER)]


def test_labels_are_read_with_and_without_the_inner_list(tmp_path: Path) -> None:
    write(tmp_path, record(label(), label(PEER)), record([label(), label(PEER)]), record())
    assert gold(tmp_path) == [(JOSH, PEER), (JOSH, PEER), ()]


@pytest.mark.parametrize(
    "tags", ["per", "PER", "B-per", "I-PER", ["B-per", "I-per"], ["per"], " per "]
)
def test_the_type_is_read_from_any_form_of_tags(tmp_path: Path, tags: Any) -> None:
    write(tmp_path, record([label(tags=tags)]))
    assert gold(tmp_path) == [(JOSH,)]


@pytest.mark.parametrize("tags", [[], 7, {}, "", [None]])
def test_tags_without_a_type_give_none(tags: Any) -> None:
    assert KnownLabels(TYPES, RELATIONS).type_of(tags) not in TYPES


def test_dev_json_is_taken_for_val_json_only_where_that_is_missing(tmp_path: Path) -> None:
    write(tmp_path, record([label()]), record([label()]), name="dev.json")
    assert len(source(tmp_path).load("val")) == 2
    write(tmp_path, record([label()]), name="val.json")
    assert len(source(tmp_path).load("val")) == 1
    with pytest.raises(InputError, match=r"there is no 'valid\.json' in it"):
        source(tmp_path, files={"val": "valid.json"}).load("val")


def test_files_may_have_other_names(tmp_path: Path) -> None:
    write(tmp_path, record([label(PEER)]), name="v2.json")
    assert source(tmp_path, files={"train": "v2.json"}).load("train")[0].gold == (PEER,)


def test_pictures_and_limits_are_those_of_the_other_source(tmp_path: Path) -> None:
    write(tmp_path, record([label()]), record([label()], img_id="2.jpg"))
    (tmp_path / "img_org").mkdir()
    Image.new("RGB", (4, 4)).save(tmp_path / "img_org" / "1.jpg")
    first = source(tmp_path, missing_images="error", limit={"train": 1}).load("train")
    assert [one.pictures for one in first] == [(Picture(tmp_path / "img_org" / "1.jpg"),)]
    with pytest.raises(
        InputError, match=r"1 of 2 pictures of train are missing or unreadable \(2\.jpg\)"
    ):
        source(tmp_path, missing_images="error").load("train")


def test_broken_json_names_the_line(tmp_path: Path) -> None:
    path = write(tmp_path, record([label()]))
    lines = path.read_text().splitlines()
    path.write_text("\n".join([*lines[:6], "oops", *lines[6:]]))
    with pytest.raises(InputError, match=f"^{path}:7: broken JSON"):
        source(tmp_path).load("train")


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b'[{"token": "\xff"}]', "byte 0xff is not UTF-8; save as UTF-8"),
        (b"[" * 200_000, r"broken JSON \(too deep\)"),
    ],
)
def test_what_is_no_json_at_all_names_the_line(tmp_path: Path, content: bytes, reason: str) -> None:
    (tmp_path / "train.json").write_bytes(content)
    with pytest.raises(InputError, match=f"^{tmp_path}/train.json:1: {reason}"):
        source(tmp_path).load("train")


def test_another_shape_is_refused(tmp_path: Path) -> None:
    (tmp_path / "train.json").write_text(json.dumps({"data": []}))
    with pytest.raises(InputError, match="holds no list of records"):
        source(tmp_path).load("train")


@pytest.mark.parametrize(
    ("bad", "message"),
    [
        ("text", "needs a list token"),
        ({**record(), "token": "Josh Gordon"}, "needs a list token"),
        ({"token": ["x"], "img_id": "1.jpg"}, "needs a list token"),
        ({**record(), "img_id": 7.5}, "needs a list token"),
        ({**record(), "img_id": True}, "img_id True is no file name"),
        (record(text=""), "'token' must be a list of words"),
        (record(img_id="a/../1.jpg"), "img_id 'a/../1.jpg' is no file name inside data.images"),
        (record(["text"]), "a label needs beg_ent"),
        (record([{**label(), "relation": None}]), "a label needs beg_ent"),
        (record([{**label(), "sec_ent": {"name": "x"}}]), "a label needs beg_ent"),
        (record([label(tags="animal")]), "entity type 'animal' is unknown"),
        (record([label(tags="loc")]), "'member_of' joins per-org, not loc-org"),
        (record([label(JOSH._replace(relation="enemy"))]), "relation 'enemy' is unknown"),
        (record([label(JOSH._replace(head=""))]), "an entity has no name"),
    ],
)
def test_a_broken_record_is_named_by_its_index(tmp_path: Path, bad: Any, message: str) -> None:
    path = write(tmp_path, record([label()]), bad)
    with pytest.raises(InputError) as caught:
        source(tmp_path).load("train")
    assert str(caught.value).startswith(f"{path}: record 1: {message}")


def test_a_wrong_root_names_the_key(tmp_path: Path) -> None:
    for call in (lambda: source(tmp_path).load("val"), source(tmp_path).content):
        with pytest.raises(InputError, match=f"^data.root={tmp_path}: there is no '"):
            call()


def test_content_changes_with_the_files(tmp_path: Path) -> None:
    for name in ("train.json", "dev.json", "test.json"):
        write(tmp_path, record([label()]), name=name)
    before = source(tmp_path).content()
    write(tmp_path, record([label(PEER)]), name="dev.json")
    assert source(tmp_path).content() != before


@pytest.mark.parametrize("text", ["[%s]", '{"img_id": "1.jpg"}\n{"img_id": %s}'])
def test_a_number_of_thousands_of_digits_is_one_line(tmp_path: Path, text: str) -> None:
    (tmp_path / "train.json").write_text(text % ("9" * 5000))
    with pytest.raises(InputError, match=r"train\.json:1: ") as caught:
        source(tmp_path).load("train")
    assert "\n" not in str(caught.value)
