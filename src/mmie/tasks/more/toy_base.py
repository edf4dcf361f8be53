"""Teaches the tiny base what MORE's toy world asks for in addition.

That is prompts with two pictures, numbered steps, and slashes.

    python -m mmie.tasks.more.toy_base OUT [--steps 3000]

It starts from the shipped base. The checkpoint that MORE's toy profile loads was made by this
command with its defaults, from the base of an earlier world of JMERE. Only skills are taught, never
the task: no lesson says an object's type or a relation of a picture, and no title of the toy data
comes up.
"""

from __future__ import annotations

import random
from collections.abc import Collection, Iterator
from typing import Any

import torch
from torch import Tensor
from transformers import AutoTokenizer, PreTrainedTokenizerFast, Qwen2_5_VLForConditionalGeneration

from mmie.data.source import SPLITS
from mmie.models.backbone import resolve_path
from mmie.tasks.more.toy_source import ToyMORESource
from mmie.tasks.more.toy_world import MoreScene, crop_of, make_more_scene
from mmie.toy import words
from mmie.toy.base import argument_parser, encode_picture, lesson_batches, save, teach
from mmie.toy.drawing import SIZE, draw_scene
from mmie.toy.lessons import THINK_FIRST
from mmie.toy.tokenizer import world_words
from mmie.toy.world import describe

PLAIN = [word for word in world_words() if word.isalpha()]
OBJECT_SIZE = 56
KINDS = {"picture": 0.15, "object": 0.2, "name": 0.2, "copy": 0.25, "steps": 0.2}


def make_object_lesson(
    rng: random.Random, scene: MoreScene, place: int, held_out: Collection[str]
) -> tuple[str, str]:
    """A question about a picture and its object number ``place``, and the response to learn."""
    kind = rng.choices(list(KINDS), list(KINDS.values()))[0]
    crop = [f"a {colour} {icon}" for colour, icon, _ in scene.icons][place]
    tweet = make_more_scene(rng)
    while tweet.text in held_out:
        tweet = make_more_scene(rng)
    if kind == "picture":
        return "describe the picture .", describe(scene.icons)
    if kind == "object":
        return "describe the object .", crop
    if kind == "name":
        entities = ", ".join(f"[{name}, {type_}]" for name, type_ in tweet.entities)
        return f"text : {tweet.text} . name the entities .", entities
    if kind == "copy":
        listed = _entries(rng)
        return f"copy the list : {' ; '.join(listed)} .", f"[{', '.join(listed)}]"
    name, type_ = rng.choice(tweet.entities)
    seen = [describe(scene.icons), f"the crop is {crop}", f"{name} {type_}"]
    parts = [*seen[:2], f"the text says {name}", seen[2]]
    parts = rng.sample([*parts, *_entries(rng)], 6)
    chain = " ".join(f"step {number} : {part} ." for number, part in enumerate(parts, start=1))
    asked = " ; ".join(part for part in parts if part not in seen)
    question = f"text : {tweet.text} . step list : {asked} . {THINK_FIRST}"
    return question, f"<think> {chain} </think> <answer> {crop} </answer>"


def _entries(rng: random.Random) -> list[str]:
    """Two to five entries: words, names, and rows of words with slashes, which mean nothing."""
    entries = []
    for _ in range(rng.randint(2, 5)):
        first, second = words.NAMES[rng.choice(list(words.NAMES))]
        name = f"{rng.choice(first)} {rng.choice(second)}"
        word = rng.choice(PLAIN)
        path = "".join(f"/{rng.choice(PLAIN)}" for _ in range(3))
        entries.append(rng.choice([name, word, path]))
    return entries


def object_lessons(
    tokenizer: PreTrainedTokenizerFast, *, pool: int, seed: int, size: int
) -> Iterator[dict[str, Tensor]]:
    """Batches of lessons about ``pool`` pictures with one object each."""
    rng, source = random.Random(f"object-lessons-{seed}"), ToyMORESource(seed=0)
    held_out = {scene.text for split in SPLITS for scene, _ in source.scenes(split)}
    shown = [_draw(rng) for _ in range(pool)]

    def lesson(subject: tuple[MoreScene, int]) -> tuple[str, str]:
        return make_object_lesson(rng, *subject, held_out)

    sides = [SIZE, OBJECT_SIZE]
    return lesson_batches(tokenizer, shown, lesson, rng=rng, sides=sides, size=size)


def _draw(rng: random.Random) -> tuple[tuple[MoreScene, int], Tensor]:
    """A scene with the number of one object, and the patches of its picture and of the object."""
    scene = make_more_scene(rng)
    place = rng.randrange(len(scene.icons))
    _, icon, quadrant = scene.icons[place]
    picture, box = draw_scene(scene.icons), crop_of(icon, quadrant, rng)
    cut = picture.crop(box).resize((OBJECT_SIZE, OBJECT_SIZE))
    return (scene, place), encode_picture(picture, cut)


def main() -> None:
    arguments = argument_parser(__doc__, batch_size=24, lr=1e-3).parse_args()
    torch.manual_seed(arguments.seed)
    base = resolve_path("mmie:toy/qwen2_5_vl")
    tokenizer: Any = AutoTokenizer.from_pretrained(base)
    model = Qwen2_5_VLForConditionalGeneration.from_pretrained(base, dtype=torch.float32)
    size = arguments.batch_size
    lessons = object_lessons(tokenizer, pool=3000, seed=arguments.seed, size=size)
    teach(model.train(), lessons, steps=arguments.steps, lr=arguments.lr)
    save(model, tokenizer, arguments.out)


if __name__ == "__main__":
    main()
