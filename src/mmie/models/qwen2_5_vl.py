"""Qwen2.5-VL: pictures of any resolution, 3-D rotary positions, vision markers."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from PIL import Image
from torch import Tensor, nn
from transformers import Qwen2_5_VLForConditionalGeneration
from transformers.models.qwen2_vl.image_processing_pil_qwen2_vl import (
    Qwen2VLImageProcessorPil,
    smart_resize,
)

from mmie.models.backbone import (
    Prompt,
    join_features,
    load_model,
    load_pretrained,
    load_tokenizer,
    render_prompt,
    resolve_path,
)

PLACEHOLDER = "<|image_pad|>"
MARKERS = ("<|image_pad|>", "<|video_pad|>", "<|vision_start|>", "<|vision_end|>", "<|vision_pad|>")

# Bounds of a picture's area in the published checkpoints' preprocessor_config.json.
LEAST_PIXELS, MOST_PIXELS = 3136, 12845056


class Qwen25VL:
    """A Qwen2.5-VL checkpoint in the Hugging Face layout.

    Args:
        path: local folder, hub name, or ``mmie:…`` for one inside the package.
        dtype: float32 or bfloat16.
        max_pixels: upper bound of a picture's area after resizing (28 x 28 pixels are one token);
            None keeps the checkpoint's own.
        attention: an attention implementation of transformers (sdpa, eager, flash_attention_2).
    """

    # The language model only: the seven names alone would also match the gate, up and down
    # projections of the vision tower's MLP.
    lora_targets = r".*language_model.*\.(q|k|v|o|gate|up|down)_proj"
    hub_names: Mapping[str, str] = {"model.language_model.": "model.", "model.visual.": "visual."}

    def __init__(
        self,
        path: str,
        *,
        dtype: str = "float32",
        max_pixels: int | None = None,
        attention: str = "sdpa",
    ) -> None:
        folder = resolve_path(path)
        self.model = load_model(
            Qwen2_5_VLForConditionalGeneration, folder, dtype=dtype, attention=attention
        )
        self.tokenizer = load_tokenizer(folder)
        bound = {} if max_pixels is None else {"max_pixels": max_pixels}
        self.processor = load_pretrained(Qwen2VLImageProcessorPil, folder, **bound)
        vocabulary = self.tokenizer.get_vocab()
        self.marker_ids = [vocabulary[marker] for marker in MARKERS if marker in vocabulary]

    @property
    def processor_settings(self) -> dict[str, Any]:
        return {"processor_class": "Qwen2_5_VLProcessor"}

    @property
    def vision_modules(self) -> Sequence[nn.Module]:
        return [self.model.model.visual]

    @property
    def vision_settings(self) -> str:
        return self.processor.to_json_string()

    @staticmethod
    def picture_counter(
        config: Any, folder: str, settings: Mapping[str, Any]
    ) -> Callable[[tuple[int, int]], int]:
        local = Path(folder).is_dir()
        processor = load_pretrained(Qwen2VLImageProcessorPil, folder) if local else None
        patches = config.vision_config
        factor = patches.patch_size * patches.spatial_merge_size
        least = processor.size["shortest_edge"] if processor else LEAST_PIXELS
        most = settings.get("max_pixels") or (
            processor.size["longest_edge"] if processor else MOST_PIXELS
        )

        def count(size: tuple[int, int]) -> int:
            width, height = size
            height, width = smart_resize(
                height, width, factor=factor, min_pixels=least, max_pixels=most
            )
            return width * height // factor**2

        return count

    def _grid(self, picture: Image.Image) -> Tensor:
        """(time, height, width) in patches, [1, 3], without reading the pixels."""
        height, width = self._sides(picture)
        patch = self.processor.patch_size
        return torch.tensor([[1, height // patch, width // patch]])

    def _sides(self, picture: Image.Image) -> tuple[int, int]:
        """Height and width after resizing."""
        settings = self.processor
        height, width = smart_resize(
            picture.height,
            picture.width,
            factor=settings.patch_size * settings.merge_size,
            min_pixels=settings.size["shortest_edge"],
            max_pixels=settings.size["longest_edge"],
        )
        return height, width

    def resized(self, picture: Image.Image) -> Image.Image:
        height, width = self._sides(picture)
        return picture.resize((width, height), self.processor.resample)

    @torch.no_grad()
    def vision_features(self, picture: Image.Image) -> Tensor:
        processed = self.processor(images=[picture], return_tensors="pt")
        device = self.model.device
        outputs = self.model.model.get_image_features(
            processed["pixel_values"].to(device), processed["image_grid_thw"].to(device)
        )
        return outputs.pooler_output[0]

    def encode(
        self, text: str, pictures: Sequence[Image.Image], features: Sequence[Tensor]
    ) -> Prompt:
        counts = [len(feature) for feature in features]
        rendered = render_prompt(self.tokenizer, text, PLACEHOLDER, counts)
        ids = self.tokenizer(rendered, add_special_tokens=False, return_tensors="pt")["input_ids"]
        grids = torch.cat([self._grid(picture) for picture in pictures]) if pictures else None
        kinds = (ids == self.model.config.image_token_id).int()
        positions, _ = self.model.model.get_rope_index(
            ids, mm_token_type_ids=kinds, image_grid_thw=grids
        )
        return Prompt(ids[0], positions[:, 0], join_features(features, self.model))
