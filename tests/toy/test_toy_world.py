"""The generated world: coherent scenes, distinct pictures, splits that share nothing."""

from __future__ import annotations

import random
from collections import Counter
from dataclasses import replace
from itertools import combinations, permutations
from pathlib import Path

import pytest
from PIL import Image, ImageChops

from helpers.labels import RELATIONS
from mmie.errors import InputError
from mmie.tasks.jmere.toy_source import ToySource
from mmie.toy import words
from mmie.toy.drawing import DRAWERS, HALF, draw_scene
from mmie.toy.world import Scene, describe, fact_of, is_new, link, make_scene, meaning, reason
from mmie.types import Quintuple

SMALL = {"train": 60, "val": 15, "test": 25}


@pytest.fixture(scope="module")
def scenes() -> list[Scene]:
    rng = random.Random(11)
    return [make_scene(rng) for _ in range(3000)]


def test_scenes_are_reproducible() -> None:
    assert [make_scene(random.Random(seed)) for seed in range(5)] == [
        make_scene(random.Random(seed)) for seed in range(5)
    ]
    assert make_scene(random.Random(0)) != make_scene(random.Random(1))


def test_every_quintuple_is_one_of_the_world_and_of_the_task(scenes: list[Scene]) -> None:
    allowed = {relation.replace("_", " "): pairs for relation, pairs in RELATIONS.items()}
    seen = set()
    for scene in scenes:
        for head, head_type, tail, tail_type, relation in scene.quintuples:
            assert relation in words.RELATIONS[head_type, tail_type]
            assert f"{head_type}-{tail_type}" in allowed[relation]
            assert head != tail
            seen.add((head_type, tail_type, relation))
    assert seen == {
        (*pair, relation) for pair, relations in words.RELATIONS.items() for relation in relations
    }


def test_entities_stand_in_the_tweet_in_their_order(scenes: list[Scene]) -> None:
    for scene in scenes:
        places = [scene.text.find(name) for name, _ in scene.entities]
        assert -1 not in places
        assert places == sorted(places)
        assert len(dict(scene.entities)) == len(scene.entities)
        for quintuple in scene.quintuples:
            assert {
                (quintuple.head, quintuple.head_type),
                (quintuple.tail, quintuple.tail_type),
            } <= set(scene.entities)
        assert " ".join(scene.text.split()) == scene.text


def test_each_name_wears_the_colour_of_one_icon(scenes: list[Scene]) -> None:
    for scene in scenes:
        shown = {(colour, icon) for colour, icon, _ in scene.icons}
        assert set(scene.badges) <= shown
        assert len(set(scene.badges)) == len(scene.entities)
        for (name, _), (colour, _) in zip(scene.entities, scene.badges, strict=True):
            assert f"{name} in {colour}" in scene.text


def test_two_moods_in_their_order_tell_the_relation(scenes: list[Scene]) -> None:
    """A verb, where there is one, says the same."""
    said = 0
    for scene in scenes:
        for fact in scene.facts:
            head, head_type, tail, tail_type, relation = fact.quintuple
            icons = tuple(scene.badge_of[name][1] for name in (head, tail))
            assert fact.icons == icons
            moods = [words.MOOD_OF[icon] for icon in icons]
            assert meaning(*moods, (head_type, tail_type)) == relation
            if fact.verb:
                assert words.RELATIONS[head_type, tail_type][relation] == fact.verb
                assert f" {fact.verb} " in scene.text
                said += 1
    assert 0.1 < said / sum(len(scene.facts) for scene in scenes) < 0.25


def test_every_icon_has_one_mood() -> None:
    assert sorted(words.MOOD_OF) == sorted(words.ICONS)
    assert sum(len(icons) for icons in words.MOODS.values()) == len(words.ICONS)


@pytest.mark.parametrize("pair", words.RELATIONS)
def test_one_mood_alone_tells_nothing(pair: tuple[str, str]) -> None:
    """Whatever the mood of one end, all relations of the types are equally frequent."""
    often = len(words.MOODS) // len(words.RELATIONS[pair])
    for mood in words.MOODS:
        for told in ([(mood, o) for o in words.MOODS], [(o, mood) for o in words.MOODS]):
            counts = Counter(meaning(*moods, pair) for moods in told)
            assert counts == dict.fromkeys(words.RELATIONS[pair], often)


def test_the_order_of_two_moods_matters() -> None:
    for one, other in permutations(words.MOODS, 2):
        assert words.TABLE[one][other] != words.TABLE[other][one]


def test_some_pairs_of_icons_are_not_in_the_training_split() -> None:
    source = ToySource()
    shares = {}
    for split in ("train", "val", "test"):
        facts = [fact for scene in source.scenes(split) for fact in scene.facts]
        shares[split] = sum(is_new(*fact.icons) for fact in facts) / len(facts)
    assert shares["train"] == 0
    assert shares["val"] > 0.1
    assert shares["test"] > 0.1


def test_icons_stand_in_different_quadrants(scenes: list[Scene]) -> None:
    for scene in scenes:
        quadrants = [quadrant for _, _, quadrant in scene.icons]
        assert quadrants == sorted(set(quadrants))
        assert len({icon for _, icon, _ in scene.icons}) == len(scene.icons)
        assert len({colour for colour, _, _ in scene.icons}) == len(scene.icons)
        assert len(scene.icons) in (3, 4)
        assert all(colour in words.COLOURS for colour, _, _ in scene.icons)


def test_a_given_picture_stays(scenes: list[Scene]) -> None:
    rng = random.Random(0)
    assert all(make_scene(rng, scene.icons).icons == scene.icons for scene in scenes[:50])


def test_names_of_two_types_never_look_alike() -> None:
    halves = {kind: set(first) | set(second) for kind, (first, second) in words.NAMES.items()}
    full = {
        kind: {f"{one} {two}" for one in first for two in second}
        for kind, (first, second) in words.NAMES.items()
    }
    assert all(len(half) >= 16 for half in halves.values())
    assert all(not full[one] & full[other] for one, other in combinations(full, 2))


def test_describe_names_the_icons_in_reading_order() -> None:
    assert describe((("red", "heart", 0), ("blue", "boat", 3))) == "a red heart , a blue boat"


def test_a_chain_says_icon_and_mood_of_each_name() -> None:
    assert link({"Ann Lee": ("red", "kite"), "Bob Ray": ("blue", "ring")}) == (
        "Ann Lee red kite fun ; Bob Ray blue ring love"
    )
    fact = fact_of(Quintuple("Ann Lee", "per", "Bob Ray", "per", ""), "kite", "ring")
    assert fact.quintuple.relation == "siblings"
    assert reason(fact) == "Ann Lee per fun and Bob Ray per love means siblings"
    assert reason(replace(fact, verb="hugs")) == "Ann Lee per hugs Bob Ray per means siblings"


def test_all_icons_look_different_in_every_colour() -> None:
    assert set(DRAWERS) == set(words.ICONS)
    drawn = {
        (icon, colour): draw_scene([(colour, icon, 0)])
        for icon in words.ICONS
        for colour in words.COLOURS
    }
    for one, other in combinations(drawn.values(), 2):
        box = ImageChops.difference(one, other).getbbox()
        assert box is not None
    shapes = [
        draw_scene([("black", icon, 0)]).convert("L").point(lambda value: 255 * (value < 128))
        for icon in words.ICONS
    ]
    for one, other in combinations(shapes, 2):
        assert sum(ImageChops.difference(one, other).histogram()[1:]) > 150  # pixels, of 56 x 56


@pytest.mark.parametrize("icon", words.ICONS)
def test_an_icon_stays_in_its_quadrant(icon: str) -> None:
    empty = draw_scene([])
    assert empty.size == (112, 112)
    for quadrant in range(4):
        box = ImageChops.difference(draw_scene([("black", icon, quadrant)]), empty).getbbox()
        row, column = divmod(quadrant, 2)
        assert box is not None
        assert column * HALF <= box[0] < box[2] <= (column + 1) * HALF
        assert row * HALF <= box[1] < box[3] <= (row + 1) * HALF


def test_splits_are_reproducible_and_share_no_tweet() -> None:
    source = ToySource(seed=3, sizes=SMALL)
    splits = {split: source.scenes(split) for split in SMALL}
    assert {split: len(scenes) for split, scenes in splits.items()} == SMALL
    assert splits == {split: ToySource(seed=3, sizes=SMALL).scenes(split) for split in SMALL}
    texts = [scene.text for scenes in splits.values() for scene in scenes]
    assert len(set(texts)) == 100
    assert ToySource(seed=4, sizes=SMALL).scenes("test") != splits["test"]
    with pytest.raises(InputError, match="no split 'dev'"):
        source.scenes("dev")


def test_the_default_splits_share_no_tweet() -> None:
    texts = [
        {scene.text for scene in ToySource().scenes(split)} for split in ("train", "val", "test")
    ]
    assert [len(part) for part in texts] == [600, 200, 400]
    assert not texts[0] & texts[1] | texts[0] & texts[2] | texts[1] & texts[2]


def test_examples_carry_text_picture_gold_and_scene(tmp_path: Path) -> None:
    source = ToySource(seed=3, sizes=SMALL, images=tmp_path)
    examples, scenes = source.load("val"), source.scenes("val")
    assert [example.id for example in examples] == [f"val-{number:05d}" for number in range(15)]
    for example, scene in zip(examples, scenes, strict=True):
        assert (example.text, example.gold) == (scene.text, scene.quintuples)
        assert [tuple(icon) for icon in example.extra["icons"]] == list(scene.icons)
        with Image.open(example.pictures[0].path) as picture:
            assert (
                ImageChops.difference(picture.convert("RGB"), draw_scene(scene.icons)).getbbox()
                is None
            )


def test_two_data_sets_keep_their_own_pictures(tmp_path: Path) -> None:
    """The training split of another size holds other scenes under the same names."""
    first = ToySource(seed=3, sizes=SMALL, images=tmp_path).load("train")
    before = [example.pictures[0].path.read_bytes() for example in first]
    ToySource(seed=3, sizes={**SMALL, "val": 16}, images=tmp_path).load("train")
    assert [example.pictures[0].path.read_bytes() for example in first] == before


def test_content_tells_data_sets_apart() -> None:
    marks = {
        ToySource(seed=seed, sizes={**SMALL, "val": count}).content()
        for seed in (0, 1)
        for count in (15, 16)
    }
    assert len(marks) == 4
    assert (
        ToySource(seed=0, sizes=SMALL).content()
        == ToySource(seed=0, sizes=SMALL, images="elsewhere").content()
    )
