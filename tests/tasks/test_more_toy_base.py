"""What MORE's tiny base is taught, and the base that is shipped for it."""

from __future__ import annotations

import random
from pathlib import Path

import pytest
import torch
from PIL import Image
from transformers import AutoTokenizer

from mmie.models.backbone import resolve_path
from mmie.models.qwen2_5_vl import Qwen25VL
from mmie.tasks.more.toy_base import KINDS, make_object_lesson, object_lessons
from mmie.tasks.more.toy_world import MORE_LABELS, MoreScene, crop_of, make_more_scene
from mmie.toy.base import build_model, positions
from mmie.toy.drawing import draw_scene
from mmie.toy.words import ICONS

SHIPPED = resolve_path("mmie:toy/qwen2_5_vl_more")


@pytest.fixture(scope="module")
def lessons() -> list[tuple[MoreScene, int, str, str]]:
    rng = random.Random(4)
    found = []
    for _ in range(400):
        scene = make_more_scene(rng)
        place = rng.randrange(len(scene.icons))
        found.append((scene, place, *make_object_lesson(rng, scene, place, set())))
    return found


def test_held_out_titles_do_not_come_up() -> None:
    rng, again = random.Random(1), random.Random(1)
    held_out = {make_more_scene(again).text for _ in range(300)}
    scene = make_more_scene(random.Random(2))
    questions = [make_object_lesson(rng, scene, 0, held_out)[0] for _ in range(300)]
    assert not [
        title
        for title in held_out
        if any(f"text : {title} ." in question for question in questions)
    ]


def test_no_lesson_is_the_task(lessons: list[tuple[MoreScene, int, str, str]]) -> None:
    """No label but in lists to copy, no relation of a picture, no object's type."""
    assert sum(KINDS.values()) == pytest.approx(1)
    for _, _, question, response in lessons:
        if not question.startswith(("copy", "text")):
            assert "/" not in response
        for label in MORE_LABELS:
            assert label not in response or label in question
        assert "object per" not in response
        assert not [icon for icon in ICONS if f"{icon} means" in response]


def test_the_object_is_described_as_it_is(lessons: list[tuple[MoreScene, int, str, str]]) -> None:
    described = [
        (scene, place, response)
        for scene, place, question, response in lessons
        if question == "describe the object ."
    ]
    assert len(described) > 50
    for scene, place, response in described:
        colour, icon, _ = scene.icons[place]
        assert response == f"a {colour} {icon}"


def test_given_positions_are_the_models_own() -> None:
    torch.manual_seed(0)
    tokenizer = AutoTokenizer.from_pretrained(SHIPPED)
    model = build_model(tokenizer).eval()
    batch = next(object_lessons(tokenizer, pool=3, seed=0, size=3))
    own = model(**batch, use_cache=False).loss
    given = model(**batch, position_ids=positions(model, batch), use_cache=False).loss
    torch.testing.assert_close(own, given)


def test_the_shipped_base_sees_objects_and_knows_no_label() -> None:
    """It names the cropped icon in most cases, and writes no label to the task's question."""
    backbone = Qwen25VL("mmie:toy/qwen2_5_vl_more")
    rng = random.Random(9)
    right, labels = 0, 0
    for _ in range(20):
        scene = make_more_scene(rng)
        colour, icon, quadrant = rng.choice(scene.icons)
        picture = draw_scene(scene.icons)
        shown = [picture, picture.crop(crop_of(icon, quadrant, rng))]
        right += answer(backbone, "describe the object .", shown) == f"a {colour} {icon}"
        name = scene.entities[0][0]
        labels += (
            answer(
                backbone,
                f"text : {scene.text} . what is the relation of the object and {name} ?",
                shown,
            )
            in MORE_LABELS
        )
    assert right >= 15
    assert labels == 0


@torch.no_grad()
def answer(backbone: Qwen25VL, question: str, shown: list[Image.Image]) -> str:
    prompt = backbone.encode(question, shown, [backbone.vision_features(part) for part in shown])
    ids = prompt.ids[None]
    pixels = backbone.processor(images=shown, return_tensors="pt")
    kinds = (ids == backbone.model.config.image_token_id).int()
    out = backbone.model.generate(
        input_ids=ids, mm_token_type_ids=kinds, **pixels, max_new_tokens=12, do_sample=False
    )
    return backbone.tokenizer.decode(out[0, ids.shape[1] :], skip_special_tokens=True)


def test_the_shipped_folder_is_small() -> None:
    assert sum(path.stat().st_size for path in Path(SHIPPED).iterdir()) < 3 << 20
