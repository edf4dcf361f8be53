"""The architecture of a checkpoint without its weights: for simulated memory, and for plans."""

from __future__ import annotations

import json
import re
from importlib.resources import files
from pathlib import Path
from typing import Any

import torch
from torch import nn
from transformers import AutoConfig, AutoModelForImageTextToText

from mmie.models.backbone import load_pretrained, resolve_path

# The architectures of the paper's backbones, so that neither needs the network. The numbers are
# those of the checkpoints' own config.json.
SHIPPED = {
    "Qwen/Qwen2.5-VL-7B-Instruct": "qwen2_5_vl_7b.json",
    "llava-hf/llava-1.5-7b-hf": "llava_1_5_7b.json",
}


def architecture(path: str) -> Any:
    """The transformers configuration of ``model.path``.

    Raises:
        InputError: the folder holds no configuration, or the hub cannot be reached for a name
            whose architecture is not shipped.
    """
    folder = resolve_path(path)
    if folder in SHIPPED and not Path(folder).is_dir():
        text = files("mmie.models.shapes").joinpath(SHIPPED[folder]).read_text(encoding="utf-8")
        values = json.loads(text)
        return AutoConfig.for_model(values.pop("model_type"), **values)
    return load_pretrained(AutoConfig, folder)


def empty_model(config: Any, *, dtype: torch.dtype = torch.bfloat16) -> Any:
    """The causal model on the meta device: names and shapes of all weights, and no memory."""
    with torch.device("meta"):
        return AutoModelForImageTextToText.from_config(config, dtype=dtype).requires_grad_(False)


def outside_language_model(model: Any, targets: str) -> list[str]:
    """The linear layers beside the language model's whose whole names the expression matches."""
    linear = [name for name, part in model.named_modules() if isinstance(part, nn.Linear)]
    matched = [name for name in linear if re.fullmatch(targets, name)]
    return [name for name in matched if "language_model" not in name]
