"""MORE's files: facts, boxes, labels, pictures, and what is refused."""

import logging
import math
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

from helpers.labels import LABELS
from helpers.more_files import BOXES, fact, write_labels, write_picture, write_split
from mmie.data.literals import MAX_LINE
from mmie.data.pictures import open_picture
from mmie.data.source import (
    SPLITS,
    check_splits,
    examples_from_jsonl,
    examples_to_jsonl,
    shared_sentences,
)
from mmie.errors import InputError
from mmie.tasks.more import task as more_task
from mmie.tasks.more.boxes import Boxes, in_pixels
from mmie.tasks.more.reader import MORE, check_labels, read_labels
from mmie.tasks.responses import Direct
from mmie.types import Example, Picture

REAL = Path("../shared/data/more")
MEMBER = "/per/org/member_of"


def source(root: Path, **settings: Any) -> MORE:
    return MORE(root, root / "img_org", **{"labels": LABELS, "missing_images": "blank", **settings})


def box_of(root: Path, box: Any, size: tuple[int, int] = (40, 20), **settings: Any) -> Any:
    """The pixels that one object's box becomes."""
    write_split(root, "train", [fact()], boxes={"1.jpg": {"person_0": box}})
    write_picture(root, "train", "1.jpg", size)
    (example,) = source(root, missing_images="error", **settings).load("train")
    return example.pictures[1].box


def refused(root: Path, **settings: Any) -> str:
    with pytest.raises(InputError) as caught:
        source(root, **settings).load("train")
    assert "\n" not in str(caught.value)
    return str(caught.value)


def test_one_fact_becomes_one_sample(tmp_path: Path) -> None:
    path = write_picture(tmp_path, "train", "1.jpg")
    write_split(
        tmp_path,
        "train",
        [fact("Obama \t visits Kenya", MEMBER, entity=" Barack\u00a0 Obama", name="person_1")],
    )
    assert source(tmp_path, missing_images="error").load("train") == [
        Example(
            id="train-00000",
            text="Obama visits Kenya",
            pictures=(Picture(path), Picture(path, (0, 0, 20, 10))),
            gold=MEMBER,
            extra={
                "img_id": "1.jpg",
                "entity": "Barack Obama",
                "object": "person_1",
                "entity_count": 1,
                "object_count": 1,
            },
        )
    ]


def test_the_splits_have_mores_names_on_disk(tmp_path: Path) -> None:
    for name, in_txt in (("train", False), ("valid", True), ("test", False)):
        write_picture(tmp_path, name, "1.jpg")
        write_split(tmp_path, name, [fact(name)], in_txt=in_txt)
    for split, name in (("train", "train"), ("val", "valid"), ("test", "test")):
        (found,) = source(tmp_path, missing_images="error").load(split)
        assert (found.id, found.text) == (f"{split}-00000", name)
        assert [picture.path for picture in found.pictures] == [
            tmp_path / "img_org" / name / "1.jpg"
        ] * 2


@pytest.mark.parametrize("relation", ["none", "None", None])
def test_none_may_be_spelled_in_three_ways(tmp_path: Path, relation: str | None) -> None:
    write_split(tmp_path, "train", [fact(relation=relation)])
    assert [one.gold for one in source(tmp_path).load("train")] == ["none"]


def test_counts_are_distinct_names_within_one_picture_and_text(tmp_path: Path) -> None:
    facts = [
        fact("a", entity="A", name="person_0"),
        fact("a", entity="A", name="person_1"),
        fact("a", entity=" A ", name="person_1"),
        fact("b", entity="A"),
        fact("a", entity="A", img_id="2.jpg"),
        fact("a", entity="B", name="person_0"),
    ]
    write_split(tmp_path, "train", facts)
    counts = [
        (one.extra["entity_count"], one.extra["object_count"])
        for one in source(tmp_path).load("train")
    ]
    assert counts == [(2, 2), (2, 2), (2, 2), (1, 1), (1, 1), (2, 2)]
    taken = source(tmp_path, limit={"train": 1}).load("train")
    assert [(one.extra["entity_count"], one.extra["object_count"]) for one in taken] == [(2, 2)]


@pytest.mark.parametrize(
    ("box", "size", "pixels"),
    [
        ((0.5, 0.5, 1.0, 1.0), (40, 20), (0, 0, 40, 20)),
        ((0.5, 0.5, 0.5, 0.5), (40, 20), (10, 5, 30, 15)),
        ([0.25, 0.75, 0.5, 0.5], (40, 20), (0, 10, 20, 20)),
        ((0.0, 1.0, 0.5, 0.5), (40, 20), (0, 15, 10, 20)),  # left -10 and lower 25 are clipped
        ((0.5, 0.5, 1.5, 2), (40, 20), (0, 0, 40, 20)),
        ((0.5, 0.5, 0.33, 0.34), (10, 10), (3, 3, 7, 7)),  # 3.35, 3.3, 6.65, 6.7
        ((0.26, 0.26, 0.1, 0.1), (10, 10), (2, 2, 3, 3)),  # 2.1 … 3.1
        ((1.5, 0.5, 2.0, 1.0), (40, 20), (20, 0, 40, 20)),
    ],
)
def test_boxes_in_pixels(
    tmp_path: Path, box: Any, size: tuple[int, int], pixels: tuple[int, ...]
) -> None:
    assert in_pixels(tuple(box), size) == pixels
    assert box_of(tmp_path, box, size) == pixels
    assert all(type(edge) is int for edge in pixels)


def test_a_box_may_be_a_tensor(tmp_path: Path) -> None:
    assert box_of(tmp_path, torch.tensor([0.5, 0.5, 0.5, 0.5])) == (10, 5, 30, 15)


def test_the_crop_shows_exactly_the_object(tmp_path: Path) -> None:
    path = tmp_path / "img_org" / "train" / "1.jpg"
    path.parent.mkdir(parents=True)
    image = np.random.default_rng(0).integers(0, 256, (20, 40, 3), dtype=np.uint8)
    Image.fromarray(image).save(path, "PNG")
    write_split(tmp_path, "train", [fact()], boxes={"1.jpg": {"person_0": (0.5, 0.6, 0.2, 0.2)}})
    (example,) = source(tmp_path, missing_images="error").load("train")
    whole, cut = (
        np.asarray(open_picture(picture, max_pixels=10**6)) for picture in example.pictures
    )
    assert np.array_equal(whole, image)
    assert np.array_equal(cut, image[10:14, 16:24])


def test_boxes_are_shares_of_the_upright_picture(tmp_path: Path) -> None:
    path = write_picture(tmp_path, "train", "1.jpg")
    exif = Image.Exif()
    exif[0x0112] = 6  # to be turned: 40 × 20 becomes 20 × 40
    Image.new("RGB", (40, 20)).save(path, exif=exif)
    write_split(tmp_path, "train", [fact()], boxes={"1.jpg": {"person_0": (0.5, 0.5, 0.5, 0.5)}})
    (example,) = source(tmp_path, missing_images="error").load("train")
    assert example.pictures[1].box == (5, 10, 15, 30)


@pytest.mark.parametrize("blank", [False, True])
@pytest.mark.parametrize(
    "box",
    [
        (0.5, 0.5, 0.0, 0.5),
        (0.5, 0.5, 0.5, -0.1),
        (math.nan, 0.5, 0.5, 0.5),
        (0.5, 0.5, math.inf, 0.5),
        (0.5, 0.5, 0.5),
        (30, 20, 100, 80),
        (0.5, 0.5, 2.1, 0.5),
        (2.1, 0.5, 0.5, 0.5),
        (10**400, 0.5, 0.5, 0.5),
        "1234",
        {1: 0, 2: 0, 3: 0, 4: 0},
        (0.5,) * 5,
        "abcd",
        (0.5, 0.5, "x", 0.5),
        0.5,
        (0.5, 0.5, None, 0.5),
    ],
)
def test_a_broken_box_is_named(tmp_path: Path, box: Any, blank: bool) -> None:
    text = write_split(
        tmp_path,
        "train",
        [fact(), fact(name="person_1")],
        boxes={"1.jpg": {**BOXES["1.jpg"], "person_1": box}},
    )
    if not blank:
        write_picture(tmp_path, "train", "1.jpg")
    message = refused(tmp_path, degenerate_boxes="whole")
    assert message.startswith(f"{text}:2: the box of object 'person_1' of 1.jpg is ")
    assert message.endswith("correct ent_train_dict.pth")


DEGENERATE = [
    (1.5, 0.5, 0.5, 0.5),
    (0.5, -0.25, 0.5, 0.5),
    (0.5, 0.5, 0.01, 0.5),
    (0.0, 0.5, 0.02, 0.5),
]


@pytest.mark.parametrize("box", DEGENERATE)
def test_a_box_without_a_pixel_is_refused(tmp_path: Path, box: Any) -> None:
    with pytest.raises(InputError) as caught:
        box_of(tmp_path, box)
    start = (
        f"{tmp_path}/txt/train.txt:1: the box of object 'person_0' of 1.jpg holds no pixel"
        " of the picture; correct ent_train_dict.pth"
    )
    assert str(caught.value) == f"{start} or set data.degenerate_boxes=whole"


def test_a_box_without_a_pixel_may_show_the_whole_picture(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    path = write_picture(tmp_path, "train", "1.jpg")
    boxes = {
        "1.jpg": {
            str(number): box for number, box in enumerate([*DEGENERATE, (0.5, 0.5, 0.5, 0.5)])
        }
    }
    text = write_split(tmp_path, "train", [fact(name=name) for name in boxes["1.jpg"]], boxes=boxes)
    with caplog.at_level(logging.INFO):
        found = source(tmp_path, degenerate_boxes="whole").load("train")
    assert [one.pictures[1] for one in found] == [Picture(path)] * 4 + [
        Picture(path, (10, 5, 30, 15))
    ]
    (record,) = caplog.records
    assert record.getMessage().startswith(
        f"{text}:1: the box of object '0' of 1.jpg holds no pixel"
    )
    assert "4 such boxes" in record.getMessage()


@pytest.mark.parametrize(
    "boxes",
    [{}, {"1.jpg": {}}, {"2.jpg": BOXES["1.jpg"]}, {"1.jpg": {"person_00": (0.5, 0.5, 0.5, 0.5)}}],
)
def test_a_missing_box_is_named(tmp_path: Path, boxes: Any) -> None:
    text = write_split(tmp_path, "train", [fact()], boxes=boxes)
    expected = (
        f"{text}:1: ent_train_dict.pth has no box for object 'person_0' of 1.jpg;"
        " add it or remove this line"
    )
    assert refused(tmp_path) == expected


class Executed:
    """What a foreign pickle can do: call anything."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[Any, ...]:
        return Path.touch, (self.path,)


def test_nothing_in_a_file_of_boxes_is_executed(tmp_path: Path) -> None:
    torch.save(Executed(tmp_path / "executed"), tmp_path / "ent_train_dict.pth")
    with pytest.raises(InputError, match="holds values of|not loaded safely"):
        Boxes(tmp_path / "ent_train_dict.pth")
    assert not (tmp_path / "executed").exists()


class Unpickled:
    """A class of ours, which a file of boxes must not bring in."""


@pytest.mark.parametrize("content", [[1, 2], {"1.jpg": [0.5]}, 7, Unpickled()])
def test_a_file_of_something_else_is_refused(tmp_path: Path, content: Any) -> None:
    torch.save(content, tmp_path / "ent_train_dict.pth")
    path = tmp_path / "ent_train_dict.pth"
    with pytest.raises(InputError, match=f"^{path}: holds (no boxes|values of )"):
        Boxes(tmp_path / "ent_train_dict.pth")


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "is empty, not the boxes"),
        (b"garbage", "not a readable file of boxes"),
        (b"PK\x03\x04 cut", "not a readable file of boxes"),
        (b"\x80\x02cos\nsystem\n.", "is a pickle that torch did not write"),
        (b"version https://git-lfs.github.com/spec/v1\noid sha256:1\n", "is a Git LFS pointer"),
        (b"<!DOCTYPE html><title>Quota exceeded</title>", "is a web page"),
    ],
)
def test_a_broken_file_of_boxes_is_refused(tmp_path: Path, content: bytes, message: str) -> None:
    write_split(tmp_path, "train", [fact()])
    (tmp_path / "ent_train_dict.pth").write_bytes(content)
    assert refused(tmp_path).startswith(f"{tmp_path}/ent_train_dict.pth: {message}")


def test_missing_pictures_are_refused_or_blank(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    write_split(tmp_path, "train", [fact(), fact(img_id="2.jpg")])
    here = write_picture(tmp_path, "train", "2.jpg")
    expected = "1 of 2 pictures of train are missing or unreadable (1.jpg)"
    assert expected in refused(tmp_path, missing_images="error")
    with caplog.at_level(logging.INFO):
        first, second = source(tmp_path).load("train")
    assert first.pictures == (Picture(None), Picture(None))
    assert second.pictures == (Picture(here), Picture(here, (0, 0, 40, 20)))
    assert expected in caplog.text


GOOD = repr(fact())


@pytest.mark.parametrize(
    ("bad", "message"),
    [
        (GOOD[:-5], "not a Python literal in UTF-8"),
        ("print('x')", "not a Python literal in UTF-8"),
        ("(" * 5000, "not a Python literal in UTF-8"),
        (GOOD.replace("'1.jpg'", f"'{'x' * MAX_LINE}'"), "longer than 65,536 bytes"),
        ("[1, 2]", "not a line of MORE"),
        (GOOD.replace("'token'", "'tokens'"), "not a line of MORE"),
        (GOOD.replace("'person_0'", "7"), "not a line of MORE"),
        (GOOD.replace("'none'", "0"), "not a line of MORE"),
        (GOOD.replace("'relation'", "'relations'"), "not a line of MORE"),
        (repr(fact("")), "'token' must be a list of words"),
        (repr(fact("a \ud800 b")), "'token' holds half a character"),
        (repr(fact(entity=" ")), "the entity has no name"),
        (repr(fact(img_id="../1.jpg")), "img_id '../1.jpg' is no file name inside data.images"),
        (
            repr(fact(relation="/per/per/enemy")),
            "relation '/per/per/enemy' is no label; correct it or extend task.labels",
        ),
        (repr(fact(relation="per/org/member_of")), "relation 'per/org/member_of' is no label"),
        (repr(fact(relation="/org/per/member_of")), "relation '/org/per/member_of' is no label"),
        (repr(fact(relation="")), "relation '' is no label"),
    ],
)
def test_a_broken_line_is_named(tmp_path: Path, bad: str, message: str) -> None:
    text = write_split(tmp_path, "train", [GOOD, "", bad, GOOD])
    assert refused(tmp_path).startswith(f"{text}:3: {message}")


def test_labels_are_read_by_number_without_none(tmp_path: Path) -> None:
    path = tmp_path / "rel2id.json"
    path.write_text('{"b": 2, "None": 0, "a": 3, "c": 1}')
    assert read_labels(path) == ["c", "b", "a"]
    assert set(read_labels(write_labels(tmp_path))) == set(LABELS)


@pytest.mark.parametrize("in_txt", [False, True])
def test_the_tasks_labels_must_be_those_of_the_data(tmp_path: Path, in_txt: bool) -> None:
    write_split(tmp_path, "train", [fact()])
    check_labels(["anything"], tmp_path)  # no file, no check
    path = write_labels(tmp_path / "txt" if in_txt else tmp_path, more={"/per/per/enemy": 99})
    assert (
        refused(tmp_path)
        == f"task.labels: {path} has ['/per/per/enemy'] beside them and lacks []; make them equal"
    )
    write_labels(path.parent, LABELS[1:])
    assert (
        refused(tmp_path)
        == f"task.labels: {path} has [] beside them and lacks ['/per/per/opponent'];"
        " make them equal"
    )
    write_labels(path.parent, LABELS[::-1])
    assert len(source(tmp_path).load("train")) == 1


@pytest.mark.parametrize(
    "content",
    [
        "",
        "[]",
        "{}",
        '{"a": 1}',
        '{"none": 0, "a": 0}',
        '{"a": "1"}',
        '{"a": true}',
        "{'a': 1}",
        b"\xff",
    ],
)
def test_a_broken_file_of_labels_is_named(tmp_path: Path, content: str | bytes) -> None:
    write_split(tmp_path, "train", [fact()])
    (tmp_path / "rel2id.json").write_bytes(
        content if isinstance(content, bytes) else content.encode()
    )
    assert refused(tmp_path).startswith(f"{tmp_path}/rel2id.json:")


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"labels": None}, "data.labels: there is none; read these data with task=more"),
        ({"labels": []}, "data.labels: there is none; read these data with task=more"),
        ({"missing_images": "skip"}, "data.missing_images=skip: use error or blank"),
        ({"degenerate_boxes": "drop"}, "data.degenerate_boxes=drop: use error or whole"),
        ({"limit": {"valid": 1}}, "data.limit.valid: there is no such split"),
    ],
)
def test_wrong_settings_are_refused_at_once(
    tmp_path: Path, settings: dict[str, Any], message: str
) -> None:
    with pytest.raises(InputError) as caught:
        source(tmp_path, **settings)
    assert str(caught.value).startswith(message)


@pytest.mark.parametrize(
    ("missing", "named"),
    [("txt/train.txt", "'txt/train.txt'"), ("ent_train_dict.pth", "'ent_train_dict.pth' or 'txt/")],
)
def test_a_missing_file_names_the_key(tmp_path: Path, missing: str, named: str) -> None:
    write_split(tmp_path, "train", [fact()])
    (tmp_path / missing).unlink()
    assert refused(tmp_path).startswith(f"data.root={tmp_path}: there is no {named}")


def test_content_changes_with_any_file(tmp_path: Path) -> None:
    for name in ("train", "valid", "test"):
        write_split(tmp_path, name, [fact()])
    digests = [source(tmp_path).content()]
    assert source(tmp_path).content() == digests[0]
    for name in ("train", "valid", "test"):
        write_split(tmp_path, name, [fact(), fact()])
        digests.append(source(tmp_path).content())
        write_split(tmp_path, name, [fact(), fact()], boxes={})
        digests.append(source(tmp_path).content())
    write_labels(tmp_path)
    digests.append(source(tmp_path).content())
    write_picture(tmp_path, "train", "1.jpg")
    digests.append(source(tmp_path).content())
    assert len(set(digests)) == 9


TASK = more_task.MORE(labels=LABELS, response=Direct())


def test_facts_of_one_picture_are_different_samples(tmp_path: Path) -> None:
    for name, entity, object_name in (
        ("train", "Kenya", "person_0"),
        ("valid", "Obama", "person_0"),
        ("test", "Kenya", "person_1"),
    ):
        write_picture(tmp_path, name, "1.jpg")
        write_split(tmp_path, name, [fact(entity=entity, name=object_name)])
    splits = {split: source(tmp_path).load(split) for split in SPLITS}
    check_splits(splits, TASK.fields)
    assert shared_sentences(splits) == {"train/val": 1, "train/test": 1, "val/test": 1}
    with pytest.raises(
        InputError, match=r"train and val share 1 samples \(train-00000 is train-00000\)"
    ):
        check_splits({"train": splits["train"], "val": splits["train"]}, TASK.fields)


@pytest.mark.parametrize("blank", [True, False])
def test_other_objects_without_a_box_are_different_samples(tmp_path: Path, blank: bool) -> None:
    boxes = {"1.jpg": {"person_0": (1.5, 0.5, 0.5, 0.5), "person_1": (1.5, 0.5, 0.5, 0.5)}}
    for on_disk, name in (("train", "person_0"), ("valid", "person_1"), ("test", "person_0")):
        write_split(tmp_path, on_disk, [fact(name=name)], boxes=boxes)
        if not blank:
            write_picture(tmp_path, on_disk, "1.jpg")
    found = source(tmp_path, degenerate_boxes="whole", missing_images="blank")
    splits = {split: found.load(split) for split in ("train", "val")}
    check_splits(splits, TASK.fields)
    assert shared_sentences(splits) == {"train/val": 1}
    with pytest.raises(InputError, match="share 1 samples"):
        check_splits({split: found.load(split) for split in ("train", "test")}, TASK.fields)


def test_samples_survive_the_file(tmp_path: Path) -> None:
    write_picture(tmp_path, "train", "1.jpg")
    write_split(tmp_path, "train", [fact(relation=MEMBER), fact(img_id="2.jpg")])
    samples = source(tmp_path).load("train")
    examples_to_jsonl(tmp_path / "train.jsonl", samples, images=tmp_path)
    assert examples_from_jsonl(tmp_path / "train.jsonl", revive=str, images=tmp_path) == samples


@pytest.mark.slow
@pytest.mark.skipif(not REAL.is_dir(), reason="MORE's files are not at hand")
@pytest.mark.parametrize(("split", "facts"), [("train", 15_486), ("val", 1_742), ("test", 3_036)])
def test_the_real_data_has_the_published_sizes(split: str, facts: int) -> None:
    found = MORE(
        REAL, REAL / "img_org", labels=LABELS, missing_images="blank", degenerate_boxes="whole"
    ).load(split)
    assert len(found) == facts
    objects = Counter(
        img_id for img_id, _ in {(one.extra["img_id"], one.extra["object"]) for one in found}
    )
    assert max(objects.values()) <= 10
