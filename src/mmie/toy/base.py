"""Builds and pre-trains the tiny base: a real Qwen2.5-VL of about a million parameters.

    python -m mmie.toy.base OUT [--steps 3000] [--start FOLDER]

OUT has the layout of a Hugging Face folder. The model sees the lessons of ``lessons.py`` and
nothing else. With ``--start`` it goes on from an earlier base, whose words may stand in another
order.

The checkpoint that the toy profile loads was made in five parts, as the world and its lessons grew:
from nothing to the base of an earlier world (3,000 steps), and from there by 1,300, 900, 600 and
500 steps. So its lessons were not always those of ``lessons.py``. A base made from nothing with
these lessons alone has not been tried.
"""

from __future__ import annotations

import argparse
import math
import random
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import torch
from PIL import Image
from rich.progress import track
from torch import Tensor
from torch.nn.utils.rnn import pad_sequence
from transformers import (
    AutoTokenizer,
    PreTrainedTokenizerFast,
    Qwen2_5_VLConfig,
    Qwen2_5_VLForConditionalGeneration,
)
from transformers.models.qwen2_vl.image_processing_pil_qwen2_vl import Qwen2VLImageProcessorPil

from mmie.toy.drawing import SIZE, draw_scene
from mmie.toy.lessons import make_lesson
from mmie.toy.tokenizer import CHATML, build_tokenizer
from mmie.toy.world import SIZES, STREAM, Scene, distinct_scenes, make_scene

SPECIAL = [
    "<|endoftext|>",
    "<|im_start|>",
    "<|im_end|>",
    "<|vision_start|>",
    "<|vision_end|>",
    "<|image_pad|>",
    "<|video_pad|>",
]


def build_model(
    tokenizer: PreTrainedTokenizerFast,
    *,
    width: int = 128,
    layers: int = 4,
    mlp_width: int = 384,
    vision_width: int = 64,
    vision_depth: int = 2,
) -> Qwen2_5_VLForConditionalGeneration:
    """A random Qwen2.5-VL of the given sizes, with the tokenizer's vocabulary.

    A head has 32 channels.
    """
    vocabulary = tokenizer.get_vocab()
    ids = vocabulary.__getitem__
    config = Qwen2_5_VLConfig(
        text_config={
            "vocab_size": len(tokenizer),
            "hidden_size": width,
            "intermediate_size": mlp_width,
            "num_hidden_layers": layers,
            "num_attention_heads": width // 32,
            "num_key_value_heads": width // 64,
            "max_position_embeddings": 4096,
            "rope_parameters": {
                "rope_type": "default",
                "rope_theta": 10000.0,
                "mrope_section": [4, 6, 6],
            },
            "bos_token_id": None,
            "eos_token_id": ids("<|im_end|>"),
            "pad_token_id": ids("<|endoftext|>"),
            "tie_word_embeddings": True,
        },
        vision_config={
            "depth": vision_depth,
            "hidden_size": vision_width,
            "intermediate_size": 2 * vision_width,
            "num_heads": vision_width // 32,
            "out_hidden_size": width,
            "fullatt_block_indexes": list(range(1, vision_depth, 2)),
            "window_size": 112,
        },
        image_token_id=ids("<|image_pad|>"),
        video_token_id=ids("<|video_pad|>"),
        vision_start_token_id=ids("<|vision_start|>"),
        vision_end_token_id=ids("<|vision_end|>"),
        tie_word_embeddings=True,
    )
    model = Qwen2_5_VLForConditionalGeneration(config)
    model.generation_config.eos_token_id = [ids("<|im_end|>"), ids("<|endoftext|>")]
    model.generation_config.pad_token_id = ids("<|endoftext|>")
    return model


def image_processor() -> Qwen2VLImageProcessorPil:
    return Qwen2VLImageProcessorPil(
        patch_size=14,
        merge_size=2,
        temporal_patch_size=2,
        size={"shortest_edge": 28 * 28 * 4, "longest_edge": 28 * 28 * 64},
    )


def encode_picture(*pictures: Image.Image) -> Tensor:
    """The patches of pictures, [patches, values], as 16-bit floats: a pool of them stays small."""
    patches: Tensor = image_processor()(images=[*pictures], return_tensors="pt")["pixel_values"]
    return patches.half()


def lesson_batches(
    tokenizer: PreTrainedTokenizerFast,
    pool: Sequence[tuple[Any, Tensor]],
    lesson: Callable[[Any], tuple[str, str]],
    *,
    rng: random.Random,
    sides: Sequence[int],
    size: int,
) -> Iterator[dict[str, Tensor]]:
    """Endless batches of lessons about a fixed pool of pictures, encoded once.

    Args:
        tokenizer: of the model that learns.
        pool: what a lesson is about, with the patches of its pictures.
        lesson: gives a question and the response to learn.
        rng: chooses from the pool.
        sides: the sides in pixels of the square pictures that each lesson shows.
        size: lessons in a batch.
    """
    while True:
        chosen = [(lesson(subject), patches) for subject, patches in rng.choices(pool, k=8 * size)]
        chosen.sort(key=lambda made: len(" ".join(made[0]).split()))  # to pad little
        for start in rng.sample(range(0, 8 * size, size), 8):
            part = chosen[start : start + size]
            batch = _collate(tokenizer, [texts for texts, _ in part], sides)
            yield {**batch, "pixel_values": torch.cat([patches.float() for _, patches in part])}


def _collate(
    tokenizer: PreTrainedTokenizerFast, lessons: Sequence[tuple[str, str]], sides: Sequence[int]
) -> dict[str, Tensor]:
    pads = ["<|image_pad|>" * (side // 28) ** 2 for side in sides]
    images = "".join(f"<|vision_start|>{pad}<|vision_end|>" for pad in pads)
    begin, end = f"<|im_start|>user\n{images}", "<|im_end|>\n<|im_start|>assistant\n"
    prompts = [f"{begin}{question}{end}" for question, _ in lessons]
    responses = [f"{response}<|im_end|>" for _, response in lessons]
    asked = tokenizer(prompts, add_special_tokens=False)["input_ids"]
    said = tokenizer(responses, add_special_tokens=False)["input_ids"]
    ids = [torch.tensor(a + s) for a, s in zip(asked, said, strict=True)]
    labels = [torch.tensor([-100] * len(a) + s) for a, s in zip(asked, said, strict=True)]
    padding = int(tokenizer.pad_token_id)
    input_ids = pad_sequence(ids, batch_first=True, padding_value=padding)
    grid = [[1, side // 14, side // 14] for side in sides]
    return {
        "input_ids": input_ids,
        "labels": pad_sequence(labels, batch_first=True, padding_value=-100),
        "mm_token_type_ids": (input_ids == tokenizer.get_vocab()["<|image_pad|>"]).int(),
        "image_grid_thw": torch.tensor(grid * len(lessons)),
    }


def positions(model: Qwen2_5_VLForConditionalGeneration, batch: dict[str, Tensor]) -> Tensor:
    """3-D positions [3, B, T] of the batch.

    All lessons have their pictures at the same places, so the first row's serve all rows.
    """
    rows = len(batch["input_ids"])
    first = {
        "input_ids": batch["input_ids"][:1],
        "mm_token_type_ids": batch["mm_token_type_ids"][:1],
        "image_grid_thw": batch["image_grid_thw"][: len(batch["image_grid_thw"]) // rows],
    }
    return model.model.get_rope_index(**first)[0].expand(3, rows, -1)


def scene_lessons(
    tokenizer: PreTrainedTokenizerFast, *, pool: int, seed: int, size: int
) -> Iterator[dict[str, Tensor]]:
    """Batches of the lessons of ``mmie.toy.lessons``, about ``pool`` pictures."""
    rng, data = random.Random(f"lessons-{seed}"), random.Random(f"{STREAM}-0")
    held_out: set[str] = set()
    for split in ("test", "val", "train"):
        distinct_scenes(data, SIZES[split], held_out, new=split != "train")
    scenes = [make_scene(rng) for _ in range(pool)]
    shown = [(scene, encode_picture(draw_scene(scene.icons))) for scene in scenes]

    def lesson(scene: Scene) -> tuple[str, str]:
        made = make_lesson(rng, scene, held_out)
        return made.question, made.response

    return lesson_batches(tokenizer, shown, lesson, rng=rng, sides=[SIZE], size=size)


def pretrain(
    out: Path, *, steps: int, batch_size: int, lr: float, seed: int, start: Path | None = None
) -> None:
    """Trains all weights on the lessons and writes the folder.

    Args:
        out: the folder.
        steps, batch_size, lr, seed: of the training.
        start: the folder of an earlier base; None starts from a random model.
    """
    torch.manual_seed(seed)
    tokenizer = build_tokenizer(
        SPECIAL, end="<|im_end|>", pad="<|endoftext|>", chat_template=CHATML
    )
    model = build_model(tokenizer)
    if start is not None:
        take_over(model, tokenizer, start)
    lessons = scene_lessons(tokenizer, pool=4000, seed=seed, size=batch_size)
    teach(model, lessons, steps=steps, lr=lr)
    save(model, tokenizer, out)


def take_over(
    model: Qwen2_5_VLForConditionalGeneration, tokenizer: PreTrainedTokenizerFast, start: Path
) -> None:
    """Gives the model the weights of an earlier base of its size, word by word.

    A word that the earlier base did not have keeps its random embedding.
    """
    earlier = Qwen2_5_VLForConditionalGeneration.from_pretrained(start, dtype=torch.float32)
    place = AutoTokenizer.from_pretrained(start).get_vocab()
    common = {token: at for token, at in tokenizer.get_vocab().items() if token in place}
    tied = ("embed_tokens.weight", "lm_head.weight")
    weights = {k: value for k, value in earlier.state_dict().items() if not k.endswith(tied)}
    model.load_state_dict(weights, strict=False)
    mine, other = (one.model.language_model.embed_tokens.weight for one in (model, earlier))
    with torch.no_grad():
        mine[list(common.values())] = other[[place[token] for token in common]]


def teach(
    model: Qwen2_5_VLForConditionalGeneration,
    lessons: Iterator[dict[str, Tensor]],
    *,
    steps: int,
    lr: float,
) -> None:
    """Trains all weights on next-token prediction of the responses.

    The optimizer is AdamW; the learning rate rises for 200 steps and falls with a cosine.
    """
    optimizer = torch.optim.AdamW(model.parameters(), lr=lr, weight_decay=0.01, betas=(0.9, 0.98))
    rate = torch.optim.lr_scheduler.LambdaLR(optimizer, lambda step: _rate(step, steps))
    parameters = sum(weights.numel() for weights in model.parameters())
    running = 0.0
    for step in track(range(steps), description=f"pre-training {parameters:,} parameters"):
        batch = next(lessons)
        loss = model(**batch, position_ids=positions(model, batch), use_cache=False).loss
        optimizer.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        rate.step()
        running += float(loss.detach())
        if (step + 1) % 100 == 0:
            print(f"step {step + 1}: loss {running / 100:.4f}", flush=True)
            running = 0.0


def _rate(step: int, steps: int) -> float:
    """The share of the learning rate at a step."""
    return min(1.0, (step + 1) / 200) * 0.5 * (1.03 + 0.97 * math.cos(math.pi * step / steps))


def save(
    model: Qwen2_5_VLForConditionalGeneration, tokenizer: PreTrainedTokenizerFast, out: Path
) -> None:
    """Writes a folder for ``from_pretrained``, with the weights as bfloat16 safetensors."""
    weights = {name: value.bfloat16() for name, value in model.state_dict().items()}
    model.save_pretrained(out, state_dict=weights)
    tokenizer.save_pretrained(out)
    image_processor().save_pretrained(out)


def argument_parser(description: str | None, **defaults: float) -> argparse.ArgumentParser:
    """Reads the folder to write and the numbers of a training from the command line.

    Args:
        description: of the command.
        defaults: of ``batch_size`` and ``lr``.
    """
    parser = argparse.ArgumentParser(
        description=description, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("out", type=Path)
    parser.add_argument("--steps", type=int, default=3000)
    parser.add_argument("--batch-size", type=int)
    parser.add_argument("--lr", type=float)
    parser.add_argument("--seed", type=int, default=0)
    parser.set_defaults(**defaults)
    return parser


def main() -> None:
    parser = argument_parser(__doc__, batch_size=32, lr=2e-3)
    parser.add_argument("--start", type=Path)
    pretrain(**vars(parser.parse_args()))


if __name__ == "__main__":
    main()
