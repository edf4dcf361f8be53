"""Splits are checked, samples survive the file, unknown labels are refused with their place."""

import json
import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from mmie.data.files import file_of
from mmie.data.pictures import PictureFolder, untracked
from mmie.data.source import (
    check_splits,
    digest,
    examples_from_jsonl,
    examples_to_jsonl,
    limits,
    picture_name,
    shared_sentences,
    text_of,
)
from mmie.errors import InputError
from mmie.tasks.jmere.annotations import KnownLabels, Sample, to_examples
from mmie.types import Example, Picture, Quintuple

JOSH = Quintuple("Josh Gordon", "per", "Browns", "org", "member of")
LABELS = KnownLabels(("per", "org"), {"member_of": ["per-org"], "peer": ["per-per"]})


def example(id: str, text: str, *, img_id: str | None = None, path: Path | None = None) -> Example:
    return Example(
        id, text, (Picture(path),), (JOSH,), {} if img_id is None else {"img_id": img_id}
    )


def asked(sample: Example) -> dict[str, Any]:
    """What a task asks about besides text and pictures."""
    return {key: sample.extra[key] for key in ("entity",) if key in sample.extra}


def picture(path: Path, shade: int) -> Path:
    Image.new("L", (2, 2), shade).save(path)
    return path


def revive(value: list[list[str]]) -> tuple[Quintuple, ...]:
    return tuple(Quintuple(*fields) for fields in value)


def test_shared_sentences_are_counted_once_a_text() -> None:
    splits = {
        "train": [
            example("a", "one", img_id="1"),
            example("b", "one", img_id="2"),
            example("c", "two", img_id="3"),
        ],
        "val": [example("d", "one", img_id="4"), example("e", "three", img_id="5")],
        "test": [example("f", "two", img_id="6"), example("g", "one", img_id="7")],
    }
    check_splits(splits, asked)
    assert shared_sentences(splits) == {"train/val": 1, "train/test": 2, "val/test": 1}


@pytest.mark.parametrize("empty", ["train", "val", "test"])
def test_an_empty_split_is_refused(empty: str) -> None:
    splits = {split: [example(split, split)] for split in ("train", "val", "test")}
    with pytest.raises(InputError, match=f"split {empty} is empty"):
        check_splits({**splits, empty: []}, asked)


def test_same_text_and_same_name_is_a_shared_sample() -> None:
    train = [example("train-0", "one", img_id="1.jpg"), example("train-1", "two", img_id="2.jpg")]
    shared = [example("test-0", "two", img_id="2.jpg"), example("test-1", "one", img_id="1.jpg")]
    with pytest.raises(InputError, match=r"train and test share 2 samples \(train-1 is test-0\)"):
        check_splits({"train": train, "val": [example("val-0", "three")], "test": shared}, asked)


def test_same_text_and_same_bytes_is_a_shared_sample(tmp_path: Path) -> None:
    one, twin, other = (
        picture(tmp_path / f"{name}.png", shade) for name, shade in (("a", 1), ("b", 1), ("c", 2))
    )
    train, test = example("train-0", "text", path=one), example("test-0", "text", path=other)
    splits = {"train": [train], "test": [test]}
    check_splits(splits, asked)
    assert shared_sentences(splits) == {"train/test": 1}
    with pytest.raises(InputError, match="train-0 is test-0"):
        check_splits({"train": [train], "test": [example("test-0", "text", path=twin)]}, asked)


def test_same_picture_under_another_text_or_inside_one_split_is_no_shared_sample() -> None:
    train = [example("a", "one", img_id="1.jpg"), example("b", "one", img_id="1.jpg")]
    splits = {"train": train, "test": [example("c", "two", img_id="1.jpg")]}
    check_splits(splits, asked)
    assert shared_sentences(splits) == {"train/test": 0}


def test_blank_pictures_without_names_are_not_the_same() -> None:
    splits = {"train": [example("a", "one")], "test": [example("b", "one")]}
    check_splits(splits, asked)
    assert shared_sentences(splits) == {"train/test": 1}


BOX = (1, 2, 30, 40)


def fact(
    id: str,
    *,
    entity: str = "Kenya",
    box: Any = BOX,
    path: Path | None = None,
    img_id: str | None = None,
) -> Example:
    extra = {"entity": entity, "img_id": img_id}
    return Example(id, "one text", (Picture(path), Picture(path, box)), "none", extra)


@pytest.mark.parametrize("change", [{"entity": "Obama"}, {"box": (1, 2, 30, 41)}, {"box": None}])
def test_other_entities_and_boxes_of_one_picture_are_other_samples(
    tmp_path: Path, change: dict[str, Any]
) -> None:
    path = picture(tmp_path / "a.png", 1)
    for known in ({"img_id": "1.jpg"}, {"path": path}, {"img_id": "1.jpg", "path": path}):
        check_splits(
            {"train": [fact("a", **known)], "test": [fact("b", **{**known, **change})]}, asked
        )
        with pytest.raises(InputError, match="share 1 samples .a is b."):
            check_splits({"train": [fact("a", **known)], "test": [fact("b", **known)]}, asked)


def test_many_facts_of_one_text_are_compared_in_no_time(tmp_path: Path) -> None:
    one = [
        fact(f"a-{number}", box=(number, 0, 9_999, 1), img_id="1.jpg") for number in range(5_000)
    ]
    other = [
        fact(f"b-{number}", box=(number, 0, 9_999, 2), img_id="1.jpg") for number in range(5_000)
    ]
    start = time.perf_counter()
    check_splits({"train": one, "test": other}, asked)
    assert time.perf_counter() - start < 2


def test_pictures_without_a_box_are_written_as_their_path(tmp_path: Path) -> None:
    path = tmp_path / "train.jsonl"
    image, name = tmp_path / "img" / "a.jpg", "img/a.jpg"
    samples = [
        Example(
            "a",
            "one",
            (Picture(image), Picture(image, BOX), Picture(None), Picture(None, BOX)),
            (JOSH,),
        )
    ]
    examples_to_jsonl(path, samples, images=tmp_path)
    written = [
        name,
        {"path": name, "box": [1, 2, 30, 40]},
        None,
        {"path": None, "box": [1, 2, 30, 40]},
    ]
    assert json.loads(path.read_text())["pictures"] == written
    assert examples_from_jsonl(path, revive=revive, images=tmp_path) == samples


@pytest.mark.parametrize(
    "value",
    [
        {"path": "a.jpg"},
        {"box": [1, 2, 3, 4]},
        {"path": "a.jpg", "box": [1, 2, 3]},
        {"path": "a.jpg", "box": ["x", 2, 3, 4]},
        7,
    ],
)
def test_a_broken_picture_is_named(tmp_path: Path, value: Any) -> None:
    path = tmp_path / "train.jsonl"
    examples_to_jsonl(path, [example("a", "one")], images=tmp_path)
    path.write_text(json.dumps({**json.loads(path.read_text()), "pictures": [value]}))
    with pytest.raises(InputError, match=f"^{path}:1: not a sample"):
        examples_from_jsonl(path, revive=revive, images=tmp_path)


def test_samples_survive_the_file(tmp_path: Path) -> None:
    samples = [
        Example(
            "train-0",
            'A "tweet"\u2028 with ünï 🎉, \\ and {braces}',
            (Picture(tmp_path / "a b.jpg"), Picture(None)),
            (JOSH, JOSH),
        ),
        Example(
            "train-1", "half a pair \ud83d", (), (), {"img_id": "x", "icons": [["red", "heart", 1]]}
        ),
    ]
    path = tmp_path / "train.jsonl"
    path.write_text("what was there before")
    examples_to_jsonl(path, samples, images=tmp_path)
    assert examples_from_jsonl(path, revive=revive, images=tmp_path) == samples
    first = examples_from_jsonl(path, revive=revive, images=tmp_path)[0]
    assert isinstance(first.gold[0], Quintuple)
    assert os.listdir(tmp_path) == ["train.jsonl"]


def test_a_write_that_breaks_off_leaves_what_was_there(tmp_path: Path) -> None:
    path = tmp_path / "train.jsonl"
    examples_to_jsonl(path, [example("a", "one")], images=tmp_path)
    before = path.read_bytes()
    examples = [example("b", "two"), Example("c", "three", (), {JOSH})]
    with pytest.raises(TypeError):
        examples_to_jsonl(path, examples, images=tmp_path)
    assert path.read_bytes() == before
    assert os.listdir(tmp_path) == ["train.jsonl"]


def test_the_file_appears_whole(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def seen(unfinished: Path, path: Path) -> None:
        assert not path.exists()
        assert unfinished.parent == path.parent
        assert len(examples_from_jsonl(unfinished, revive=revive, images=tmp_path)) == 2
        raise OSError("power cut")

    monkeypatch.setattr(os, "replace", seen)
    examples = [example("a", "one"), example("b", "two")]
    with pytest.raises(InputError, match="power cut"):
        examples_to_jsonl(tmp_path / "train.jsonl", examples, images=tmp_path)
    assert os.listdir(tmp_path) == []


@pytest.mark.parametrize(
    "spoil",
    [
        lambda row: json.dumps(row)[:-9],
        lambda row: json.dumps([row]),
        lambda row: json.dumps({**row, "gold": [["too", "short"]]}),
        lambda row: json.dumps({**row, "colour": "red"}),
        lambda row: json.dumps({key: value for key, value in row.items() if key != "pictures"}),
        lambda row: "",
    ],
)
def test_a_broken_line_is_named(tmp_path: Path, spoil: Callable[[dict[str, Any]], str]) -> None:
    path = tmp_path / "train.jsonl"
    examples_to_jsonl(path, [example("a", "one"), example("b", "two")], images=tmp_path)
    first, second = path.read_text().splitlines()
    path.write_text(f"{first}\n{spoil(json.loads(second))}\n")
    with pytest.raises(InputError, match=f"^{path}:2: not a sample"):
        examples_from_jsonl(path, revive=revive, images=tmp_path)


def test_a_missing_file_is_an_input_error(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"gone\.jsonl: cannot be read"):
        examples_from_jsonl(tmp_path / "gone.jsonl", revive=revive, images=tmp_path)


def test_names_and_relations_are_folded() -> None:
    found = Quintuple("  Josh\u00a0\n Gordon", " per", "Browns ", "org", "member_of")
    assert LABELS.checked(found, "f:1") == JOSH
    assert LABELS.checked(JOSH, "f:1") == JOSH


EXTEND = "correct it or extend task.relations"


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"head": " \t"}, "an entity has no name; correct or remove it"),
        ({"tail": ""}, "an entity has no name; correct or remove it"),
        ({"head_type": "PERS"}, "entity type 'PERS' is unknown; use per, org or extend task.types"),
        ({"tail_type": "loc"}, "entity type 'loc' is unknown; use per, org or extend task.types"),
        ({"relation": "members"}, f"relation 'members' is unknown; {EXTEND}"),
        ({"relation": "peer"}, f"'peer' joins per-per, not per-org; {EXTEND}"),
    ],
)
def test_what_is_outside_the_labels_is_refused(change: dict[str, str], message: str) -> None:
    with pytest.raises(InputError) as caught:
        LABELS.checked(JOSH._replace(**change), "f:3")
    assert str(caught.value) == f"f:3: {message}"


def test_the_text_is_the_tokens_joined_by_single_blanks() -> None:
    assert text_of(["RT", "@a", ":", "don't"], "f:1") == "RT @a : don't"
    assert text_of(["a\n b", "", "c"], "f:1") == "a b c"


@pytest.mark.parametrize("tokens", [[], ["", " "], ["a", None], [["a"]]])
def test_no_text_is_refused(tokens: list[Any]) -> None:
    with pytest.raises(InputError, match="^f:1: 'token' must be"):
        text_of(tokens, "f:1")


@pytest.mark.parametrize(
    "name", ["../secret.jpg", "/etc/passwd", "a/../../b.jpg", "a//b.jpg", "..", ".", "", "train/"]
)
def test_a_picture_name_stays_in_its_folder(name: str) -> None:
    with pytest.raises(InputError, match="^f:1: img_id .* is no file name inside"):
        picture_name(name, "f:1")
    assert picture_name("twitter_19_31_16_6.jpg", "f:1") == "twitter_19_31_16_6.jpg"


@pytest.mark.parametrize(
    "limit",
    [8, {"dev": 8}, {"train": 0}, {"train": -1}, {"train": True}, {"train": "8"}, {"val": 1.5}],
)
def test_a_wrong_limit_is_refused(limit: Any) -> None:
    with pytest.raises(InputError, match=r"^data\.limit"):
        limits(limit)


def test_a_limit_takes_the_first_samples_of_its_split(tmp_path: Path) -> None:
    samples = [Sample(text, f"{text}.jpg", (JOSH,)) for text in "abc"]
    pictures = PictureFolder(tmp_path, "blank")
    settings = {"limit": limits({"val": 2}), "pictures": pictures, "track": untracked}
    taken = to_examples("val", samples, **settings)
    assert [(one.id, one.text, one.extra) for one in taken] == [
        ("val-00000", "a", {"img_id": "a.jpg"}),
        ("val-00001", "b", {"img_id": "b.jpg"}),
    ]
    for split in ("train", "test"):
        assert len(to_examples(split, samples, **settings)) == 3


def test_the_first_file_that_is_there_is_taken(tmp_path: Path) -> None:
    (tmp_path / "b").touch()
    (tmp_path / "c").touch()
    assert file_of(tmp_path, "a", "b", "c") == tmp_path / "b"
    with pytest.raises(InputError, match=f"^data.root={tmp_path}: there is no 'd' or 'e' in it"):
        file_of(tmp_path, "d", "e")


def test_the_digest_tells_other_data_and_other_pictures(tmp_path: Path) -> None:
    file, pictures = tmp_path / "train.json", PictureFolder(tmp_path / "img_org", "blank")
    file.write_text("[1]")
    first = digest([file], pictures)
    assert first == digest([file], pictures)
    file.write_text("[2]")
    second = digest([file], pictures)
    (tmp_path / "img_org").mkdir()
    picture(tmp_path / "img_org" / "a.png", 0)
    assert len({first, second, digest([file], pictures), digest([file, file], pictures)}) == 4


def test_without_a_folder_every_picture_is_blank(tmp_path: Path) -> None:
    """Whatever lies in the working folder, and however missing pictures are treated."""
    pictures = PictureFolder(None, "error")
    assert pictures.find("val", ["a.jpg", "a.jpg", "b.jpg"]) == [Picture(None)] * 3
    assert pictures.listing() == []
    file = tmp_path / "train.json"
    file.write_text("[1]")
    assert digest([file], pictures) == digest([file], PictureFolder(tmp_path / "none", "blank"))
