"""What the tiny model sees of MORE-R1's toy world: known words, and crops as they are opened."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest
from omegaconf import OmegaConf
from PIL import ImageChops

from mmie.data.pictures import open_picture
from mmie.distil.teacher import Request
from mmie.tasks.more.task import MORE
from mmie.tasks.more.toy_source import ToyMORESource
from mmie.tasks.more.toy_teacher import MORETemplateTeacher
from mmie.tasks.more.toy_world import MORE_LABELS
from mmie.tasks.responses import Reasoned
from mmie.toy.base import SPECIAL
from mmie.toy.drawing import HALF, draw_scene
from mmie.toy.tokenizer import CHATML, build_tokenizer
from mmie.types import Example

CONF = Path(__file__).parents[2] / "conf"
DIGITS = {f"<0x{ord(digit):02X}>" for digit in "123456"}
SLIVER = 0.01  # of the crop's pixels


@pytest.fixture(scope="module")
def train(tmp_path_factory: pytest.TempPathFactory) -> list[Example]:
    return ToyMORESource(images=tmp_path_factory.mktemp("images")).load("train")[:300]


@pytest.fixture(scope="module")
def task() -> MORE:
    told = OmegaConf.load(CONF / "tasks/more/prompts/more_toy.yaml").task
    form = Reasoned(OmegaConf.load(CONF / "profile/toy.yaml").reasoning_instruction)
    return MORE(labels=tuple(told.labels), response=form, instruction=told.instruction)


def bytes_in(*texts: str) -> set[str]:
    """The pieces of words that the base does not know, but for the digits of the steps."""
    tokenizer = build_tokenizer(
        SPECIAL, end="<|im_end|>", pad="<|endoftext|>", chat_template=CHATML
    )
    return {
        piece for text in texts for piece in tokenizer.tokenize(text) if piece.startswith("<0x")
    } - DIGITS


def test_the_toy_profile_has_the_labels_of_the_world(task: MORE) -> None:
    assert tuple(task.labels) == MORE_LABELS


def test_the_toy_prompt_is_of_words_that_the_base_knows(task: MORE, train: list[Example]) -> None:
    assert bytes_in(*(task.prompt(example) for example in train)) == set()


def test_responses_are_of_words_that_the_base_knows(task: MORE, train: list[Example]) -> None:
    teacher = MORETemplateTeacher(wrong_description=0.5, wrong_reason=0.5, broken_format=0.0)
    chains = [asyncio.run(teacher.ask(Request("distil", example, 0, ""))).text for example in train]
    assert (
        bytes_in(
            *(task.target(example, chain) for example, chain in zip(train, chains, strict=True))
        )
        == set()
    )
    assert bytes_in("say") == {"<0x73>", "<0x79>"}


def test_an_opened_crop_shows_its_icon_whole_and_a_sliver_of_the_others(
    train: list[Example],
) -> None:
    empty = draw_scene([])
    for example in train:
        whole, crop = (open_picture(picture, max_pixels=1 << 20) for picture in example.pictures)
        box = example.pictures[1].box
        assert box is not None
        assert crop.size == (HALF, HALF)
        assert crop.tobytes() == whole.crop(box).tobytes()
        icons = [tuple(icon) for icon in example.extra["icons"]]
        asked = [icon for icon in icons if icon[1] == example.extra["object"]]
        alone, others = draw_scene(asked), draw_scene([icon for icon in icons if icon not in asked])
        inside = empty.copy()
        inside.paste(alone.crop(box), box)
        assert inside.tobytes() == alone.tobytes()
        stray = ImageChops.difference(others.crop(box), empty.crop(box)).convert("L")
        assert HALF * HALF - stray.histogram()[0] < SLIVER * HALF * HALF
