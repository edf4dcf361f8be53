"""MORE-R1's toy world: labels that depend on the crop, known words, a teacher with set faults."""

from __future__ import annotations

import asyncio
import random
import re
from collections import Counter, defaultdict
from collections.abc import Callable, Hashable
from pathlib import Path

import pytest
from PIL import Image, ImageChops

from mmie.distil.chain_text import extract_chain
from mmie.distil.teacher import Request
from mmie.errors import InputError
from mmie.tasks.more.six_steps import SixStepsFilter
from mmie.tasks.more.steps import parse_steps
from mmie.tasks.more.task import MORE
from mmie.tasks.more.toy_source import SIZES, ToyMORESource
from mmie.tasks.more.toy_teacher import MORETemplateTeacher
from mmie.tasks.more.toy_world import (
    MORE_LABELS,
    OBJECTS,
    SAID,
    facts,
    label_of,
    make_more_scene,
    relations_between,
)
from mmie.tasks.responses import Reasoned
from mmie.toy.base import SPECIAL
from mmie.toy.drawing import DRAWERS, HALF, SIZE, draw_scene
from mmie.toy.tokenizer import CHATML, PUNCTUATION, build_tokenizer, world_words
from mmie.toy.words import NAMES
from mmie.types import Candidate, Example

SMALL = {"train": 61, "val": 17, "test": 26}
RIGHT = {"wrong_description": 0.0, "wrong_reason": 0.0, "broken_format": 0.0}


@pytest.fixture(scope="module")
def train(tmp_path_factory: pytest.TempPathFactory) -> list[Example]:
    return ToyMORESource(images=tmp_path_factory.mktemp("images")).load("train")


def kind_of(example: Example) -> str:
    return str(dict(example.extra["entities"])[example.extra["entity"]])


def ask(example: Example, candidate: int = 0, **rates: float) -> str:
    teacher = MORETemplateTeacher(seed=5, **{**RIGHT, **rates})
    return asyncio.run(teacher.ask(Request("distil", example, candidate, ""))).text


def steps_of(chain: str) -> list[str]:
    found = parse_steps(chain, steps=6)
    assert found is not None, chain
    return found


def best_share(examples: list[Example], seen: Callable[[Example], Hashable]) -> float:
    """How many a predictor has right that sees this and knows the best label for it."""
    labels: dict[Hashable, Counter[str]] = defaultdict(Counter)
    for example in examples:
        labels[seen(example)][example.gold] += 1
    return sum(max(found.values()) for found in labels.values()) / len(examples)


def test_the_world_says_all_labels_and_no_other() -> None:
    verbs = ["", *(verb for _, _, verb in SAID)]
    said = {label_of(icon, kind, verb) for icon in OBJECTS for kind in NAMES for verb in verbs}
    assert said == {*MORE_LABELS, "none"}
    assert set(OBJECTS) <= set(DRAWERS)
    MORE(labels=MORE_LABELS, response=Reasoned())


def test_labels_by_hand() -> None:
    assert label_of("heart", "per", "") == label_of("heart", "per", "joins") == "/per/per/couple"
    assert label_of("kite", "per", "") == label_of("kite", "per", "lives") == "/per/per/siblings"
    assert label_of("kite", "per", "joins") == "/per/per/peer"
    assert label_of("medal", "loc", "lives") == "/per/loc/residence"
    assert (
        label_of("star", "per", "joins")
        == label_of("house", "per", "")
        == label_of("heart", "misc", "wins")
        == "none"
    )
    assert relations_between("per", "misc") == ["awarded", "nationality"]
    assert relations_between("misc", "per") == []


def test_every_verb_turns_a_label() -> None:
    for (icon, kind, verb), relation in SAID.items():
        assert (
            label_of(icon, kind, verb)
            == f"/{OBJECTS[icon][0]}/{kind}/{relation}"
            != label_of(icon, kind, "")
        )


def test_the_label_hangs_on_the_crop(train: list[Example]) -> None:
    asked = defaultdict(set)
    for example in train:
        asked[example.text, example.extra["entity"]].add(example.gold)
    assert sum(len(labels) > 1 for labels in asked.values()) > 0.5 * len(asked)
    assert best_share(train, lambda e: (str(e.extra["icons"]), e.text, e.extra["entity"])) < 0.7
    assert best_share(train, lambda e: e.extra["object"]) < 0.5
    assert 0.95 < best_share(train, lambda e: (e.extra["object"], kind_of(e))) < 1
    assert best_share(train, lambda e: (e.extra["object"], kind_of(e), e.extra["verb"])) == 1


def test_every_label_comes_often_enough(train: list[Example]) -> None:
    counts = Counter(example.gold for example in train)
    assert len(train) == SIZES["train"] == 1600
    assert set(counts) == {*MORE_LABELS, "none"}
    assert min(counts.values()) >= 24
    assert 0.3 < counts["none"] / len(train) < 0.4


def test_scenes_hold_two_or_three_objects_and_one_to_three_entities() -> None:
    rng = random.Random(3)
    scenes = [make_more_scene(rng) for _ in range(400)]
    assert {len(scene.icons) for scene in scenes} == {2, 3}
    assert {len(scene.entities) for scene in scenes} == {1, 2, 3}
    for scene in scenes:
        assert (
            len({icon for _, icon, _ in scene.icons})
            == len({quadrant for _, _, quadrant in scene.icons})
            == len(scene.icons)
        )
        places = [scene.text.find(name) for name, _ in scene.entities]
        assert -1 not in places
        assert places == sorted(set(places))
        assert " ".join(scene.text.split()) == scene.text
        assert not scene.verb or f" {scene.verb} " in f" {scene.text} "
        pairs = [(fact.object, fact.entity) for fact in facts(scene, rng)]
        assert len(set(pairs)) == len(pairs) >= len(scene.icons)


def test_splits_are_reproducible_and_share_no_title(tmp_path: Path) -> None:
    source = ToyMORESource(seed=3, sizes=SMALL, images=tmp_path)
    splits = {split: source.load(split) for split in SMALL}
    assert {split: len(examples) for split, examples in splits.items()} == SMALL
    again = ToyMORESource(seed=3, sizes=SMALL, images=tmp_path)
    assert splits == {split: again.load(split) for split in SMALL}
    assert source.content() == again.content() != ToyMORESource(seed=4, sizes=SMALL).content()
    with pytest.raises(InputError, match="no split 'dev'"):
        source.load("dev")


@pytest.mark.parametrize("seed", [0, 1])
def test_no_title_comes_twice(seed: int) -> None:
    texts = [scene.text for split in SIZES for scene, _ in ToyMORESource(seed=seed).scenes(split)]
    assert len(set(texts)) == len(texts) > 400


def test_examples_carry_pictures_gold_and_scene(tmp_path: Path) -> None:
    source = ToyMORESource(seed=3, sizes=SMALL, images=tmp_path)
    examples = source.load("val")
    told = [(scene, fact, every) for scene, every in source.scenes("val") for fact in every]
    assert [example.id for example in examples] == [f"val-{number:05d}" for number in range(17)]
    assert len(list(tmp_path.rglob("*.png"))) == len(source.scenes("val")) < 17
    for example, (scene, fact, every) in zip(examples, told, strict=True):
        whole, crop = example.pictures
        assert whole.path is not None
        assert whole.path == crop.path
        assert (whole.box, crop.box) == (None, fact.box)
        assert Image.open(whole.path).tobytes() == draw_scene(scene.icons).tobytes()
        assert (example.text, example.gold) == (scene.text, fact.label)
        assert fact.label == label_of(fact.object, dict(scene.entities)[fact.entity], scene.verb)
        assert (example.extra["entity"], example.extra["object"]) == (fact.entity, fact.object)
        assert example.extra["entity_count"] == len({other.entity for other in every})
        assert example.extra["object_count"] == len({other.object for other in every})


def test_crops_hold_their_icon_whole_and_move(train: list[Example]) -> None:
    empty = draw_scene([])
    moves = set()
    for example in train[:300]:
        colour, icon, quadrant = next(
            found for found in example.extra["icons"] if found[1] == example.extra["object"]
        )
        left, upper, right, lower = example.pictures[1].box or (0, 0, 0, 0)
        inked = ImageChops.difference(draw_scene([(colour, icon, quadrant)]), empty).getbbox()
        assert inked is not None
        assert 0 <= left <= inked[0] < inked[2] <= right == left + HALF <= SIZE
        assert 0 <= upper <= inked[1] < inked[3] <= lower == upper + HALF <= SIZE
        moves |= {left - HALF * (quadrant % 2), upper - HALF * (quadrant // 2)}
    assert moves == {-3, -2, -1, 0, 1, 2, 3}


def test_all_texts_are_of_words_that_the_base_knows(train: list[Example]) -> None:
    known = {*world_words(), *PUNCTUATION, *"123456"}
    tokenizer = build_tokenizer(
        SPECIAL, end="<|im_end|>", pad="<|endoftext|>", chat_template=CHATML
    )
    digits = {f"<0x{ord(digit):02X}>" for digit in "123456"}
    for example in train:
        for text in (
            example.text,
            example.gold,
            ask(example),
            ask(example, wrong_description=1.0, wrong_reason=1.0),
        ):
            assert {
                part
                for word in text.split()
                for part in re.findall(r"\w+|/" if "/" in word else r"\S+", word)
            } <= known
            pieces = tokenizer.tokenize(text)
            assert {piece for piece in pieces if piece.startswith("<0x")} <= digits
    lengths = [len(tokenizer.tokenize(ask(example))) for example in train]
    assert 50 < min(lengths) < max(lengths) < 90


def test_a_chain_by_hand() -> None:
    extra = {
        "entity": "Elm Bay",
        "object": "medal",
        "entity_count": 1,
        "object_count": 2,
        "verb": "lives",
        "icons": [["red", "heart", 0], ["blue", "medal", 2]],
        "entities": [["Ann Lee", "per"], ["Elm Bay", "loc"]],
    }
    example = Example("x", "Ann Lee lives Elm Bay", (), "/per/loc/residence", extra)
    assert ask(example) == (
        "step 1 : a red heart , a blue medal . the crop is a blue medal . "
        "step 2 : match , the text says lives . step 3 : no name is the object . "
        "step 4 : object per , Elm Bay loc . step 5 : residence , birth , none . "
        "step 6 : medal and loc and lives means residence ."
    )


def test_none_has_types_without_a_label() -> None:
    extra = {
        "entity": "Ann Lee",
        "object": "star",
        "verb": "",
        "icons": [["red", "star", 0]],
        "entities": [["Ann Lee", "per"]],
    }
    steps = steps_of(ask(Example("x", "Ann Lee", (), "none", extra)))
    assert steps[1] == "no match , the text says Ann Lee ."
    assert steps[3:] == ["object misc , Ann Lee per .", "none .", "star and per means none ."]


def test_a_teacher_without_faults_is_always_right(train: list[Example]) -> None:
    for example in train:
        chain = ask(example)
        steps = steps_of(chain)
        relation = example.gold.rpartition("/")[2]
        assert extract_chain(chain) == chain
        assert steps[5].endswith(f" means {relation} .")
        assert relation in steps[4].split()
        assert (
            f"object {OBJECTS[example.extra['object']][0]} , "
            f"{example.extra['entity']} {kind_of(example)} ." == steps[3]
        )
        assert re.search(rf"the crop is a \w+ {example.extra['object']} \.$", steps[0])


def test_a_wrong_description_misnames_one_icon(train: list[Example]) -> None:
    for example in train[:200]:
        right, wrong = (
            steps_of(ask(example, wrong_description=rate))[0].partition(" . ")[0].split(" , ")
            for rate in (0.0, 1.0)
        )
        assert sum(one != other for one, other in zip(right, wrong, strict=True)) == 1


def test_a_wrong_reason_decides_wrongly(train: list[Example]) -> None:
    for example in train:
        right, wrong = steps_of(ask(example)), steps_of(ask(example, wrong_reason=1.0))
        assert right[:5] == wrong[:5]
        assert right[5] != wrong[5]
        assert wrong[4] == "none ." or wrong[5].split()[-2] in wrong[4].split()


def test_a_broken_chain_is_caught_by_the_rule_filter(train: list[Example]) -> None:
    broken = [ask(example, broken_format=1.0) for example in train[:200]]
    assert {sum(f"step {number} :" in chain for number in range(1, 7)) for chain in broken} == {5}
    assert {
        number for number in range(1, 7) for chain in broken if f"step {number} :" not in chain
    } == set(range(1, 7))
    chains = [*broken, ask(train[0])]
    candidates = [Candidate("x", index, chain) for index, chain in enumerate(chains)]
    assert SixStepsFilter(steps=6)(candidates, {}) == candidates[-1:]


@pytest.mark.parametrize("kind", sorted(RIGHT))
def test_faults_come_at_their_rates_and_belong_to_the_candidate(
    train: list[Example], kind: str
) -> None:
    wrong = [
        [ask(example, candidate, **{kind: 0.1}) != ask(example) for example in train]
        for candidate in (0, 1)
    ]
    assert all(0.07 < sum(found) / len(found) < 0.13 for found in wrong)
    assert wrong[0] != wrong[1]
    assert [ask(example, 1, **{kind: 0.1}) != ask(example) for example in train] == wrong[1]


def test_it_knows_only_its_own_world() -> None:
    with pytest.raises(
        InputError, match="sample train-1: teacher=more_toy knows its own toy world only"
    ):
        ask(
            Example(
                "train-1",
                "Browns place Josh Gordon",
                (),
                "none",
                {"entity": "Browns", "object": "person"},
            )
        )
    with pytest.raises(InputError, match=r"teacher.wrong_reason=1.5: a share between 0 and 1"):
        MORETemplateTeacher(wrong_description=0, wrong_reason=1.5, broken_format=0)
    teacher = MORETemplateTeacher(
        seed=2, wrong_description=0.0, wrong_reason=0.25, broken_format=0.0
    )
    assert dict(teacher.parameters) == {"seed": 2, **RIGHT, "wrong_reason": 0.25}
