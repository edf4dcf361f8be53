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
from mmie.toy.world import describe, make_scene, meaning

RELATION_NAMES = {relation for relations in words.RELATIONS.values() for relation in relations}
TWEET = re.compile(r"text : (.*) \. (?:name the entities|link the names|extract the quintuples) \.")


@pytest.fixture(scope="module")
def held_out() -> set[str]:
    """Tweets that come up again and again: every lesson has to avoid them."""
    rng = random.Random(0)
    return {scene.text for scene in (make_scene(rng) for _ in range(400))}


@pytest.fixture(scope="module")
def lessons(held_out: set[str]) -> list[Lesson]:
    rng, again = random.Random(1), random.Random(0)
    return [make_lesson(rng, make_scene(again), held_out) for _ in range(400)]


LINKED = re.compile(r"(\w+ \w+) \w+ (\w+) (\w+)(?= [;.])")
REASON = re.compile(
    r"(\w+ \w+) (per|org|loc|misc) (\w+) and (\w+ \w+) (per|org|loc|misc) (\w+)"
    r" means (.+?)(?= [;.])"
)
STARTS = {
    "describe the": "describe",
    "copy the list": "copy",
    "link :": "reason",
    "reason :": "write",
}
ENDS = {"name the entities": "name", "link the names": "link", "extract the quintuples": "form"}


def kind_of(lesson: Lesson) -> str:
    question = lesson.question.removesuffix(" think then answer .").removesuffix(" .")
    kinds = [kind for start, kind in STARTS.items() if question.startswith(start)]
    kinds += [kind for end, kind in ENDS.items() if question.endswith(end)]
    return kinds[0] if kinds else "ask"


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


def test_no_lesson_goes_from_a_picture_to_a_relation(lessons: list[Lesson]) -> None:
    """A relation is read off moods that the question tells, is told itself, or is any word.

    In the task's own words, the whole reasoning is told or the relation is drawn.
    """
    for lesson in lessons:
        told = kind_of(lesson) in ("reason", "write", "form", "copy")
        found = [name for name in RELATION_NAMES if re.search(rf"\b{name}\b", lesson.response)]
        assert told or not found, lesson
        if "extract the quintuples" in lesson.question:
            assert kind_of(lesson) in ("write", "form")


def test_the_form_of_an_answer_is_shown_with_any_relation() -> None:
    """Neither the relation nor the order of the names says anything about the tweet."""
    rng = random.Random(2)
    answers = []
    while len(answers) < 300:
        lesson = make_lesson(rng, make_scene(rng), set())
        if kind_of(lesson) == "form":
            answers.append((lesson, lesson.response.rpartition("[")[2].partition("]")[0]))
    fits, in_order = 0, 0
    for lesson, answer in answers:
        head, head_type, tail, tail_type, relation = answer.split(", ")
        fits += relation in words.RELATIONS.get((head_type, tail_type), {})
        in_order += lesson.question.index(head) < lesson.question.index(tail)
    assert fits / len(answers) < 0.25
    assert 0.4 < in_order / len(answers) < 0.6


def test_responses_are_right(lessons: list[Lesson]) -> None:
    for lesson in lessons:
        icons = {icon: colour for colour, icon, _ in lesson.scene.icons}
        colours = {colour: icon for icon, colour in icons.items()}
        answer = lesson.response.removesuffix(" </answer>").rpartition("<answer> ")[2]
        if kind_of(lesson) in ("name", "link", "ask", "form") and "<think>" in lesson.response:
            assert lesson.response.startswith(f"<think> picture : {describe(lesson.scene.icons)} .")
        match [kind_of(lesson), *lesson.question.split()]:
            case ["describe", *_]:
                assert answer == describe(lesson.scene.icons)
            case ["ask", "what", "colour", "is", "the", icon, *_]:
                assert answer == icons[icon]
            case ["ask", "is", "there", "a", icon, *_]:
                assert answer == ("yes" if icon in icons else "no")
            case ["copy", "copy", "the", "list", ":", *listed]:
                assert answer == f"[{' '.join(listed).removesuffix(' .').replace(' ; ', ', ')}]"
            case ["name", *_]:
                names = re.findall(r"\[([^,\]]+), (per|org|loc|misc)\]", answer)
                assert 2 <= len(names) <= 3
                assert all(name in lesson.question for name, _ in names)
            case ["link", *_]:
                for one in answer.split(" ; "):
                    name, colour, icon, mood = one.rsplit(" ", 3)
                    assert f"{name} in {colour}" in lesson.question
                    assert (colours[colour], words.MOOD_OF[icon]) == (icon, mood)
            case ["reason", *_]:
                mood_of = {name: mood for name, _, mood in LINKED.findall(lesson.question)}
                clauses = REASON.findall(lesson.response)
                assert clauses
                for head, head_type, head_mood, tail, tail_type, tail_mood, relation in clauses:
                    assert (mood_of[head], mood_of[tail]) == (head_mood, tail_mood)
                    assert relation == meaning(head_mood, tail_mood, (head_type, tail_type))
            case ["write", *_]:
                told = [
                    [head, head_type, tail, tail_type, relation]
                    for head, head_type, _, tail, tail_type, _, relation in REASON.findall(
                        lesson.question
                    )
                ]
                assert answer == f"[{'], ['.join(', '.join(one) for one in told)}]"


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


def test_an_earlier_base_is_taken_over_word_by_word(tmp_path: Path) -> None:
    """Its words stand in another order, and it lacks one."""
    how = {"end": "<|im_end|>", "pad": "<|endoftext|>", "chat_template": CHATML}
    now, then = (build_tokenizer(markers, **how) for markers in (["<|new|>", *SPECIAL], SPECIAL))
    earlier, model = (build_model(words_of, width=64, layers=1) for words_of in (then, now))
    base.save(earlier, then, tmp_path)
    missing = now.get_vocab()["<|new|>"]
    before = model.get_input_embeddings().weight[missing].clone()
    base.take_over(model, now, tmp_path)
    for word in ("▁kite", "Ann", "<|im_end|>"):
        mine, other = now.get_vocab()[word], then.get_vocab()[word]
        taken = model.get_input_embeddings().weight[mine]
        assert torch.equal(taken, earlier.get_input_embeddings().weight[other].bfloat16().float())
    assert now.get_vocab()["▁kite"] != then.get_vocab()["▁kite"]
    assert torch.equal(model.get_input_embeddings().weight[missing], before)
    name = "model.language_model.layers.0.mlp.up_proj.weight"
    assert torch.equal(model.state_dict()[name], earlier.state_dict()[name].bfloat16().float())


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
