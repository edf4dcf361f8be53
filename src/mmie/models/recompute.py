"""Two exact ways to hold less memory in a pass that keeps its gradient.

1. Decoder layers are computed again in the backward pass, one at a time. Between the two passes
   only each layer's input is kept, not its attention and MLP activations.
2. The language-model head is applied to slices of the hidden states. The logits of all tokens at
   once would be the largest tensor of the pass: tokens × vocabulary, in float32, several copies.

Both give the same values and gradients as the plain pass. The first costs one more forward pass,
the second one more product with the head.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from functools import partial
from typing import Any

import torch
from torch import Tensor
from torch.utils.checkpoint import checkpoint
from transformers import Cache
from transformers.cache_utils import DynamicLayer

from mmie.losses import token_logps
from mmie.models.forward import causal_model


@contextlib.contextmanager
def recomputed_layers(model: Any, *, active: bool) -> Iterator[None]:
    """Inside the ``with`` block, the decoder layers keep only their inputs for the backward pass.

    Each layer gets another ``forward`` for that time. transformers can do this as well, but only in
    training mode and without a cache, which the shared prefix needs. The backward pass may run
    after the block, because it computes the layer's own ``forward`` again.

    Args:
        model: the causal model, with or without adapters.
        active: whether to do so. Where no gradient is kept, nothing is ever computed again.
    """
    if not (active and torch.is_grad_enabled()):
        yield
        return
    layers = causal_model(model).get_decoder().layers
    for layer in layers:
        # SFT may have dropout. ``checkpoint`` draws the same numbers again in the backward pass.
        layer.forward = partial(checkpoint, layer.forward, use_reentrant=False)
    try:
        yield
    finally:
        for layer in layers:
            del layer.forward  # the class's method again


class RecordingLayer(DynamicLayer):
    """Keeps the keys and values of one pass, and returns them unchanged.

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
    """Puts the prompt's keys and values before those of the responses, which it does not keep.

    ``update`` changes no state, so a layer that is computed again sees the same as the first time.
    It makes the copies of a prompt's row, one per response. In a layer that is computed again they
    are therefore freed with the layer's other activations.

    Args:
        keys, values: those of the prompts, [B, heads, P, D].
        rows: the prompt of each response, [N].
    """

    def __init__(self, keys: Tensor, values: Tensor, rows: Tensor) -> None:
        super().__init__()
        self.lazy_initialization(keys, values)
        self.keys, self.values = keys, values  # transformers reads the length from them
        self._prompt_keys, self._prompt_values, self._rows = keys, values, rows

    def update(
        self, key_states: Tensor, value_states: Tensor, *args: Any, **kwargs: Any
    ) -> tuple[Tensor, Tensor]:
        # The gradient of index_select is summed in a fixed order. That of keys[rows] is not, so
        # two runs would differ.
        keys = self._prompt_keys.index_select(0, self._rows)
        values = self._prompt_values.index_select(0, self._rows)
        return torch.cat([keys, key_states], dim=-2), torch.cat([values, value_states], dim=-2)


def recording_cache() -> Cache:
    """An empty cache for the prompt pass."""
    return Cache(layer_class_to_replicate=RecordingLayer)


def prefix_cache(prompts: Cache, rows: Tensor) -> Cache:
    """The cache of a response pass over the prompts that ``prompts`` holds; see ``PrefixLayer``."""
    layers: list[Any] = prompts.layers
    return Cache(layers=[PrefixLayer(layer.keys, layer.values, rows) for layer in layers])


def head_logps(
    head: Any, hidden: Tensor, tokens: Tensor, *, temperature: float, chunk: int | None
) -> Tensor:
    """Log-probability of each token, given the hidden state before it, [N, T].

    Args:
        head: the language-model head, [H] → [V].
        hidden: [N, T, H].
        tokens: [N, T].
        temperature: divides the logits.
        chunk: tokens whose logits are held at once. They are computed again in the backward pass.
            None holds the logits of all tokens and computes nothing again.
    """

    def scored(part: Tensor, wanted: Tensor) -> Tensor:
        return token_logps(head(part), wanted, temperature=temperature)

    # Flat, because hidden is a slice. Over three dimensions that do not lie one behind the other in
    # memory torch would copy the head's weight once per row.
    flat, wanted = hidden.flatten(0, 1), tokens.flatten()
    if chunk is None:
        return scored(flat, wanted).view_as(tokens)
    parts = [
        checkpoint(scored, part, of_part, use_reentrant=False)
        for part, of_part in zip(flat.split(chunk), wanted.split(chunk), strict=True)
    ]
    return torch.cat(parts).view_as(tokens)
