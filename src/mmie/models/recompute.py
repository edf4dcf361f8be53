"""Two exact ways to hold less memory in a pass that keeps its gradient.

1. Decoder layers are computed again in the backward pass, one at a time. Between the two passes
   only each layer's input is kept, not its attention and MLP activations.
2. The language-model head is applied to slices of the hidden states. The logits of all tokens at
   once would be the largest tensor of the pass: tokens × vocabulary, in float32, several copies.

Both give the same values and gradients as the plain pass. The first costs one more forward pass.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from functools import partial
from typing import Any

import torch
from torch import Tensor
from torch.utils.checkpoint import checkpoint
from transformers import DynamicCache
from transformers.cache_utils import DynamicLayer

from mmie.losses import token_logps
from mmie.models.forward import causal_model


@contextlib.contextmanager
def recomputed_layers(model: Any, *, active: bool) -> Iterator[None]:
    """Inside the ``with`` block, the decoder layers keep only their inputs for the backward pass.

    Each layer gets another ``forward`` for that time. transformers has a switch for this, too, but
    it works in training mode alone and takes the cache away from the layers, which the shared
    prefix needs. The backward pass may run after the block: what it computes again is the layer's
    own ``forward``.

    Args:
        model: the causal model, with or without adapters.
        active: whether to do so; where no gradient is kept there is nothing to compute again.
    """
    if not (active and torch.is_grad_enabled()):
        yield
        return
    layers = causal_model(model).get_decoder().layers
    for layer in layers:
        # There may be dropout in SFT, so the state of the random generators is kept.
        layer.forward = partial(checkpoint, layer.forward, use_reentrant=False)
    try:
        yield
    finally:
        for layer in layers:
            del layer.forward  # the class's method again


class RecordingLayer(DynamicLayer):
    """Keeps the keys and values of one pass, and gives them back as they are.

    A layer that is computed again in the backward pass calls ``update`` a second time. The stock
    layer would then append the same tokens once more.
    """

    def update(
        self, key_states: Tensor, value_states: Tensor, *args: Any, **kwargs: Any
    ) -> tuple[Tensor, Tensor]:
        if not self.is_initialized:
            self.lazy_initialization(key_states, value_states)
            self.keys, self.values = key_states, value_states
        return key_states, value_states


class PrefixLayer(DynamicLayer):
    """The prompt's keys and values before those of the pass, of which it keeps nothing.

    ``update`` changes no state, so a layer that is computed again sees what it saw at first. The
    copies of a prompt's row, one per response, are made inside the layer and go with it.

    Args:
        keys, values: of the prompts, [B, heads, P, D].
        rows: the prompt of each response, [rows].
    """

    def __init__(self, keys: Tensor, values: Tensor, rows: Tensor) -> None:
        super().__init__()
        self.lazy_initialization(keys, values)
        self.keys, self.values = keys, values  # transformers reads the length from them
        self._prompt_keys, self._prompt_values, self._rows = keys, values, rows

    def update(
        self, key_states: Tensor, value_states: Tensor, *args: Any, **kwargs: Any
    ) -> tuple[Tensor, Tensor]:
        # The gradient of index_select adds up in the same order every time; that of keys[rows] in
        # any, so that two runs would differ.
        keys = self._prompt_keys.index_select(0, self._rows)
        values = self._prompt_values.index_select(0, self._rows)
        return torch.cat([keys, key_states], dim=-2), torch.cat([values, value_states], dim=-2)


def recording_cache(config: Any) -> DynamicCache:
    """An empty cache for the prompt pass."""
    cache = DynamicCache(config=config)
    cache.layers = [RecordingLayer() for _ in range(config.num_hidden_layers)]
    return cache


def prefix_cache(prompts: DynamicCache, rows: Tensor, config: Any) -> DynamicCache:
    """The cache of a response pass over the prompts that ``prompts`` holds; see ``PrefixLayer``."""
    cache = DynamicCache(config=config)
    layers: list[Any] = prompts.layers
    cache.layers = [PrefixLayer(layer.keys, layer.values, rows) for layer in layers]
    return cache


def head_logps(
    head: Any, hidden: Tensor, tokens: Tensor, *, temperature: float, chunk: int | None
) -> Tensor:
    """log-probability of each token under the hidden state before it, [N, T].

    Args:
        head: the language-model head, [H] → [V].
        hidden: [N, T, H].
        tokens: [N, T].
        temperature: divides the logits.
        chunk: tokens whose logits are held at once, computed again in the backward pass; None holds
            all of them and computes nothing again.
    """

    def scored(part: Tensor, wanted: Tensor) -> Tensor:
        return token_logps(head(part), wanted, temperature=temperature)

    if chunk is None:
        return scored(hidden, tokens)
    parts = [
        checkpoint(scored, part, wanted, use_reentrant=False, preserve_rng_state=False)
        for part, wanted in zip(
            hidden.flatten(0, 1).split(chunk), tokens.flatten().split(chunk), strict=True
        )
    ]
    return torch.cat(parts).view_as(tokens)
