"""One piece a word of the world, bytes for everything else."""

from __future__ import annotations

import random
from typing import Any

from hypothesis import example, given
from hypothesis import strategies as st

from helpers.labels import RELATIONS
from mmie.models.backbone import load_tokenizer, resolve_path
from mmie.parsing import format_quintuples
from mmie.toy.base import SPECIAL
from mmie.toy.tokenizer import BLANK, CHATML, PUNCTUATION, TAGS, build_tokenizer, world_words
from mmie.toy.world import make_scene

TOKENIZER = build_tokenizer(SPECIAL, end="<|im_end|>", pad="<|endoftext|>", chat_template=CHATML)


def encode(text: str) -> list[int]:
    return TOKENIZER(text, add_special_tokens=False)["input_ids"]


def decode(ids: list[int]) -> str:
    return TOKENIZER.decode(ids, skip_special_tokens=True, clean_up_tokenization_spaces=False)


def survives(text: str) -> bool:
    """The sign of the blank, the names of bytes and the markers mean something else to it."""
    return BLANK not in text and "<0x" not in text and not any(marker in text for marker in SPECIAL)


TEXT = st.text(st.characters(exclude_categories=["Cs"])) | st.lists(
    st.sampled_from([*world_words(), *PUNCTUATION, *TAGS, " ", "\n", "  ", "é", "🙂"])
).map("".join)


@given(TEXT.filter(survives))
@example("  two  blanks \n and a line\t")
@example("[Ann Lee, per, Žižek 🙂, org, member of] don't , stop")
@example("")
def test_any_text_comes_back(text: str) -> None:
    assert decode(encode(text)) == text


def test_every_word_is_one_token() -> None:
    for word in [*world_words(), *TAGS, *PUNCTUATION]:
        assert len(encode(word)) == 1, word
        assert len(encode(f" {word}")) == 1, word
        assert len(encode(f"{word} {word} {word}")) == 3, word


def test_words_do_not_cut_other_words() -> None:
    assert decode(encode("heartland")[:1]) != "heartland"
    assert encode("red heart") == encode("red") + encode(" heart")


def test_tweets_answers_and_chains_need_no_bytes() -> None:
    byte_ids = {token for name, token in TOKENIZER.get_vocab().items() if name.startswith("<0x")}
    assert len(byte_ids) == 256
    rng = random.Random(0)
    for scene in (make_scene(rng) for _ in range(300)):
        response = (
            f"<think> picture . </think> <answer> {format_quintuples(scene.quintuples)} </answer>"
        )
        assert not byte_ids & set(encode(scene.text) + encode(response))
    for relation in RELATIONS:
        assert not byte_ids & set(encode(relation.replace("_", " ")))
    assert byte_ids & set(encode("Žižek"))


def test_markers_are_single_and_never_split() -> None:
    ids = [TOKENIZER.get_vocab()[marker] for marker in SPECIAL]
    assert encode("".join(SPECIAL)) == ids
    assert sorted(ids) == list(range(len(SPECIAL)))
    assert (TOKENIZER.eos_token, TOKENIZER.pad_token) == ("<|im_end|>", "<|endoftext|>")
    assert decode(ids) == ""


def test_a_saved_tokenizer_is_the_same(tmp_path: Any) -> None:
    TOKENIZER.save_pretrained(tmp_path)
    again = load_tokenizer(str(tmp_path))
    text = "wow Ann Lee , <think> é </think>"
    assert again(text)["input_ids"] == TOKENIZER(text)["input_ids"]
    assert again.chat_template == CHATML


def test_the_shipped_base_speaks_the_words_of_this_world() -> None:
    """A word added or moved after the pre-training would make the shipped weights worthless."""
    shipped = load_tokenizer(resolve_path("mmie:toy/qwen2_5_vl"))
    assert shipped.get_vocab() == TOKENIZER.get_vocab()
    assert shipped.chat_template == CHATML
