"""The two policies that the benchmark compares: ours, and one that repeats the prompt G times."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

from mmie.data.pictures import open_picture
from mmie.models.backbone import Prompt
from mmie.models.batch import Completions, PromptBatch
from mmie.models.policy import Policy
from mmie.models.rows import repeat_features, row_logps
from mmie.settings import ALL_AT_ONCE, MemoryConfig
from mmie.types import Picture


class FixedLength(Policy):
    """Never ends a response before the length limit, so that all engines do the same work."""

    @property
    def suppressed(self) -> list[int]:
        return sorted({*super().suppressed, *self.eos_ids})


class Repeated(FixedLength):
    """Computes prompt and pictures again for each of the G responses, as usual trainers do."""

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        self._recent_pictures: list[Picture] = []

    def encode(self, text: str, pictures: Sequence[Picture]) -> Prompt:
        self._recent_pictures += pictures
        return super().encode(text, pictures)

    def sample(
        self,
        prompts: PromptBatch,
        uniforms: Tensor,
        *,
        temperature: float,
        side_by_side: int | None = None,
    ) -> Completions:
        repeated = self._repeat(prompts, len(uniforms) // len(prompts.ids))
        return super().sample(
            repeated, uniforms, temperature=temperature, side_by_side=side_by_side
        )

    def logps(
        self,
        prompts: PromptBatch,
        completions: Completions,
        *,
        temperature: float,
        memory: MemoryConfig = ALL_AT_ONCE,
    ) -> Tensor:
        repeated = self._repeat(prompts, len(completions.tokens) // len(prompts.ids))
        return row_logps(self.model, repeated, completions, temperature=temperature, memory=memory)

    def _repeat(self, prompts: PromptBatch, group_size: int) -> PromptBatch:
        """Every prompt G times, each time with features computed from its picture."""
        rows = torch.arange(len(prompts.ids)).repeat_interleave(group_size)
        pictures = self._recent_pictures[-len(prompts.ids) :]  # each prompt has one
        features = torch.cat([self._features_of(pictures[row]) for row in rows.tolist()])
        assert torch.allclose(features, repeat_features(prompts, group_size), atol=1e-4)
        return PromptBatch(
            ids=prompts.ids[rows],
            mask=prompts.mask[rows],
            positions=prompts.positions[:, rows],
            next_position=prompts.next_position[rows],
            features=features,
            image_lengths=[prompts.image_lengths[row] for row in rows.tolist()],
        )

    def _features_of(self, picture: Picture) -> Tensor:
        return self.backbone.vision_features(open_picture(picture, max_pixels=self.max_pixels))
