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
        self._key_buffer, self._value_buffer = _with_room(keys, BLOCK), _with_room(values, BLOCK)
        self._refresh_views()

    def update(
        self, key_states: Tensor, value_states: Tensor, *args: Any, **kwargs: Any
    ) -> tuple[Tensor, Tensor]:
        """Appends [N, heads, new tokens, D]; returns all keys and values so far."""
        start = self._length
        self._length += key_states.shape[-2]
        while self._length > self._key_buffer.shape[-2]:
            self._key_buffer = _with_room(self._key_buffer, BLOCK)
            self._value_buffer = _with_room(self._value_buffer, BLOCK)
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


class FixedLayer(DynamicLayer):
    """One layer's keys and values in buffers whose size and place in memory stay the same.

    A CUDA graph repeats its kernels on the same addresses. So the place of the new token is read
    from a tensor, and attention sees the whole buffer: the caller's mask hides what is free.

    Args:
        keys, values: [N, heads, P, D]; they are copied.
        place: where the next token goes, int64 [1]; all layers share it.
    """

    keys: Tensor
    values: Tensor

    def __init__(self, keys: Tensor, values: Tensor, place: Tensor) -> None:
        super().__init__()
        self.lazy_initialization(keys, values)
        self._place = place
        self.keys, self.values = keys.clone(), values.clone()

    @property
    def capacity(self) -> int:
        """Tokens that the buffers hold."""
        return int(self.keys.shape[-2])

    def grow(self, tokens: int) -> None:
        """Makes room for more tokens, which moves the buffers."""
        self.keys, self.values = _with_room(self.keys, tokens), _with_room(self.values, tokens)

    def update(
        self, key_states: Tensor, value_states: Tensor, *args: Any, **kwargs: Any
    ) -> tuple[Tensor, Tensor]:
        """Writes one token, [N, heads, 1, D]; returns the whole buffers."""
        self.keys.index_copy_(2, self._place, key_states.to(self.keys.dtype))
        self.values.index_copy_(2, self._place, value_states.to(self.values.dtype))
        return self.keys, self.values


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


def fixed_cache(prompt_cache: Cache, owners: Tensor, place: Tensor) -> Cache:
    """The same with layers that stay where they are in memory; see ``FixedLayer``."""
    layers: list[Any] = prompt_cache.layers
    return Cache(
        layers=[FixedLayer(layer.keys[owners], layer.values[owners], place) for layer in layers]
    )


def _with_room(states: Tensor, tokens: int) -> Tensor:
    """With zeros behind: a free place has no weight in attention, but 0 times NaN would be NaN."""
    rows, heads, _, size = states.shape
    return torch.cat([states, states.new_zeros(rows, heads, tokens, size)], dim=-2)
