"""Teaches the tiny base what MORE's toy world asks for beyond JMERE's: two pictures a prompt, numbered steps, slashes.

    python -m mmie.tasks.more.toy_base OUT [--steps 3000]

Starts from the shipped base; the checkpoint that MORE's toy profile loads was made by this command with its defaults. Only skills
are taught, never the task: no lesson says an object's type or a relation of a picture, and no title of the toy data comes up.
"""

from __future__ import annotations

import argparse
import random
from collections.abc import Collection, Iterator
from pathlib import Path
from typing import Any

import torch
from torch import Tensor
from torch.nn.utils.rnn import pad_sequence
from transformers import AutoTokenizer, PreTrainedTokenizerFast, Qwen2_5_VLForConditionalGeneration

from mmie.models.backbone import resolve_path
from mmie.tasks.more.toy_source import ToyMORESource
from mmie.tasks.more.toy_world import Box, MoreScene, crop_of, make_more_scene
from mmie.toy import words
from mmie.toy.base import image_processor, save, teach
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
    shown = [f"a {colour} {icon}" for colour, icon, _ in scene.icons]
    tweet = make_more_scene(rng)
    while tweet.text in held_out:
        tweet = make_more_scene(rng)
    if kind == "picture":
        return "describe the picture .", describe(scene.icons)
    if kind == "object":
        return "describe the object .", shown[place]
    if kind == "name":
        return f"text : {tweet.text} . name the entities .", ", ".join(
            f"[{name}, {type_}]" for name, type_ in tweet.entities
        )
    if kind == "copy":
        listed = _entries(rng)
        return f"copy the list : {' ; '.join(listed)} .", f"[{', '.join(listed)}]"
    name, type_ = rng.choice(tweet.entities)
    parts = [
        describe(scene.icons),
        f"the crop is {shown[place]}",
        f"the text says {name}",
        f"{name} {type_}",
    ]
    parts = rng.sample([*parts, *_entries(rng)], 6)
    chain = " ".join(f"step {number} : {part} ." for number, part in enumerate(parts, start=1))
    asked = " ; ".join(
        part
        for part in parts
        if part not in (describe(scene.icons), f"the crop is {shown[place]}", f"{name} {type_}")
    )
    return (
        f"text : {tweet.text} . step list : {asked} . {THINK_FIRST}",
        f"<think> {chain} </think> <answer> {shown[place]} </answer>",
    )


def _entries(rng: random.Random) -> list[str]:
    """Two to five entries: words, names, and rows of words with slashes, which mean nothing."""
    entries = []
    for _ in range(rng.randint(2, 5)):
        first, second = words.NAMES[rng.choice(list(words.NAMES))]
        entries.append(
            rng.choice(
                [
                    f"{rng.choice(first)} {rng.choice(second)}",
                    rng.choice(PLAIN),
                    "".join(f"/{rng.choice(PLAIN)}" for _ in range(3)),
                ]
            )
        )
    return entries


class ObjectLessons:
    """Endless batches about a fixed pool of pictures with one object each."""

    def __init__(self, tokenizer: PreTrainedTokenizerFast, *, pool: int, seed: int) -> None:
        self.tokenizer = tokenizer
        self.rng = random.Random(f"object-lessons-{seed}")
        source = ToyMORESource(seed=0)
        self.held_out = {
            scene.text for split in ("train", "val", "test") for scene, _ in source.scenes(split)
        }
        self.shown = [self._draw() for _ in range(pool)]

    def _draw(self) -> tuple[MoreScene, int, Tensor]:
        scene = make_more_scene(self.rng)
        place = self.rng.randrange(len(scene.icons))
        _, icon, quadrant = scene.icons[place]
        picture, box = draw_scene(scene.icons), crop_of(icon, quadrant, self.rng)
        return scene, place, _pixels(picture, box)

    def batches(self, size: int) -> Iterator[dict[str, Tensor]]:
        while True:
            yield self._collate(self.rng.choices(self.shown, k=size))

    def _collate(self, chosen: list[tuple[MoreScene, int, Tensor]]) -> dict[str, Tensor]:
        counts = [(side // 28) ** 2 for side in (SIZE, OBJECT_SIZE)]
        images = "".join(
            f"<|vision_start|>{'<|image_pad|>' * count}<|vision_end|>" for count in counts
        )
        lessons = [
            make_object_lesson(self.rng, scene, place, self.held_out) for scene, place, _ in chosen
        ]
        prompts = [
            f"<|im_start|>user\n{images}{question}<|im_end|>\n<|im_start|>assistant\n"
            for question, _ in lessons
        ]
        asked = self.tokenizer(prompts, add_special_tokens=False)["input_ids"]
        said = self.tokenizer(
            [f"{response}<|im_end|>" for _, response in lessons], add_special_tokens=False
        )["input_ids"]
        ids = [torch.tensor(a + s) for a, s in zip(asked, said, strict=True)]
        input_ids = pad_sequence(
            ids, batch_first=True, padding_value=int(self.tokenizer.pad_token_id)
        )
        labels = [torch.tensor([-100] * len(a) + s) for a, s in zip(asked, said, strict=True)]
        return {
            "input_ids": input_ids,
            "labels": pad_sequence(labels, batch_first=True, padding_value=-100),
            "mm_token_type_ids": (input_ids == self.tokenizer.get_vocab()["<|image_pad|>"]).int(),
            "pixel_values": torch.cat([pixels.float() for _, _, pixels in chosen]),
            "image_grid_thw": torch.tensor(
                [[1, side // 14, side // 14] for side in (SIZE, OBJECT_SIZE)] * len(chosen)
            ),
        }


def _pixels(picture: object, box: Box) -> Tensor:
    """Patches of the picture and of its object, [64 + 16, patch]."""
    shown = [picture, picture.crop(box).resize((OBJECT_SIZE, OBJECT_SIZE))]  # type: ignore[attr-defined]
    return image_processor()(images=shown, return_tensors="pt")["pixel_values"].half()


def positions(model: Qwen2_5_VLForConditionalGeneration, batch: dict[str, Tensor]) -> Tensor:
    """Every lesson has its two pictures at the same places, so the first row's 3-D positions [3, 1, T] serve all rows."""
    first = {
        "input_ids": batch["input_ids"][:1],
        "mm_token_type_ids": batch["mm_token_type_ids"][:1],
    }
    found = model.model.get_rope_index(**first, image_grid_thw=batch["image_grid_thw"][:2])
    return found[0].expand(3, len(batch["input_ids"]), -1)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("out", type=Path)
    parser.add_argument("--steps", type=int, default=3000)
    parser.add_argument("--batch-size", type=int, default=24)
    parser.add_argument("--lr", type=float, default=1e-3)
    parser.add_argument("--seed", type=int, default=0)
    arguments = parser.parse_args()
    torch.manual_seed(arguments.seed)
    base = resolve_path("mmie:toy/qwen2_5_vl")
    tokenizer: Any = AutoTokenizer.from_pretrained(base)
    model = Qwen2_5_VLForConditionalGeneration.from_pretrained(base, dtype=torch.float32)
    lessons = ObjectLessons(tokenizer, pool=3000, seed=arguments.seed).batches(arguments.batch_size)
    teach(model.train(), lessons, positions, steps=arguments.steps, lr=arguments.lr)
    save(model, tokenizer, arguments.out)


if __name__ == "__main__":
    main()
