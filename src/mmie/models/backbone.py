"""What the policy needs of a backbone, and what all backbones share."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import torch
from huggingface_hub.errors import StrictDataclassError
from PIL import Image
from safetensors import SafetensorError
from torch import Tensor, nn
from transformers import AutoConfig, AutoTokenizer

import mmie
from mmie.errors import InputError
from mmie.text import TAGS


@dataclass(frozen=True)
class Prompt:
    """One encoded prompt.

    Attributes:
        ids: token ids with the image placeholders expanded, [P].
        positions: rotary positions, [C, P]; C = 3 for Qwen2.5-VL (time, height, width), 1 for plain backbones.
        features: the pictures' features in prompt order, [image tokens, hidden size].
    """

    ids: Tensor
    positions: Tensor
    features: Tensor


class Backbone(Protocol):
    """One architecture: how its prompt looks, what its pictures become, where its language model's linear layers are."""

    model: Any
    tokenizer: Any
    processor: Any
    lora_targets: str
    marker_ids: list[int]

    @property
    def vision_modules(self) -> Sequence[nn.Module]:
        """The modules that turn pixels into features."""

    @property
    def vision_settings(self) -> str:
        """All else that features depend on: the image processor's settings, the layers taken."""

    def encode(
        self, text: str, pictures: Sequence[Image.Image], features: Sequence[Tensor] | None = None
    ) -> Prompt:
        """Chat template, expanded placeholders, positions; ``features`` [n, H] of each picture where known."""

    def vision_features(self, picture: Image.Image) -> Tensor:
        """The frozen vision tower's (and projector's) output for one picture, [image tokens, hidden size]."""


DTYPES = {"float32": torch.float32, "bfloat16": torch.bfloat16}
UNLOADABLE = (OSError, ValueError, SafetensorError, StrictDataclassError)


def resolve_path(path: str) -> str:
    """``mmie:x`` is a folder shipped inside the package; anything else is a local folder or a hub name, as it stands."""
    if not path.startswith("mmie:"):
        return path
    folder = Path(mmie.__file__).parent / path.removeprefix("mmie:")
    if not (folder / "config.json").exists():
        advice = "reinstall, or rebuild it as docs/extending.md says"
        raise InputError(f"model.path={path}: no checkpoint in the package at {folder}: {advice}")
    return str(folder)


def load_pretrained(loader: Any, path: str, **options: Any) -> Any:
    """``from_pretrained`` whose failure is one line.

    Raises:
        InputError: the folder is not there, is incomplete or broken.
    """
    try:
        return loader.from_pretrained(path, **options)
    except UNLOADABLE as error:
        reason = str(error).strip().splitlines()[0]
        what = f"model.path={path}: {loader.__name__} cannot be loaded ({reason})"
        raise InputError(f"{what}: give a checkpoint folder or hub name") from error


def load_model(loader: Any, path: str, *, dtype: str, attention: str) -> Any:
    """A frozen base in eval mode; a checkpoint of another architecture is refused instead of filled with random weights."""
    if dtype not in DTYPES:
        raise InputError(f"model.dtype={dtype}: use one of {', '.join(DTYPES)}")
    config = load_pretrained(AutoConfig, path)
    if config.model_type != loader.config_class.model_type:
        wanted = f"where {loader.__name__} needs {loader.config_class.model_type}"
        raise InputError(
            f"model.path={path}: it is a checkpoint of {config.model_type}, {wanted}: choose the other model"
        )
    model, loading = load_pretrained(
        loader,
        path,
        config=config,
        dtype=DTYPES[dtype],
        attn_implementation=attention,
        output_loading_info=True,
        ignore_mismatched_sizes=True,
    )
    lacking = sorted({*loading["missing_keys"], *(key[0] for key in loading["mismatched_keys"])})
    if lacking:
        raise InputError(
            f"model.path={path}: {len(lacking)} weights that its config.json asks for are not in it (first: {lacking[0]}): get it again"
        )
    model.requires_grad_(False)
    return model.eval()


def load_tokenizer(path: str) -> Any:
    """The tokenizer of the folder; InputError where it has no chat template."""
    tokenizer = load_pretrained(AutoTokenizer, path)
    if tokenizer.chat_template is None:
        raise InputError(
            f"model.path={path}: its tokenizer has no chat template: put chat_template.jinja into the folder"
        )
    return tokenizer


def plain(text: str, tokenizer: Any) -> str:
    """Text in which no marker of the tokenizer is live: a blank is put after its first character.

    Prompts and responses to learn both pass through here, so that a name is spelled alike in the
    two. The tags of a response's form stay, as some tokenizers have tokens for them.
    """
    for token in tokenizer.added_tokens_decoder.values():
        if token.content not in TAGS:
            text = text.replace(token.content, f"{token.content[0]} {token.content[1:]}")
    return text


def expand(rendered: str, placeholder: str, counts: Sequence[int]) -> str:
    """Replaces the i-th placeholder by ``counts[i]`` copies; the number of placeholders must be that of the pictures."""
    parts = rendered.split(placeholder)
    if len(parts) != len(counts) + 1:
        shown = (
            f"the chat template shows {len(parts) - 1} pictures where the sample has {len(counts)}"
        )
        raise InputError(f"{shown}: check the template of model.path")
    return "".join(
        part + placeholder * count for part, count in zip(parts, (*counts, 0), strict=True)
    )


def conversation(text: str, pictures: int) -> list[dict[str, Any]]:
    """One user turn: the pictures, then the text."""
    return [
        {
            "role": "user",
            "content": [
                *({"type": "image"} for _ in range(pictures)),
                {"type": "text", "text": text},
            ],
        }
    ]
