"""What the tiny base is taught before the task, and the base that is shipped."""

from __future__ import annotations

import random
import re
from pathlib import Path

import pytest
import torch

from mmie.models.backbone import resolve_path
from mmie.models.qwen2_5_vl import Qwen25VL
from mmie.tasks.jmere.toy_source import ToySource
from mmie.toy import base, words
from mmie.toy.base import SPECIAL, build_model, positions, scene_lessons
from mmie.toy.drawing import draw_scene
from mmie.toy.lessons import LESSONS, Lesson, make_lesson
from mmie.toy.tokenizer import CHATML, build_tokenizer
from mmie.toy.world import describe, make_scene

RELATION_NAMES = {relation for relations in words.RELATIONS.values() for relation in relations}
TWEET = re.compile(r"text : (.*) \. name the entities \.")


@pytest.fixture(scope="module")
def held_out() -> set[str]:
    """Tweets that come up again and again: every lesson has to avoid them."""
    rng = random.Random(0)
    return {scene.text for scene in (make_scene(rng) for _ in range(400))}


@pytest.fixture(scope="module")
def lessons(held_out: set[str]) -> list[Lesson]:
    rng, again = random.Random(1), random.Random(0)
    return [make_lesson(rng, make_scene(again), held_out) for _ in range(400)]


def kind_of(lesson: Lesson) -> str:
    starts = {"describe the": "describe", "text :": "name", "copy the": "copy"}
    kind = next(
        (kind for start, kind in starts.items() if lesson.question.startswith(start)), "ask"
    )
    return f"think_{kind}" if lesson.question.endswith("think then answer .") else kind


def test_all_kinds_of_lessons_come(lessons: list[Lesson]) -> None:
    assert {kind_of(lesson) for lesson in lessons} == set(LESSONS)
    assert sum(LESSONS.values()) == pytest.approx(1)


def test_no_lesson_uses_a_held_out_tweet(lessons: list[Lesson], held_out: set[str]) -> None:
    tweets = [found[1] for lesson in lessons if (found := TWEET.search(lesson.question))]
    assert len(tweets) > 100
    assert not held_out & set(tweets)
    assert not [
        lesson
        for lesson in lessons
        if any(len(text.split()) > 4 and text in lesson.question for text in held_out)
    ]


def test_no_lesson_says_a_relation(lessons: list[Lesson]) -> None:
    """Word lists to copy hold any word of the world, and mean nothing."""
    for lesson in lessons:
        if kind_of(lesson) != "copy":
            assert not [
                name for name in RELATION_NAMES if re.search(rf"\b{name}\b", lesson.response)
            ], lesson
        assert "extract" not in lesson.question or kind_of(lesson) == "copy"


def test_responses_are_right(lessons: list[Lesson]) -> None:
    for lesson in lessons:
        icons = {icon: colour for colour, icon, _ in lesson.scene.icons}
        answer = lesson.response.removesuffix(" </answer>").rpartition("<answer> ")[2]
        if kind_of(lesson).startswith("think_"):
            assert lesson.response.startswith(f"<think> picture : {describe(lesson.scene.icons)} .")
        match lesson.question.split():
            case ["describe", *_]:
                assert answer == describe(lesson.scene.icons)
            case ["what", "colour", "is", "the", icon, *_]:
                assert answer == icons[icon]
            case ["is", "there", "a", icon, *_]:
                assert answer == ("yes" if icon in icons else "no")
            case ["copy", "the", "list", ":", *listed]:
                assert answer == f"[{' '.join(listed).removesuffix(' .').replace(' ; ', ', ')}]"
            case ["text", *_]:
                names = re.findall(r"\[([^,\]]+), (per|org|loc|misc)\]", answer)
                assert 2 <= len(names) <= 3
                assert all(name in lesson.question for name, _ in names)


def test_no_tweet_of_the_data_is_in_a_lesson(monkeypatch: pytest.MonkeyPatch) -> None:
    seen = []
    monkeypatch.setattr(base, "make_lesson", lambda rng, scene, held_out: seen.append(held_out))
    tokenizer = build_tokenizer(
        SPECIAL, end="<|im_end|>", pad="<|endoftext|>", chat_template=CHATML
    )
    with pytest.raises(AttributeError):  # the lesson is None
        next(scene_lessons(tokenizer, pool=2, seed=0, size=1))
    for split in ("train", "val", "test"):
        assert {scene.text for scene in ToySource(seed=0).scenes(split)} <= seen[0]


def test_a_batch_teaches_the_response_alone() -> None:
    tokenizer = build_tokenizer(
        SPECIAL, end="<|im_end|>", pad="<|endoftext|>", chat_template=CHATML
    )
    batch = next(scene_lessons(tokenizer, pool=3, seed=0, size=4))
    for ids, labels in zip(batch["input_ids"], batch["labels"], strict=True):
        learned = labels[labels != -100]
        start = int((labels != -100).nonzero()[0])
        assert tokenizer.decode(ids[:start]).endswith("<|im_start|>assistant\n")
        assert torch.equal(ids[start : start + len(learned)], learned)
        assert learned[-1] == tokenizer.eos_token_id
        assert int((ids == tokenizer.get_vocab()["<|image_pad|>"]).sum()) == 16
    model = build_model(tokenizer, width=64, layers=1)
    own = model(**batch, use_cache=False).loss
    given = model(**batch, position_ids=positions(model, batch), use_cache=False).loss
    torch.testing.assert_close(own, given, rtol=0, atol=0)


def test_the_shipped_base_is_small_and_loads() -> None:
    folder = Path(resolve_path("mmie:toy/qwen2_5_vl"))
    assert sum(file.stat().st_size for file in folder.iterdir()) < 6_000_000
    backbone = Qwen25VL("mmie:toy/qwen2_5_vl")
    assert backbone.vision_features(draw_scene([("red", "heart", 0)])).shape == (16, 128)


@pytest.mark.slow
def test_pre_training_writes_a_checkpoint_that_loads(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(
        base, "build_model", lambda tokenizer: build_model(tokenizer, width=64, layers=1)
    )
    monkeypatch.setattr(
        base,
        "scene_lessons",
        lambda tokenizer, *, pool, **how: scene_lessons(tokenizer, pool=4, **how),
    )
    base.pretrain(tmp_path, steps=3, batch_size=2, lr=1e-3, seed=0)
    backbone = Qwen25VL(str(tmp_path))
    scene = draw_scene([("red", "heart", 0)])
    prompt = backbone.encode("text : wow .", [scene], [backbone.vision_features(scene)])
    assert len(prompt.features) == 16
