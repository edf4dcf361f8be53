"""The policy: what the learning stages use of a model. It encodes prompts, samples and scores."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from mmie.data.pictures import open_picture
from mmie.models.adapters import AdaptedModel
from mmie.models.backbone import Backbone, Prompt, defuse_markers, join_features
from mmie.models.batch import Completions, PromptBatch, pad_completions, pad_prompts
from mmie.models.prompt_tokens import shape_of
from mmie.models.rows import row_logps
from mmie.models.sampling import Rules, sample
from mmie.models.shared_prefix import completion_logps
from mmie.models.vision_cache import FeatureStore, VisionCache, tower_digest
from mmie.settings import ALL_AT_ONCE, MemoryConfig
from mmie.types import Picture


class Policy(AdaptedModel):
    """Encodes, samples and scores with the active adapter.

    Shapes: B prompts, G responses per prompt, N = B·G, T tokens.

    Args:
        backbone, rank, alpha, dropout, targets: see ``AdaptedModel``.
        max_pixels: bound of a picture's area before it reaches the image processor.

    Attributes:
        cuda_graphs: whether decoding on a CUDA device captures its step as a graph.
        cache_gb: bounds the keys and values of responses that are decoded side by side; None for
            no bound.
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
        self.cuda_graphs = True
        self.cache_gb: float | None = None
        self._encoded: dict[tuple[str | Picture, ...], tuple[Tensor, Tensor]] = {}

    @property
    def pad_id(self) -> int:
        return int(self.backbone.tokenizer.pad_token_id)

    @property
    def eos_ids(self) -> list[int]:
        """Every id that ends a response: those of the generation config and of the tokenizer."""
        ends = self.backbone.model.generation_config.eos_token_id
        if ends is None:
            ends = []
        elif not isinstance(ends, list):
            ends = [ends]
        return sorted({*ends, int(self.backbone.tokenizer.eos_token_id)})

    @property
    def suppressed(self) -> list[int]:
        """Ids that are never sampled.

        These are the image and video markers, and the padding token unless it ends a response.
        """
        return sorted({*self.backbone.marker_ids, self.pad_id} - set(self.eos_ids))

    def encode(self, text: str, pictures: Sequence[Picture]) -> Prompt:
        """The prompt with its pictures' features.

        Token ids and positions of every prompt stay in memory; features stay there as long as
        ``VisionCache`` holds them.
        """
        key: tuple[str | Picture, ...] = (text, *pictures)
        features = [self.features(picture) for picture in pictures]
        if key not in self._encoded:
            images = [self._open(picture) for picture in pictures]
            prompt = self.backbone.encode(text, images, features)
            self._encoded[key] = (prompt.ids, prompt.positions)
        ids, positions = self._encoded[key]
        return Prompt(ids, positions, join_features(features, self.backbone.model))

    def features(self, picture: Picture) -> Tensor:
        """The frozen vision tower's output for one picture, [image tokens, hidden size]."""
        return self.vision(picture, lambda: self._compute_features(picture)).to(self.device)

    def _compute_features(self, picture: Picture) -> Tensor:
        # Features outlive the run, so they must not depend on the precision of its trainer.
        with torch.autocast(self.device.type, enabled=False):
            return self.backbone.vision_features(self._open(picture))

    def _open(self, picture: Picture) -> Any:
        return open_picture(picture, max_pixels=self.max_pixels)

    def keep_features(self, folder: Path | None, *, max_bytes: int) -> None:
        """Says where picture features are kept.

        Args:
            folder: features are stored in ``folder/<digest of tower and settings>`` and read from
                there in later runs; None keeps them in memory only.
            max_bytes: bound of the features in memory.
        """
        if folder is None:
            self.vision = VisionCache(max_bytes=max_bytes)
            return
        settings = f"{self.backbone.vision_settings} {self.max_pixels}"
        digest = tower_digest(self.backbone.vision_modules, settings)
        self.vision = VisionCache(FeatureStore(folder / digest), max_bytes=max_bytes)

    @contextlib.contextmanager
    def forgetting(self) -> Iterator[None]:
        """Inside, prompts and features are kept neither in memory nor on disk once the block ends.

        For questions that are asked once: a long file of them would fill both.
        """
        vision, encoded = self.vision, self._encoded
        self.vision, self._encoded = VisionCache(), {}
        try:
            yield
        finally:
            self.vision, self._encoded = vision, encoded

    def batch(self, prompts: Sequence[Prompt]) -> PromptBatch:
        return pad_prompts(prompts, pad_id=self.pad_id, device=self.device)

    def response_ids(self, response: str) -> list[int]:
        """Token ids of a response to learn, with the end of the turn; markers are defused."""
        text = defuse_markers(response, self.backbone.tokenizer)
        ids = self.backbone.tokenizer(text, add_special_tokens=False)["input_ids"]
        return [*ids, int(self.backbone.tokenizer.eos_token_id)]

    def completions_of(self, responses: Sequence[Sequence[int]]) -> Completions:
        """Given lists of token ids as one padded batch."""
        return pad_completions(responses, pad_id=self.pad_id, device=self.device)

    def text(self, completions: Completions) -> list[str]:
        """The responses as text, without special tokens."""
        all_tokens, masks = completions.tokens.cpu(), completions.mask.cpu()
        rows = [tokens[mask].tolist() for tokens, mask in zip(all_tokens, masks, strict=True)]
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
        """Draws G responses per prompt from the active adapter, in eval mode (no dropout).

        The adapter is merged for the time, which changes the rounding of log-probabilities.

        Args:
            prompts, uniforms, side_by_side: see ``mmie.models.sampling.sample``.
            temperature: divides the logits; 0 is greedy.
        """
        rules = Rules(temperature, self.suppressed, self.eos_ids, self.pad_id)
        graphs = self.cuda_graphs and self.device.type == "cuda"
        with self.evaluating(), self.merged():
            return sample(
                self.model,
                prompts,
                uniforms,
                rules,
                side_by_side=self._rows_side_by_side(prompts, uniforms, side_by_side),
                graphs=graphs,
            )

    def _rows_side_by_side(
        self, prompts: PromptBatch, uniforms: Tensor, wanted: int | None
    ) -> int | None:
        """``wanted`` responses, or fewer where their keys and values would pass ``cache_gb``."""
        if self.cache_gb is None:
            return wanted
        rows, limit = uniforms.shape
        model = self.backbone.model
        shape = shape_of(model.config, rank=0, value_bytes=model.dtype.itemsize)
        tokens = prompts.ids.shape[1] + limit
        return shape.rows_within(self.cache_gb, tokens=tokens, rows=wanted or rows)

    def logps(
        self,
        prompts: PromptBatch,
        completions: Completions,
        *,
        temperature: float,
        memory: MemoryConfig = ALL_AT_ONCE,
    ) -> Tensor:
        """Log-probabilities per token, [N, T], with each prompt computed once.

        See ``mmie.models.shared_prefix.completion_logps``.
        """
        return completion_logps(
            self.model,
            prompts,
            completions,
            temperature=temperature,
            memory=memory,
        )

    @contextlib.contextmanager
    def markers_excluded(self) -> Iterator[None]:
        """Inside the block, log-probabilities are those of what can be sampled.

        That is, of the distribution without ``suppressed``, as other engines report them.
        """
        ids = torch.tensor(self.suppressed, dtype=torch.long, device=self.device)

        def without(module: Any, inputs: Any, logits: Tensor) -> Tensor:
            return logits.index_fill(-1, ids, -torch.inf)

        hook = self.model.get_output_embeddings().register_forward_hook(without)
        try:
            yield
        finally:
            hook.remove()

    def row_logps(
        self, prompts: PromptBatch, completions: Completions, *, memory: MemoryConfig = ALL_AT_ONCE
    ) -> Tensor:
        """The same from repeated rows at temperature 1; see ``mmie.models.rows``."""
        return row_logps(self.model, prompts, completions, memory=memory)

    @contextlib.contextmanager
    def evaluating(self) -> Iterator[None]:
        """Eval mode inside the ``with`` block, the mode before it afterwards."""
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
