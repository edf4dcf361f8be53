"""The model of the measurement: the architecture of Qwen2.5-VL-7B with random weights."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import torch
from transformers import AutoModelForImageTextToText

from mmie.files import write_json
from mmie.models.architecture import architecture
from mmie.models.backbone import DTYPES
from mmie.models.qwen2_5_vl import Qwen25VL

SEVEN_B = "Qwen/Qwen2.5-VL-7B-Instruct"
TOKENS = ("image_token_id", "video_token_id", "vision_start_token_id", "vision_end_token_id")
FIRST_END, ENDS = 300, 32  # see ``write_folder``


def device() -> torch.device:
    """The GPU, or the CPU of a machine without one."""
    return torch.device("cuda", 0) if torch.cuda.is_available() else torch.device("cpu")


class RandomWeights(Qwen25VL):
    """A Qwen2.5-VL with random weights, which are made on the GPU and not loaded.

    Args:
        path: a small checkpoint, whose tokenizer, special tokens and processor are used.
        dtype, max_pixels, attention: see ``Qwen25VL``.
        shape: the checkpoint whose architecture is built.
        layers: how many decoder layers it has; None takes all of the architecture's.
    """

    def __init__(
        self,
        path: str,
        *,
        dtype: str = "bfloat16",
        max_pixels: int | None = None,
        attention: str = "sdpa",
        shape: str = SEVEN_B,
        layers: int | None = None,
    ) -> None:
        super().__init__(path, dtype=dtype, max_pixels=max_pixels, attention=attention)
        small, config = self.model, architecture(shape)
        for name in TOKENS:
            setattr(config, name, getattr(small.config, name))
        text = config.text_config
        text.vocab_size = max(text.vocab_size, small.config.text_config.vocab_size)
        text.num_hidden_layers = layers or text.num_hidden_layers
        text.layer_types = text.layer_types[: text.num_hidden_layers]
        text.bos_token_id, text.pad_token_id = None, small.config.text_config.pad_token_id
        text.eos_token_id = small.config.text_config.eos_token_id
        with device():
            model = AutoModelForImageTextToText.from_config(
                config, dtype=DTYPES[dtype], attn_implementation=attention
            )
        model.generation_config = small.generation_config
        self.model = model.requires_grad_(False).eval()


def write_folder(folder: Path, backbone: Qwen25VL) -> None:
    """Writes a checkpoint folder in the layout of the hub.

    Random weights draw the end of a turn once in 100,000 tokens, and a response without an end is
    invalid. So every 32nd id ends a response there. The tokenizer gets a word for every id: else
    most responses would be the same empty text.
    """
    model: Any = backbone.model
    size = model.config.text_config.vocab_size
    model.generation_config.eos_token_id = list(range(FIRST_END, size, ENDS))
    model.save_pretrained(folder)
    backbone.tokenizer.save_pretrained(folder)
    backbone.processor.save_pretrained(folder)
    path = folder / "tokenizer.json"
    tokenizer = json.loads(path.read_text(encoding="utf-8"))
    words = tokenizer["model"]["vocab"]
    words += [[f"▁w{number}", -30.0] for number in range(len(words), size)]
    write_json(path, tokenizer)
