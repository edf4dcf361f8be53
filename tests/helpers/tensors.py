"""Small tensors for tests of the equations."""

from __future__ import annotations

import math

import torch
from torch import Tensor, tensor

LN2, LN3 = math.log(2), math.log(3)
NAN, INF = math.nan, math.inf


def double(values: object, *, grad: bool = False) -> Tensor:
    return tensor(values, dtype=torch.float64, requires_grad=grad)


def random_batch(*, n: int = 4, t: int = 5) -> tuple[list[Tensor], Tensor, Tensor]:
    generator = torch.Generator().manual_seed(0)
    logps = [-torch.rand(n, t, generator=generator, dtype=torch.float64) * 3 for _ in range(3)]
    lengths = tensor([5, 1, 3, 2])[:n, None]
    advantages = torch.randn(n, generator=generator, dtype=torch.float64)
    return logps, advantages, torch.arange(t)[None] < lengths
