"""Responses to a list of examples, with random numbers that belong to the example, not to the batch."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import Tensor

from mmie.errors import NotFiniteError
from mmie.models.policy import Policy
from mmie.models.sampling import NotFiniteLogitsError
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
    return torch.rand(
        rows, length, generator=torch.Generator().manual_seed(seed), dtype=torch.float64
    )


@contextmanager
def finite_logits(names: Sequence[str], *, where: str = "") -> Iterator[None]:
    """Sampling that meets NaN or infinity is one line with the sample.

    Args:
        names: of the prompts in the batch.
        where: the step, say.

    Raises:
        NotFiniteError: with the sample's name.
    """
    try:
        yield
    except NotFiniteLogitsError as error:
        raise NotFiniteError("a logit", f"{where}sample {names[error.prompt]}") from error


@torch.no_grad()
def respond(
    policy: Policy,
    task: Task,
    examples: Sequence[Example],
    *,
    sampling: Sampling,
    batch_size: int,
    seed: int,
    progress: Callable[[int], None] = lambda done: None,
) -> list[Responded]:
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
        prompts = policy.batch(
            [policy.encode(task.prompt(example), example.pictures) for example in part]
        )
        numbers = uniforms(
            [f"respond-{seed}-{example.id}" for example in part], group_size=1, sampling=sampling
        )
        with finite_logits([example.id for example in part]):
            completions = policy.sample(prompts, numbers, temperature=sampling.temperature)
        responses += map(Responded, policy.text(completions), (~completions.finished).tolist())
        progress(len(part))
    return responses


@torch.no_grad()
def respond_often(
    policy: Policy,
    task: Task,
    examples: Sequence[Example],
    *,
    samples: int,
    side_by_side: int,
    sampling: Sampling,
    seed: int,
) -> list[list[str]]:
    """Several responses an example, whose prompts are all prefilled at once and only once.

    Args:
        policy: the model; its active adapter answers.
        task: makes the prompts.
        examples: in the order of the result.
        samples: responses an example. The first is that of ``respond``, the first j of k are those of ``samples=j``.
        side_by_side: responses decoded at once; changes memory and speed alone.
        sampling: temperature and length limit.
        seed: with the example's id and the response's index the only source of randomness.
    """
    prompts = policy.batch(
        [policy.encode(task.prompt(example), example.pictures) for example in examples]
    )
    keys = [
        f"respond-{seed}-{example.id}" + (f"-{index}" if index else "")
        for example in examples
        for index in range(samples)
    ]
    numbers = uniforms(keys, group_size=1, sampling=sampling)
    with finite_logits([example.id for example in examples]):
        completions = policy.sample(
            prompts, numbers, temperature=sampling.temperature, side_by_side=side_by_side
        )
    texts = policy.text(completions)
    return [texts[start : start + samples] for start in range(0, len(texts), samples)]
