"""The engine of a run by default: the policy in this process, which every other is held against."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence

import torch
from torch import Tensor

from mmie.models.batch import Completions
from mmie.models.policy import Policy
from mmie.serving.engine import Question
from mmie.types import Sampling


class LocalEngine:
    """Samples with the policy itself. A response depends on its key and on nothing else."""

    name = ""

    def __init__(self, policy: Policy) -> None:
        self.policy = policy

    def sample(
        self,
        questions: Sequence[Question],
        keys: Sequence[str],
        *,
        sampling: Sampling,
        group_size: int = 1,
        side_by_side: int | None = None,
    ) -> Completions:
        """See ``Engine.sample``."""
        return self.policy.sample(
            self.policy.batch([question.prompt for question in questions]),
            uniforms(keys, group_size=group_size, sampling=sampling),
            temperature=sampling.temperature,
            side_by_side=side_by_side,
        )

    def close(self) -> None:
        """Nothing is held."""


def uniforms(keys: Sequence[str], *, group_size: int, sampling: Sampling) -> Tensor:
    """Random numbers in [0, 1) for sampling.

    A key always gives the same numbers, whatever the other keys are.

    Args:
        keys: see ``Engine.sample``.
        group_size: G.
        sampling: its length limit is T.

    Returns:
        float64 [len(keys)·G, T]; those of one key follow each other.
    """
    return torch.cat([_numbers(key, group_size, sampling.max_new_tokens) for key in keys])


def _numbers(key: str, rows: int, length: int) -> Tensor:
    seed = int.from_bytes(hashlib.sha256(key.encode()).digest()[:8], "big", signed=True)
    generator = torch.Generator().manual_seed(seed)
    return torch.rand(rows, length, generator=generator, dtype=torch.float64)
