"""Picture features, computed once a picture as long as they fit a bounded memory."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Hashable

from torch import Tensor


class VisionCache:
    """The least recently used features leave when the bound is passed.

    Args:
        max_bytes: of features held.
    """

    def __init__(self, max_bytes: int = 2 << 30) -> None:
        self.max_bytes = max_bytes
        self.held = 0
        self.computed = 0
        self._features: OrderedDict[Hashable, Tensor] = OrderedDict()

    def __call__(self, key: Hashable, compute: Callable[[], Tensor]) -> Tensor:
        if key in self._features:
            self._features.move_to_end(key)
            return self._features[key]
        value = self._features[key] = compute()
        self.computed += 1
        self.held += value.nbytes
        while self.held > self.max_bytes and len(self._features) > 1:
            self.held -= self._features.popitem(last=False)[1].nbytes
        return value
