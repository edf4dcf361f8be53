"""Decoding beside the least time that the memory of the card allows."""

from __future__ import annotations

import tempfile
import warnings
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import torch

from mmie.bench.gpu.card import bandwidth_gb
from mmie.bench.gpu.notes import Notes
from mmie.bench.gpu.size import Size
from mmie.bench.gpu.work import autocast, make_examples, make_policy
from mmie.bench.meters import seconds_of
from mmie.config import RunConfig
from mmie.models.batch import PromptBatch
from mmie.models.policy import Policy
from mmie.models.shared_prefix import prefill

GRAPHS = {"graphs_off": False, "graphs_on": True}


def run(size: Size, notes: Notes) -> None:
    """Decodes the responses of all prompts, and of one, with CUDA graphs and without."""
    bandwidth = bandwidth_gb(size.copied)
    notes.add(bandwidth_gb=bandwidth)
    config = size.config()
    policy = make_policy(config)
    with tempfile.TemporaryDirectory() as folder:
        examples = make_examples(policy, size, Path(folder))
        prompts = [policy.encode(example.text, example.pictures) for example in examples]
    for name, graphs in GRAPHS.items():
        policy.cuda_graphs, measured = graphs, {}
        for count in (len(prompts), 1):
            decoding = Decoding(policy, config, policy.batch(prompts[:count]))
            measured[f"{count * size.group_size} rows"] = decoding.figures(bandwidth)
            notes.add(**{name: measured})


@dataclass
class Decoding:
    """The rollout of G responses to each prompt.

    Attributes:
        policy: its active adapter answers.
        config: ``grpo`` and the precision are used.
        prompts: B prompts.
    """

    policy: Policy
    config: RunConfig
    prompts: PromptBatch

    def figures(self, bandwidth: float) -> dict[str, Any]:
        """Seconds of a decoding step and tokens per second, beside the least possible time.

        A step reads all weights once, and the keys and values of all tokens before it.

        Args:
            bandwidth: of the card, GB/s.
        """
        assert self.config.grpo is not None
        rows, length = self._rows, self.config.grpo.max_new_tokens
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")  # a step that cannot be a graph is reported like that
            self.seconds(2)  # untimed: it starts the libraries
            first = self.seconds(1)
            step = (self.seconds(length) - first) / (length - 1)
        weights, cache = self.weight_bytes(), self.cache_bytes(length // 2)
        floor = weights / bandwidth / 1e9
        return {
            "warnings": sorted({str(warning.message) for warning in caught}),
            "prefill_seconds": first,
            "step_seconds": step,
            "tokens_per_second": rows / step,
            "weight_gb": weights / 1e9,
            "cache_gb": cache / 1e9,
            "floor_tokens_per_second": rows / floor,
            "share_of_floor": floor / step,
            "share_of_floor_with_cache": (weights + cache) / bandwidth / 1e9 / step,
        }

    @property
    def _rows(self) -> int:
        assert self.config.grpo is not None
        return len(self.prompts.ids) * self.config.grpo.group_size

    def seconds(self, new_tokens: int) -> float:
        """Seconds of prefill and decoding."""
        numbers = torch.rand(
            self._rows, new_tokens, dtype=torch.float64, generator=torch.Generator().manual_seed(0)
        )
        with autocast(self.config):
            return seconds_of(partial(self.policy.sample, self.prompts, numbers, temperature=1.0))

    def weight_bytes(self) -> int:
        """Of the decoder layers with the active adapter, and of the head."""
        model = self.policy.model.get_base_model()
        layers, head = model.get_decoder().layers, model.get_output_embeddings()
        named = [*layers.named_parameters(), *head.named_parameters()]
        read = [value for name, value in named if ".reference." not in name]
        return sum(value.numel() * value.element_size() for value in read)

    @torch.no_grad()
    def cache_bytes(self, new_tokens: int) -> int:
        """Of the keys and values of all rows after so many new tokens."""
        with autocast(self.config):
            cache: Any = prefill(self.policy.model, self.prompts)[0]
        count, length = self.prompts.ids.shape
        stored = sum(layer.keys.nbytes + layer.values.nbytes for layer in cache.layers)
        return stored // (count * length) * self._rows * (length + new_tokens)
