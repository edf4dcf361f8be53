"""LLaVA-1.5: a fixed number of image tokens per picture and ordinary 1-D positions."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import torch
from PIL import Image
from torch import Tensor, nn
from transformers import LlavaForConditionalGeneration
from transformers.models.clip.image_processing_pil_clip import CLIPImageProcessorPil

from mmie.models.backbone import (
    Prompt,
    join_features,
    load_model,
    load_pretrained,
    load_tokenizer,
    render_prompt,
    resolve_path,
)

PLACEHOLDER = "<image>"


class Llava:
    """A LLaVA-1.5 checkpoint in the Hugging Face layout.

    Args:
        path: local folder, hub name, or ``mmie:…`` for one inside the package.
        dtype: float32 or bfloat16.
        attention: an attention implementation of transformers (sdpa, eager, flash_attention_2).
    """

    lora_targets = r".*language_model.*\.(q|k|v|o|gate|up|down)_proj"
    hub_names: Mapping[str, str] = {
        "model.language_model.": "language_model.model.",
        "lm_head.": "language_model.lm_head.",
        "model.vision_tower.": "vision_tower.vision_model.",
        "model.multi_modal_projector.": "multi_modal_projector.",
    }

    def __init__(self, path: str, *, dtype: str = "float32", attention: str = "sdpa") -> None:
        folder = resolve_path(path)
        self.model = load_model(
            LlavaForConditionalGeneration, folder, dtype=dtype, attention=attention
        )
        self.tokenizer = load_tokenizer(folder)
        self.processor = load_pretrained(CLIPImageProcessorPil, folder)
        self.marker_ids = [self.model.config.image_token_id]

    @property
    def processor_settings(self) -> dict[str, Any]:
        """A picture's tokens are those of the patches; CLIP's class token is the additional one."""
        config = self.model.config
        return {
            "processor_class": "LlavaProcessor",
            "image_token": PLACEHOLDER,
            "num_additional_image_tokens": 1,
            "patch_size": config.vision_config.patch_size,
            "vision_feature_select_strategy": config.vision_feature_select_strategy,
        }

    @property
    def vision_modules(self) -> Sequence[nn.Module]:
        return [self.model.model.vision_tower, self.model.model.multi_modal_projector]

    @property
    def vision_settings(self) -> str:
        config = self.model.config
        layers = f"{config.vision_feature_layer} {config.vision_feature_select_strategy}"
        return f"{self.processor.to_json_string()} {layers}"

    @staticmethod
    def picture_counter(
        config: Any, folder: str, settings: Mapping[str, Any]
    ) -> Callable[[tuple[int, int]], int]:
        vision = config.vision_config
        tokens = (vision.image_size // vision.patch_size) ** 2
        return lambda size: tokens

    @torch.no_grad()
    def vision_features(self, picture: Image.Image) -> Tensor:
        pixels = self.processor(images=[picture], return_tensors="pt")["pixel_values"]
        config = self.model.config
        outputs = self.model.model.get_image_features(
            pixel_values=pixels.to(self.model.device, self.model.dtype),
            vision_feature_layer=config.vision_feature_layer,
            vision_feature_select_strategy=config.vision_feature_select_strategy,
        )
        return outputs.pooler_output[0]

    def resized(self, picture: Image.Image) -> Image.Image:
        as_pixels = {"do_rescale": False, "do_normalize": False, "return_tensors": "np"}
        pixels = self.processor(images=[picture], **as_pixels)["pixel_values"][0]
        return Image.fromarray(pixels.transpose(1, 2, 0).astype("uint8"))

    def encode(
        self, text: str, pictures: Sequence[Image.Image], features: Sequence[Tensor]
    ) -> Prompt:
        counts = [len(feature) for feature in features]
        rendered = render_prompt(self.tokenizer, text, PLACEHOLDER, counts)
        ids = self.tokenizer(rendered, add_special_tokens=True, return_tensors="pt")["input_ids"][0]
        return Prompt(ids, torch.arange(len(ids))[None], join_features(features, self.model))
