"""The key-value cache of the rollout: a prompt's rows once for each response, with room for what is decoded."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor
from transformers import DynamicCache
from transformers.cache_utils import DynamicLayer

BLOCK = 64  # tokens by which the room grows


class RoomyLayer(DynamicLayer):
    """Writes new tokens into room kept free for them; the stock layer copies all it holds at every token.

    Args:
        keys, values: [N, heads, P, D], copied.
    """

    def __init__(self, keys: Tensor, values: Tensor) -> None:
        super().__init__()
        self.lazy_initialization(keys, values)
        self._length = keys.shape[-2]
        self._keys, self._values = _widened(keys), _widened(values)
        self._show()

    def update(
        self, key_states: Tensor, value_states: Tensor, *args: Any, **kwargs: Any
    ) -> tuple[Tensor, Tensor]:
        start, self._length = self._length, self._length + key_states.shape[-2]
        while self._length > self._keys.shape[-2]:
            self._keys, self._values = _widened(self._keys), _widened(self._values)
        self._keys[:, :, start : self._length] = key_states
        self._values[:, :, start : self._length] = value_states
        return self._show()

    def batch_select_indices(self, indices: Tensor) -> None:
        self._keys, self._values = self._keys[indices], self._values[indices]
        self._show()

    def _show(self) -> tuple[Tensor, Tensor]:
        self.keys, self.values = (
            self._keys[:, :, : self._length],
            self._values[:, :, : self._length],
        )
        return self.keys, self.values


def decode_cache(prompts: DynamicCache, owners: Tensor, config: Any) -> DynamicCache:
    """A cache of a row for each response from one of a row for each prompt; no gradient is kept.

    Args:
        prompts: as ``prefill`` leaves it.
        owners: the prompt of each response, [rows].
        config: of the language model.
    """
    cache = DynamicCache(config=config)
    layers: list[Any] = prompts.layers
    cache.layers = [RoomyLayer(layer.keys[owners], layer.values[owners]) for layer in layers]
    return cache


def _widened(states: Tensor) -> Tensor:
    rows, heads, _, size = states.shape
    return torch.cat([states, states.new_empty(rows, heads, BLOCK, size)], dim=-2)
