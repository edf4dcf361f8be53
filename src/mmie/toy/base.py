"""Builds and pre-trains the tiny base: a real Qwen2.5-VL of about a million parameters in the Hugging Face folder layout.

    python -m mmie.toy.base OUT [--steps 3000]

The checkpoint that the toy profile loads was made by this command with its defaults. Only lessons of ``lessons.py`` are seen.
"""

from __future__ import annotations

import argparse
import math
import random
from collections.abc import Callable, Iterator
from pathlib import Path

import torch
from rich.progress import track
from torch import Tensor
from torch.nn.utils.rnn import pad_sequence
from transformers import (
    PreTrainedTokenizerFast,
    Qwen2_5_VLConfig,
    Qwen2_5_VLForConditionalGeneration,
)
from transformers.models.qwen2_vl.image_processing_pil_qwen2_vl import Qwen2VLImageProcessorPil

from mmie.tasks.jmere.toy_source import ToySource
from mmie.toy.drawing import SIZE, draw_scene
from mmie.toy.lessons import Lesson, make_lesson
from mmie.toy.tokenizer import CHATML, build_tokenizer
from mmie.toy.world import Scene, make_scene

SPECIAL = [
    "<|endoftext|>",
    "<|im_start|>",
    "<|im_end|>",
    "<|vision_start|>",
    "<|vision_end|>",
    "<|image_pad|>",
    "<|video_pad|>",
]
IMAGE_TOKENS = (SIZE // 28) ** 2


def build_model(
    tokenizer: PreTrainedTokenizerFast,
    *,
    width: int = 128,
    layers: int = 4,
    mlp_width: int = 384,
    vision_width: int = 64,
    vision_depth: int = 2,
) -> Qwen2_5_VLForConditionalGeneration:
    """A random Qwen2.5-VL of the given sizes whose vocabulary is the tokenizer's; 32 channels a head."""
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


class LessonBatches:
    """Endless batches of lessons about a fixed pool of pictures, preprocessed once."""

    def __init__(self, tokenizer: PreTrainedTokenizerFast, *, pool: int, seed: int) -> None:
        self.tokenizer = tokenizer
        self.rng = random.Random(f"lessons-{seed}")
        self.held_out = {
            scene.text
            for split in ("train", "val", "test")
            for scene in ToySource(seed=0).scenes(split)
        }
        self.scenes = [make_scene(self.rng) for _ in range(pool)]
        processor = image_processor()
        self.pixels = torch.stack(
            [
                processor(images=[draw_scene(scene.icons)], return_tensors="pt")[
                    "pixel_values"
                ].half()
                for scene in self.scenes
            ]
        )

    def batches(self, size: int) -> Iterator[dict[str, Tensor]]:
        while True:
            chosen = self.rng.choices(range(len(self.scenes)), k=size)
            yield self._collate(
                [self._lesson(self.scenes[index]) for index in chosen], self.pixels[chosen].float()
            )

    def _lesson(self, scene: Scene) -> Lesson:
        return make_lesson(self.rng, scene, self.held_out)

    def _collate(self, lessons: list[Lesson], pixels: Tensor) -> dict[str, Tensor]:
        image = f"<|vision_start|>{'<|image_pad|>' * IMAGE_TOKENS}<|vision_end|>"
        prompts = [
            f"<|im_start|>user\n{image}{lesson.question}<|im_end|>\n<|im_start|>assistant\n"
            for lesson in lessons
        ]
        asked = self.tokenizer(prompts, add_special_tokens=False)["input_ids"]
        said = self.tokenizer(
            [f"{lesson.response}<|im_end|>" for lesson in lessons], add_special_tokens=False
        )["input_ids"]
        ids = [torch.tensor(a + s) for a, s in zip(asked, said, strict=True)]
        labels = [torch.tensor([-100] * len(a) + s) for a, s in zip(asked, said, strict=True)]
        input_ids = pad_sequence(
            ids, batch_first=True, padding_value=int(self.tokenizer.pad_token_id)
        )
        return {
            "input_ids": input_ids,
            "labels": pad_sequence(labels, batch_first=True, padding_value=-100),
            "mm_token_type_ids": (input_ids == self.tokenizer.get_vocab()["<|image_pad|>"]).int(),
            "pixel_values": pixels.flatten(0, 1),
            "image_grid_thw": torch.tensor([[1, SIZE // 14, SIZE // 14]] * len(lessons)),
        }


def positions(model: Qwen2_5_VLForConditionalGeneration, batch: dict[str, Tensor]) -> Tensor:
    """Every lesson has one picture at the same place, so the first row's 3-D positions [3, 1, T] serve all rows."""
    first = {name: batch[name][:1] for name in ("input_ids", "mm_token_type_ids", "image_grid_thw")}
    return model.model.get_rope_index(**first)[0].expand(3, len(batch["input_ids"]), -1)


def pretrain(out: Path, *, steps: int, batch_size: int, lr: float, seed: int) -> None:
    """Pre-trains all weights with AdamW, a short warm-up and a cosine, and writes the folder."""
    torch.manual_seed(seed)
    tokenizer = build_tokenizer(
        SPECIAL, end="<|im_end|>", pad="<|endoftext|>", chat_template=CHATML
    )
    model = build_model(tokenizer)
    teach(
        model,
        LessonBatches(tokenizer, pool=4000, seed=seed).batches(batch_size),
        positions,
        steps=steps,
        lr=lr,
    )
    save(model, tokenizer, out)


def teach(
    model: Qwen2_5_VLForConditionalGeneration,
    lessons: Iterator[dict[str, Tensor]],
    places: Callable[..., Tensor],
    *,
    steps: int,
    lr: float,
) -> None:
    """Trains all weights on next-token prediction of the responses; ``places`` gives the positions of a batch."""
    optimizer = torch.optim.AdamW(model.parameters(), lr=lr, weight_decay=0.01, betas=(0.9, 0.98))
    rate = torch.optim.lr_scheduler.LambdaLR(
        optimizer,
        lambda step: (
            min(1.0, (step + 1) / 200) * 0.5 * (1.03 + 0.97 * math.cos(math.pi * step / steps))
        ),
    )
    running = 0.0
    for step in track(
        range(steps),
        description=f"pre-training {sum(p.numel() for p in model.parameters()):,} parameters",
    ):
        batch = next(lessons)
        loss = model(**batch, position_ids=places(model, batch), use_cache=False).loss
        optimizer.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        rate.step()
        running += float(loss.detach())
        if (step + 1) % 100 == 0:
            print(f"step {step + 1}: loss {running / 100:.4f}", flush=True)
            running = 0.0


def save(
    model: Qwen2_5_VLForConditionalGeneration, tokenizer: PreTrainedTokenizerFast, out: Path
) -> None:
    """Weights as bfloat16 safetensors, configuration, tokenizer and image processor, as ``from_pretrained`` reads them."""
    weights = {name: value.bfloat16() for name, value in model.state_dict().items()}
    model.save_pretrained(out, state_dict=weights)
    tokenizer.save_pretrained(out)
    image_processor().save_pretrained(out)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("out", type=Path)
    parser.add_argument("--steps", type=int, default=3000)
    parser.add_argument("--batch-size", type=int, default=32)
    parser.add_argument("--lr", type=float, default=2e-3)
    parser.add_argument("--seed", type=int, default=0)
    arguments = parser.parse_args()
    pretrain(
        arguments.out,
        steps=arguments.steps,
        batch_size=arguments.batch_size,
        lr=arguments.lr,
        seed=arguments.seed,
    )


if __name__ == "__main__":
    main()
