"""Responses to a list of examples, with random numbers that belong to the example, not to the batch."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import Tensor

from mmie.models.policy import Policy
from mmie.tasks.task import Task
from mmie.types import Example


@dataclass(frozen=True)
class Sampling:
    """How responses are drawn: ``temperature`` divides the logits, ``max_new_tokens`` is the length limit."""

    temperature: float
    max_new_tokens: int


class Responded(NamedTuple):
    """One response; ``truncated`` where the length limit cut it before its end."""

    text: str
    truncated: bool


def uniforms(keys: Sequence[str], *, group_size: int, sampling: Sampling) -> Tensor:
    """Random numbers [len(keys)·G, T], float64: G rows a key, the same for the same key in whatever batch it stands."""
    return torch.cat([_numbers(key, group_size, sampling.max_new_tokens) for key in keys])


def _numbers(key: str, rows: int, length: int) -> Tensor:
    seed = int.from_bytes(hashlib.sha256(key.encode()).digest()[:8], "big", signed=True)
    return torch.rand(rows, length, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


@torch.no_grad()
def respond(
    policy: Policy, task: Task, examples: Sequence[Example], *, sampling: Sampling, batch_size: int, seed: int,
    progress: Callable[[int], None] = lambda done: None,
) -> list[Responded]:  # fmt: skip
    """One response an example from the active adapter.

    Args:
        policy: the model.
        task: makes the prompts.
        examples: in the order of the result.
        sampling: temperature and length limit.
        batch_size: examples decoded side by side; does not change the random numbers.
        seed: with the example's id the only source of randomness.
        progress: called with the number of examples done since the last call.
    """
    responses: list[Responded] = []
    for start in range(0, len(examples), batch_size):
        part = examples[start : start + batch_size]
        prompts = policy.batch([policy.encode(task.prompt(example), example.pictures) for example in part])
        numbers = uniforms([f"respond-{seed}-{example.id}" for example in part], group_size=1, sampling=sampling)
        completions = policy.sample(prompts, numbers, temperature=sampling.temperature)
        responses += map(Responded, policy.text(completions), (~completions.finished).tolist())
        progress(len(part))
    return responses
