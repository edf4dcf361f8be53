"""The policy and the prompts that are measured."""

from __future__ import annotations

import random
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image

from mmie.bench.gpu.model import device
from mmie.bench.gpu.size import Size
from mmie.config import RunConfig
from mmie.models.policy import Policy
from mmie.stages.loading import load_policy
from mmie.toy.tokenizer import world_words
from mmie.types import Example, Picture

SCALE = 0.003  # of the adapter's second factor


def make_policy(config: RunConfig) -> Policy:
    """The policy of a run with this configuration, with the reference beside it.

    A fresh adapter changes nothing: its second factor is 0. This one is random, as after a warm-up.
    """
    gpu = 0 if device().type == "cuda" else None
    config.vision.on_disk = False  # else the tower's weights would be read to name a folder
    policy = load_policy(config, vision=Path("vision"), gpu=gpu)
    with torch.no_grad():
        for name, value in policy.model.named_parameters():
            if "lora_B" in name:
                value.normal_(std=SCALE)
    policy.add_reference()
    return policy.eval()


def autocast(config: RunConfig) -> Any:
    """What Lightning computes a training step in."""
    enabled = config.trainer.precision == "bf16-mixed"
    return torch.autocast(device().type, dtype=torch.bfloat16, enabled=enabled)


def make_examples(policy: Policy, size: Size, folder: Path) -> list[Example]:
    """One sample per prompt, with a picture of noise and as much text as the length allows."""
    rng = np.random.default_rng(0)
    shape = (size.image_size, size.image_size, 3)
    words = random.Random("gpu").choices(world_words(), k=size.prompt_tokens)
    examples = []
    for number in range(size.prompts):
        path = folder / f"{number}.png"
        Image.fromarray(rng.integers(0, 255, shape, dtype=np.uint8)).save(path)
        picture = Picture(path)
        frame = len(policy.encode(words[0], [picture]).ids) - 1
        text = " ".join(words[: size.prompt_tokens - frame])
        examples.append(Example(str(number), text, (picture,), ""))
    return examples
