"""The work that all engines do.

Random weights, prompts of a given length with one picture each, responses of a given length.
"""

from __future__ import annotations

import random
from dataclasses import dataclass
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image
from tokenizers import Tokenizer, decoders, models, pre_tokenizers
from transformers import PreTrainedTokenizerFast

from mmie.toy.base import SPECIAL, build_model, image_processor
from mmie.toy.tokenizer import CHATML

VOCABULARY = 4096
FRAME = 7  # tokens of the chat template around picture and text
PIXELS_PER_TOKEN = 28  # of a picture's side


@dataclass(frozen=True)
class Work:
    """One GRPO step: a rollout, log-probabilities with a KL term, and one update.

    Attributes:
        model: folder of a Qwen2.5-VL checkpoint.
        group_size, temperature, kl_coef: as in the ``grpo`` node.
        prompts: prompts per step, each with one picture.
        prompt_tokens: tokens of template, picture and text.
        new_tokens: tokens of every response.
        image_size: side of a picture in pixels; 28 x 28 pixels are one token.
        steps: how many steps are timed.
        warmup: how many run before, untimed.
        threads: torch threads.
        rank: LoRA r; LoRA alpha is twice as much.
        lr: small, so that the weights stay what they are.
        device: cpu or cuda.
        dtype: of the frozen base; with bfloat16 the rest is computed in mixed precision.
    """

    model: str
    group_size: int
    temperature: float
    kl_coef: float
    prompts: int = 4
    prompt_tokens: int = 560
    new_tokens: int = 64
    image_size: int = 224
    steps: int = 3
    warmup: int = 1
    threads: int = 2
    rank: int = 16
    lr: float = 1e-5
    device: str = "cpu"
    dtype: str = "float32"

    @property
    def text(self) -> str:
        """The text of all prompts; each word of it is one token.

        They are all the same, because TRL pads Qwen2.5-VL prompts of unequal length wrongly.
        """
        image_tokens = (self.image_size // PIXELS_PER_TOKEN) ** 2
        words = self.prompt_tokens - image_tokens - FRAME
        return " ".join(random.Random("bench").choices(_words(), k=words))

    def autocast(self) -> Any:
        """What an engine computes in."""
        mixed = self.dtype == "bfloat16"
        return torch.autocast(self.device, dtype=torch.bfloat16, enabled=mixed)

    def draw_pictures(self, folder: Path) -> list[Path]:
        """Draws a new picture of noise for each prompt of each step."""
        rng = np.random.default_rng(0)
        count = self.prompts * (self.steps + self.warmup)
        paths = [folder / f"{number}.png" for number in range(count)]
        shape = (self.image_size, self.image_size, 3)
        for path in paths:
            Image.fromarray(rng.integers(0, 255, shape, dtype=np.uint8)).save(path)
        return paths


def write_checkpoint(folder: Path, *, width: int = 256, layers: int = 4) -> None:
    """Writes a random Qwen2.5-VL with a tokenizer of invented words.

    With the default size it has 6 M parameters.
    """
    torch.manual_seed(0)
    entries = [*SPECIAL, "user", "assistant", *_words()]
    vocabulary = {word: number for number, word in enumerate(entries)}
    words = Tokenizer(models.WordLevel(vocabulary, unk_token=SPECIAL[0]))
    words.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    words.decoder = decoders.Fuse()
    tokenizer = PreTrainedTokenizerFast(
        tokenizer_object=words,
        eos_token="<|im_end|>",
        pad_token="<|endoftext|>",
        extra_special_tokens=[SPECIAL[1], *SPECIAL[3:]],
    )
    tokenizer.chat_template = CHATML
    model = build_model(
        tokenizer, width=width, layers=layers, mlp_width=4 * width, vision_width=128, vision_depth=4
    )
    model.save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    image_processor().save_pretrained(folder)


def _words() -> list[str]:
    """Invented words of two syllables, as many as the vocabulary has room for."""
    syllables = ["".join(letters) for letters in product("bdfgklmnprstvz", "aeiou")]
    words = ["".join(pair) for pair in product(syllables, syllables)]
    return words[: VOCABULARY - len(SPECIAL) - len(("user", "assistant"))]
