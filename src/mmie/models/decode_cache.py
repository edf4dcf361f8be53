"""The key-value cache of the rollout: one row per response, with room to grow."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor
from transformers import Cache
from transformers.cache_utils import DynamicLayer

BLOCK = 64  # tokens by which the buffers grow


class PreallocatedLayer(DynamicLayer):
    """One layer's keys and values in buffers with free room at the end.

    The stock layer concatenates, which copies all of the cache for every new token. This one writes
    the new token into its buffer and copies only when a block is full. ``keys`` and ``values``, the
    attributes that transformers reads, are views of the part in use.

    Args:
        keys, values: [N, heads, P, D]; they are copied.
    """

    def __init__(self, keys: Tensor, values: Tensor) -> None:
        super().__init__()
        self.lazy_initialization(keys, values)
        self._length = keys.shape[-2]
        self._key_buffer, self._value_buffer = _with_free_block(keys), _with_free_block(values)
        self._refresh_views()

    def update(
        self, key_states: Tensor, value_states: Tensor, *args: Any, **kwargs: Any
    ) -> tuple[Tensor, Tensor]:
        """Appends [N, heads, new tokens, D]; returns all keys and values so far."""
        start = self._length
        self._length += key_states.shape[-2]
        while self._length > self._key_buffer.shape[-2]:
            self._key_buffer = _with_free_block(self._key_buffer)
            self._value_buffer = _with_free_block(self._value_buffer)
        self._key_buffer[:, :, start : self._length] = key_states
        self._value_buffer[:, :, start : self._length] = value_states
        return self._refresh_views()

    def batch_select_indices(self, indices: Tensor) -> None:
        """Keeps the given rows only."""
        self._key_buffer = self._key_buffer[indices]
        self._value_buffer = self._value_buffer[indices]
        self._refresh_views()

    def _refresh_views(self) -> tuple[Tensor, Tensor]:
        keys = self._key_buffer[:, :, : self._length]
        values = self._value_buffer[:, :, : self._length]
        self.keys, self.values = keys, values
        return keys, values


def decode_cache(prompt_cache: Cache, owners: Tensor) -> Cache:
    """A cache with one row per response, copied from one with one row per prompt.

    It keeps no gradient.

    Args:
        prompt_cache: as ``prefill`` returns it.
        owners: the prompt of each response, [N].
    """
    layers: list[Any] = prompt_cache.layers
    return Cache(
        layers=[PreallocatedLayer(layer.keys[owners], layer.values[owners]) for layer in layers]
    )


def _with_free_block(states: Tensor) -> Tensor:
    rows, heads, _, size = states.shape
    return torch.cat([states, states.new_empty(rows, heads, BLOCK, size)], dim=-2)
