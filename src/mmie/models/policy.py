"""The policy: what the learning stages ask of a model. Encode a prompt, sample responses, score responses."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from mmie.data.pictures import open_picture
from mmie.models.adapters import AdaptedModel
from mmie.models.backbone import Backbone, Prompt, plain
from mmie.models.batch import Completions, PromptBatch, pad_completions, pad_prompts
from mmie.models.rows import row_logps
from mmie.models.sampling import sample
from mmie.models.shared_prefix import completion_logps
from mmie.models.vision_cache import FeatureStore, VisionCache, tower_digest
from mmie.types import Picture


class Policy(AdaptedModel):
    """Encodes, samples and scores with the active adapter.

    Args:
        backbone, rank, alpha, dropout, targets: see ``AdaptedModel``.
        max_pixels: bound of a picture's area before it reaches the image processor.
    """

    def __init__(
        self,
        backbone: Backbone,
        *,
        rank: int,
        alpha: int,
        dropout: float = 0.0,
        targets: str | None = None,
        max_pixels: int = 1 << 22,
    ) -> None:
        super().__init__(backbone, rank=rank, alpha=alpha, dropout=dropout, targets=targets)
        self.max_pixels = max_pixels
        self.vision = VisionCache()
        self._prompts: dict[tuple[str | Picture, ...], tuple[Tensor, Tensor]] = {}

    @property
    def pad_id(self) -> int:
        return int(self.backbone.tokenizer.pad_token_id)

    @property
    def eos_ids(self) -> list[int]:
        """Every id that ends a response: all of the generation config's and the tokenizer's own."""
        listed = self.backbone.model.generation_config.eos_token_id
        listed = [] if listed is None else listed if isinstance(listed, list) else [listed]
        return sorted({*listed, int(self.backbone.tokenizer.eos_token_id)})

    @property
    def suppressed(self) -> list[int]:
        """Ids that are never sampled: image and video markers, and the padding token unless it ends a response."""
        return sorted({*self.backbone.marker_ids, self.pad_id} - set(self.eos_ids))

    def encode(self, text: str, pictures: Sequence[Picture]) -> Prompt:
        """The prompt with its pictures' features; tokens and positions are kept, features as long as the cache holds them."""
        key: tuple[str | Picture, ...] = (text, *pictures)
        features = [self.features(picture) for picture in pictures]
        if key not in self._prompts:
            images = [open_picture(picture, max_pixels=self.max_pixels) for picture in pictures]
            encoded = self.backbone.encode(text, images, features)
            self._prompts[key] = (encoded.ids, encoded.positions)
        hidden = self.backbone.model.config.text_config.hidden_size
        return Prompt(
            *self._prompts[key], torch.cat([torch.empty(0, hidden, device=self.device), *features])
        )

    def features(self, picture: Picture) -> Tensor:
        """The frozen vision tower's output for one picture, [image tokens, hidden size]."""

        def compute() -> Tensor:
            with torch.autocast(
                self.device.type, enabled=False
            ):  # a trainer's precision is no part of what is kept
                return self.backbone.vision_features(
                    open_picture(picture, max_pixels=self.max_pixels)
                )

        return self.vision(picture, compute).to(self.device)

    def keep_features(self, folder: Path | None, *, max_bytes: int) -> None:
        """Features are kept in ``folder/<digest of tower and settings>`` and read from there, up to ``max_bytes`` of them in memory.

        Without a folder they are kept in memory alone.
        """
        if folder is None:
            self.vision = VisionCache(max_bytes=max_bytes)
            return
        settings = f"{self.backbone.vision_settings} {self.max_pixels}"
        self.vision = VisionCache(
            FeatureStore(folder / tower_digest(self.backbone.vision_modules, settings)),
            max_bytes=max_bytes,
        )

    def batch(self, prompts: Sequence[Prompt]) -> PromptBatch:
        return pad_prompts(prompts, pad_id=self.pad_id, device=self.device)

    def response_ids(self, response: str) -> list[int]:
        """Tokens of a response to learn, the turn's end included; markers in its text are dead."""
        text = plain(response, self.backbone.tokenizer)
        ids = self.backbone.tokenizer(text, add_special_tokens=False)["input_ids"]
        return [*ids, int(self.backbone.tokenizer.eos_token_id)]

    def given(self, responses: Sequence[Sequence[int]]) -> Completions:
        return pad_completions(responses, pad_id=self.pad_id, device=self.device)

    def text(self, completions: Completions) -> list[str]:
        """The responses as text, without special tokens."""
        rows = [
            tokens[mask].tolist()
            for tokens, mask in zip(completions.tokens.cpu(), completions.mask.cpu(), strict=True)
        ]
        return self.backbone.tokenizer.batch_decode(
            rows, skip_special_tokens=True, clean_up_tokenization_spaces=False
        )

    def sample(
        self,
        prompts: PromptBatch,
        uniforms: Tensor,
        *,
        temperature: float,
        side_by_side: int | None = None,
    ) -> Completions:
        """G responses a prompt from the active adapter, in eval mode (no dropout); arguments as in ``sampling.sample``."""
        with self.evaluating():
            return sample(
                self.model,
                prompts,
                uniforms,
                temperature=temperature,
                suppressed=self.suppressed,
                eos_ids=self.eos_ids,
                pad_id=self.pad_id,
                side_by_side=side_by_side,
            )

    def logps(
        self,
        prompts: PromptBatch,
        completions: Completions,
        *,
        temperature: float,
        micro_responses: int | None = None,
    ) -> Tensor:
        """Per-token log-probabilities [N, T] with each prompt computed once; see ``completion_logps``."""
        return completion_logps(
            self.model,
            prompts,
            completions,
            temperature=temperature,
            micro_responses=micro_responses,
        )

    def row_logps(self, prompts: PromptBatch, completions: Completions) -> Tensor:
        """The same from plain rows; works with gradient checkpointing."""
        return row_logps(self.model, prompts, completions)

    @contextlib.contextmanager
    def evaluating(self) -> Iterator[None]:
        """Eval mode for rollout and reference, whatever the mode before."""
        before = self.training
        self.eval()
        try:
            yield
        finally:
            self.train(before)


def build_policy(
    backbone: Any, *, rank: int, alpha: int, dropout: float, seed: int, targets: str | None = None
) -> Policy:
    """A policy whose fresh adapter depends on the seed alone."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return Policy(backbone, rank=rank, alpha=alpha, dropout=dropout, targets=targets)
