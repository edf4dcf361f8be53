"""All texts are read in one Unicode form, and values that are not text are refused everywhere."""

import json
from pathlib import Path

import pytest

from helpers.labels import LABELS, RELATIONS, TYPES
from helpers.more_files import fact, write_split
from mmie.data.source import check_splits, picture_name
from mmie.errors import InputError
from mmie.tasks.jmere.jmere_json import JMEREJson
from mmie.tasks.jmere.mnre import MNRE
from mmie.tasks.more.reader import MORE
from mmie.text import clean, nested_strings
from mmie.types import Example, Picture

NO_TEXT = ["\ud800", "\udfff", "\0", "\x01", "\x1b", "\x7f", "\x9f", "\ud800\udc80\ud800"]


@pytest.mark.parametrize("letter", NO_TEXT)
def test_half_characters_and_control_characters_are_refused(letter: str) -> None:
    with pytest.raises(InputError) as caught:
        clean(f"a{letter}b", "f:1: the text")
    kind = "half a character" if letter[0] >= "\ud800" else "a control character"
    reason = f"{kind} (U+{ord(letter[0]):04X}), which no text may contain"
    message = f"f:1: the text holds {reason}; correct this entry"
    assert str(caught.value) == message
    str(caught.value).encode()


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Cafe\u0301", "Café"),
        ("\u1112\u1161\u11ab", "한"),
        ("a \t\n\x1c\x85\u2028 b", "a b"),
        ("👍🏽 \u200d ❤\ufe0f", "👍🏽 \u200d ❤\ufe0f"),
        ("\ud83d\ude00", "😀"),
        ("ﬁ ²", "ﬁ ²"),  # compatibility forms are other characters
    ],
)
def test_texts_are_composed_and_folded(text: str, expected: str) -> None:
    assert clean(text, "f:1: the text") == expected


def record(token: str = "a", head: str = "A", img_id: str = "1.jpg") -> dict[str, object]:
    ends = {"beg_ent": {"name": head, "tags": "per"}, "sec_ent": {"name": "B", "tags": "per"}}
    return {"token": [token], "img_id": img_id, "label_list": [[{**ends, "relation": "peer"}]]}


@pytest.mark.parametrize("place", ["token", "head", "img_id"])
@pytest.mark.parametrize("letter", ["\ud800", "\0", "\x07"])
def test_json_with_what_is_no_text_is_refused(tmp_path: Path, place: str, letter: str) -> None:
    (tmp_path / "train.json").write_text(json.dumps([record(**{place: f"x{letter}"})]))
    source = JMEREJson(tmp_path, tmp_path, types=TYPES, relations=RELATIONS, missing_images="blank")
    with pytest.raises(InputError, match="record 0: .* holds .*, which no text may contain"):
        source.load("train")


@pytest.mark.parametrize("letter", [r"\ud800", r"\x00", r"\x07"])
@pytest.mark.parametrize("place", ["token", "name"])
def test_literals_with_what_is_no_text_are_refused(tmp_path: Path, place: str, letter: str) -> None:
    words, name = (letter, "A") if place == "token" else ("w", letter)
    ends = f"'h': {{'name': '{name}'}}, 't': {{'name': 'B'}}"
    line = f"{{'token': ['{words}'], {ends}, 'img_id': '1.jpg', 'relation': '/per/per/peer'}}\n"
    (tmp_path / "mnre_train.txt").write_text(line)
    source = MNRE(tmp_path, tmp_path, types=TYPES, relations=RELATIONS, missing_images="blank")
    with pytest.raises(
        InputError, match="mnre_train.txt:1: .* holds .*, which no text may contain"
    ):
        source.load("train")


@pytest.mark.parametrize("change", [{"text": "a\udc80"}, {"entity": "a\0"}])
def test_facts_with_what_is_no_text_are_refused(tmp_path: Path, change: dict[str, str]) -> None:
    write_split(tmp_path, "train", [fact(**change)])
    source = MORE(tmp_path, tmp_path, labels=LABELS, missing_images="blank")
    with pytest.raises(InputError, match="train.txt:1: .* holds .*, which no text may contain"):
        source.load("train")


@pytest.mark.parametrize(
    "sample",
    [
        Example("a", "x\ud800", (), ()),
        Example("a", "x", (), (("A", "per", "B\0", "per", "peer"),)),
        Example("a", "x", (), "none", {"entity": ["\x07"]}),
        Example("a", "x", (), "none", {"\x07": 1}),
    ],
)
def test_any_source_is_checked_before_anything_is_trained(sample: Example) -> None:
    with pytest.raises(
        InputError, match="^data: a text of sample a holds .*, which no text may contain"
    ):
        check_splits({"train": [sample]}, lambda sample: {})


def test_strings_are_found_however_deep() -> None:
    value = {"a": [1, ("b", {"c": "d"})], "e": {"f"}, "g": None}
    assert sorted(nested_strings(value)) == ["a", "b", "c", "d", "e", "f", "g"]
    assert list(nested_strings(Picture(None))) == []


def test_text_and_gold_are_composed_alike(tmp_path: Path) -> None:
    (tmp_path / "train.json").write_text(json.dumps([record("Jose\u0301", "Jose\u0301")]))
    source = JMEREJson(tmp_path, tmp_path, types=TYPES, relations=RELATIONS, missing_images="blank")
    (sample,) = source.load("train")
    assert sample.text == "José" == sample.gold[0].head
    assert picture_name("Jose\u0301.jpg", "f:1") == "Jose\u0301.jpg"  # as the disk may have it
