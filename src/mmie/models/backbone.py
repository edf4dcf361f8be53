"""What the policy needs from a backbone, and what all backbones share."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
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
from mmie import markers
from mmie.errors import InputError


@dataclass(frozen=True)
class Prompt:
    """One encoded prompt.

    Attributes:
        ids: token ids with the image placeholders expanded, [P].
        positions: rotary positions, [C, P]. C is 3 for Qwen2.5-VL (time, height, width), and 1 for
            backbones with ordinary positions.
        features: the pictures' features in prompt order, [image tokens, hidden size].
    """

    ids: Tensor
    positions: Tensor
    features: Tensor


class Backbone(Protocol):
    """One architecture: its prompts, its picture features, its language model's linear layers.

    Attributes:
        model: the frozen transformers model in eval mode.
        tokenizer, processor: those of the checkpoint.
        lora_targets: regular expression for the layers that get an adapter.
        marker_ids: ids of image and video markers, which are never sampled.
        hub_names: beginnings of the names of weights: as the model class has them → as the files on
            the hub have them, which is what servers read.
    """

    model: Any
    tokenizer: Any
    processor: Any
    lora_targets: str
    marker_ids: list[int]
    hub_names: Mapping[str, str]

    @property
    def processor_settings(self) -> dict[str, Any]:
        """What ``processor_config.json`` must say for ``AutoProcessor`` to prepare prompts."""

    @property
    def vision_modules(self) -> Sequence[nn.Module]:
        """The modules that turn pixels into features."""

    @property
    def vision_settings(self) -> str:
        """What features depend on besides weights: the image processor's settings, the layers."""

    def encode(
        self, text: str, pictures: Sequence[Image.Image], features: Sequence[Tensor]
    ) -> Prompt:
        """Applies the chat template, expands placeholders and computes positions.

        Args:
            text: of the user's turn.
            pictures: shown before the text.
            features: [image tokens, H] of each picture.
        """

    @staticmethod
    def picture_counter(
        config: Any, folder: str, settings: Mapping[str, Any]
    ) -> Callable[[tuple[int, int]], int]:
        """Width and height → image tokens, for a plan, without the weights.

        Args:
            config: the transformers configuration.
            folder: that of the checkpoint, or its name on the hub.
            settings: the arguments of the class.
        """

    def vision_features(self, picture: Image.Image) -> Tensor:
        """The frozen vision tower's and projector's output for one picture, [image tokens, H]."""

    def resized(self, picture: Image.Image) -> Image.Image:
        """The picture in the size in which the vision tower gets it.

        Another program's image processor then has nothing to resize, and cannot round otherwise.
        """


DTYPES = {"float32": torch.float32, "bfloat16": torch.bfloat16}
UNLOADABLE = (OSError, ValueError, SafetensorError, StrictDataclassError)


def resolve_path(path: str) -> str:
    """The folder of ``mmie:x``, which lies inside the package; any other path as it is.

    Raises:
        InputError: the package has no such checkpoint, or there is no such folder and the path is
            no name on the hub either.
    """
    if not path.startswith("mmie:"):
        if path.count("/") > 1 and not Path(path).is_dir():
            raise InputError(
                f"model.path={path}: there is no such folder: make it as the file of the choice in "
                "conf/model says, or give a checkpoint folder or hub name"
            )
        return path
    folder = Path(mmie.__file__).parent / path.removeprefix("mmie:")
    if not (folder / "config.json").exists():
        raise InputError(
            f"model.path={path}: no checkpoint in the package at {folder}: "
            "reinstall, or rebuild it as docs/extending.md says"
        )
    return str(folder)


def load_pretrained(loader: Any, path: str, **options: Any) -> Any:
    """``loader.from_pretrained`` with failures reported in one line.

    Raises:
        InputError: the folder is missing, incomplete or damaged.
    """
    try:
        return loader.from_pretrained(path, **options)
    except UNLOADABLE as error:
        reason = str(error).strip().splitlines()[0]
        raise InputError(
            f"model.path={path}: {loader.__name__} cannot be loaded ({reason}): "
            "give a checkpoint folder or hub name"
        ) from error


def load_model(loader: Any, path: str, *, dtype: str, attention: str) -> Any:
    """A frozen base in eval mode.

    Weights that the checkpoint lacks are refused; transformers would fill them with random numbers.

    Raises:
        InputError: the dtype is unknown, or the checkpoint is damaged, quantised or of another
            architecture.
    """
    if dtype not in DTYPES:
        raise InputError(f"model.dtype={dtype}: use one of {', '.join(DTYPES)}")
    config = load_pretrained(AutoConfig, path)
    require_whole_weights(config.to_dict(), path)
    if config.model_type != loader.config_class.model_type:
        raise InputError(
            f"model.path={path}: it is a checkpoint of {config.model_type}, where "
            f"{loader.__name__} needs {loader.config_class.model_type}: choose the other model"
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
    mismatched = [key[0] for key in loading["mismatched_keys"]]
    missing = sorted({*loading["missing_keys"], *mismatched})
    if missing:
        raise InputError(
            f"model.path={path}: {len(missing)} weights that its config.json asks for are not in "
            f"it (first: {missing[0]}): get it again"
        )
    model.requires_grad_(False)
    return model.eval()


def require_whole_weights(settings: Mapping[str, Any], path: str) -> None:
    """``settings`` are those of the base's ``config.json``.

    Raises:
        InputError: the base is quantised. LoRA weights cannot be merged into it, which would come
            out only after the training.
    """
    if settings.get("quantization_config"):
        raise InputError(
            f"model.path={path}: its weights are quantised (quantization_config in config.json), "
            "and no adapter can be merged into those: take the checkpoint with whole weights"
        )


def load_tokenizer(path: str) -> Any:
    """The tokenizer of the folder.

    Raises:
        InputError: it has no chat template.
    """
    tokenizer = load_pretrained(AutoTokenizer, path)
    if tokenizer.chat_template is None:
        raise InputError(
            f"model.path={path}: its tokenizer has no chat template: "
            "put chat_template.jinja into the folder"
        )
    return tokenizer


def render_prompt(tokenizer: Any, text: str, placeholder: str, counts: Sequence[int]) -> str:
    """One user turn in the model's chat template: the pictures, then the text.

    What the tokenizer adds itself is left out where the template writes it, too.

    Args:
        tokenizer: has the template.
        text: of the turn; markers in it are defused.
        placeholder: what the template writes for a picture.
        counts: image tokens of each picture.

    Raises:
        InputError: the template does not show every picture once.
    """
    content = [{"type": "image"} for _ in counts]
    content.append({"type": "text", "text": defuse_markers(text, tokenizer)})
    turn = [{"role": "user", "content": content}]
    rendered = tokenizer.apply_chat_template(turn, tokenize=False, add_generation_prompt=True)
    rendered = rendered.removeprefix(start_of_text(tokenizer))
    return expand_placeholders(rendered, placeholder, counts)


def start_of_text(tokenizer: Any) -> str:
    """What the tokenizer puts before every text, such as ``<s>``; "" for nothing."""
    return str(tokenizer.decode(tokenizer("")["input_ids"]))


def defuse_markers(text: str, tokenizer: Any) -> str:
    """``mmie.markers.defuse_markers`` with the markers of the tokenizer.

    Prompts and the responses to learn both pass through here, so that a name is spelled alike in
    the two.
    """
    return markers.defuse_markers(text, marker_texts(tokenizer))


def marker_texts(tokenizer: Any) -> list[str]:
    """The texts of the tokenizer's added tokens, in the order of their ids."""
    return [token.content for token in tokenizer.added_tokens_decoder.values()]


def expand_placeholders(rendered: str, placeholder: str, counts: Sequence[int]) -> str:
    """Replaces the i-th placeholder by ``counts[i]`` copies of itself.

    Raises:
        InputError: the number of placeholders is not that of the pictures.
    """
    before, *rest = rendered.split(placeholder)
    if len(rest) != len(counts):
        raise InputError(
            f"the chat template shows {len(rest)} pictures where the sample has {len(counts)}: "
            "check the template of model.path"
        )
    expanded = before
    for count, part in zip(counts, rest, strict=True):
        expanded += placeholder * count + part
    return expanded


def join_features(features: Sequence[Tensor], model: Any) -> Tensor:
    """The features of all pictures, [image tokens, H]; no rows for a prompt without pictures."""
    hidden_size = model.config.text_config.hidden_size
    return torch.cat([torch.empty(0, hidden_size, device=model.device), *features])
