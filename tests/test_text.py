"""What is text and what is not, at every place where text comes in."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from mmie.data.source import check_splits, text_of
from mmie.distil.chain_text import extract_chain
from mmie.errors import InputError
from mmie.tasks.jmere.annotations import KnownLabels
from mmie.templates import Places
from mmie.text import (
    break_tags,
    clean,
    invalid_character,
    nested_strings,
    replace_invalid_characters,
)
from mmie.types import Example, Picture, Quintuple


def test_white_space_is_folded_and_tags_are_dead() -> None:
    assert clean(" a\n\tb\u2028c \r\n", "x") == "a b c"
    assert clean("an <answer> </think>", "x") == "an < answer> < /think>"
    assert break_tags("a < b <b> <ANSWER> <thinking>") == "a < b <b> <ANSWER> <thinking>"


@pytest.mark.parametrize("text", ["ü 🙂 東京 \u202e", "caf\u0301e", "a\ufffdb", "1 < 2"])
def test_all_that_is_text_stays(text: str) -> None:
    assert clean(text, "x") == replace_invalid_characters(text) == text
    assert invalid_character(text) is None


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("caf\udce9", "a byte that is not UTF-8 (0xe9)"),
        ("half \ud83d", "half a character (U+D83D)"),
        ("a\x00b", "a control character (U+0000)"),
    ],
)
def test_what_is_no_text_is_refused_or_repaired(text: str, reason: str) -> None:
    message = r"^f:3: 'token' holds .*, which no text may contain; correct this"
    with pytest.raises(InputError, match=message) as caught:
        clean(text, "f:3: 'token'")
    assert reason in str(caught.value)
    assert caught.value.args[0].encode()
    assert invalid_character(replace_invalid_characters(text)) is None
    assert Places().problem(text) == f"it holds {reason}, which no text may contain; correct it"


@pytest.mark.parametrize("text", ["", "   ", "\n\t", "\u3000"])
def test_blanks_are_refused(text: str) -> None:
    with pytest.raises(InputError, match="^predict.text is blank"):
        clean(text, "predict.text")


def test_the_rule_holds_for_words_and_names_of_the_data() -> None:
    labels = KnownLabels(("per",), {"peer": ["per-per"]})
    name = Quintuple("Ann", "per", "B\ud83d", "per", "peer")
    with pytest.raises(InputError, match=r"^f:3: an entity holds half a character"):
        labels.checked(name, "f:3")
    with pytest.raises(InputError, match=r"^f:3: 'token' holds a control character \(U\+0000\)"):
        text_of(["a", "\x00"], "f:3")
    tagged = labels.checked(name._replace(tail="<answer>"), "f:3")
    assert tagged.tail == text_of(["<answer>"], "f:3") == "< answer>"


@pytest.mark.parametrize(
    "change",
    [{"text": "a\ud83d"}, {"text": " "}, {"gold": "/per/\x00"}, {"extra": {"entity": "caf\udce9"}}],
)
def test_the_rule_holds_for_every_source(change: dict[str, object]) -> None:
    good = {
        "text": "a b",
        "pictures": (Picture(Path(__file__)),),
        "gold": "none",
        "extra": {"entity": "b"},
    }
    splits = {"train": [Example("train-00000", **{**good, **change})]}  # type: ignore[arg-type]
    with pytest.raises(InputError, match=r"^data: .*train-00000") as caught:
        check_splits(splits, lambda sample: {})
    assert "\n" not in str(caught.value)
    assert str(caught.value).encode()


def test_strings_are_found_at_every_depth() -> None:
    assert list(nested_strings({"a": ["b", ("c", {"d": "e"})], "f": 3, "g": None})) == [
        "a",
        "b",
        "c",
        "d",
        "e",
        "f",
        "g",
    ]


def test_a_chain_is_repaired_and_not_thrown_away() -> None:
    assert extract_chain("1. A caf\udce9.\x00") == "1. A caf\ufffd.\ufffd"


def test_the_work_grows_linearly() -> None:
    def seconds(length: int) -> float:
        text = "<" * length + " " * length
        start = time.perf_counter()
        invalid_character(text)
        break_tags(text)
        return time.perf_counter() - start

    assert seconds(400_000) < 1.0
