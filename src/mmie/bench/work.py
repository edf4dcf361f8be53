"""The work that all engines do: random weights, prompts of a set length with a picture each, responses of a set length."""

from __future__ import annotations

import random
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from tokenizers import Tokenizer, decoders, models, pre_tokenizers
from transformers import PreTrainedTokenizerFast

from mmie.toy.base import SPECIAL, build_model, image_processor
from mmie.toy.tokenizer import CHATML

VOCABULARY = 4096
FRAME = 7  # tokens of the chat template around picture and text


@dataclass(frozen=True)
class Work:
    """One GRPO step: B prompts with a picture each, G responses of exactly ``new_tokens`` tokens, a KL term, one update.

    ``prompt_tokens`` counts template, picture and text; ``image_size`` in pixels (28 x 28 are one token); ``steps`` are timed
    after ``warmup`` others.
    """

    model: str
    group_size: int = 8
    prompts: int = 4
    prompt_tokens: int = 560
    new_tokens: int = 64
    image_size: int = 224
    steps: int = 3
    warmup: int = 1
    threads: int = 2
    rank: int = 16
    temperature: float = 1.0
    kl_coef: float = 0.01
    lr: float = 1e-5

    @property
    def text(self) -> str:
        """The same for all prompts, as TRL mis-pads Qwen2.5-VL prompts of unequal length; a word is a token."""
        words = self.prompt_tokens - (self.image_size // 28) ** 2 - FRAME
        return " ".join(random.Random("bench").choices(_words(), k=words))

    def draw_pictures(self, folder: Path) -> list[Path]:
        """A new picture of noise for each prompt of each step."""
        rng = np.random.default_rng(0)
        paths = [
            folder / f"{number}.png" for number in range(self.prompts * (self.steps + self.warmup))
        ]
        for path in paths:
            Image.fromarray(
                rng.integers(0, 255, (self.image_size, self.image_size, 3), dtype=np.uint8)
            ).save(path)
        return paths


def write_checkpoint(folder: Path, *, width: int = 256, layers: int = 4) -> None:
    """A random Qwen2.5-VL, 6 M parameters at this size, with a tokenizer of invented words."""
    torch.manual_seed(0)
    vocabulary = {
        word: number for number, word in enumerate([*SPECIAL, "user", "assistant", *_words()])
    }
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
    syllables = [consonant + vowel for consonant in "bdfgklmnprstvz" for vowel in "aeiou"]
    return [first + second for first in syllables for second in syllables][
        : VOCABULARY - len(SPECIAL) - 2
    ]
