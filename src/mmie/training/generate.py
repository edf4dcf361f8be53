"""Responses to a list of examples.

The random numbers of a response belong to its example, not to its place in a batch.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager

import torch
from torch import Tensor

from mmie.errors import NotFiniteError
from mmie.models.batch import PromptBatch
from mmie.models.policy import Policy
from mmie.models.sampling import NotFiniteLogitsError
from mmie.tasks.task import Task
from mmie.types import Example, Responded, Sampling


def uniforms(keys: Sequence[str], *, group_size: int, sampling: Sampling) -> Tensor:
    """Random numbers in [0, 1) for sampling.

    A key always gives the same numbers, whatever the other keys are.

    Args:
        keys: the text that seeds each group, for example "rollout-<seed>-<step>-<sample>".
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


@contextmanager
def finite_logits(names: Sequence[str], *, where: str = "") -> Iterator[None]:
    """Reports NaN or infinite logits, met while sampling in the ``with`` block, in one line.

    Args:
        names: ids of the samples in the batch.
        where: stands before the sample in the message, for example the step.

    Raises:
        NotFiniteError: names the sample.
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
    """One response per example from the active adapter.

    Args:
        policy: the model.
        task: makes the prompts.
        examples: the result has their order.
        sampling: temperature and length limit.
        batch_size: examples decoded side by side; it does not change the random numbers.
        seed: with the example's id the only source of randomness.
        progress: called with the number of examples done since the last call.

    Raises:
        NotFiniteError: the model gives NaN or infinity.
    """
    responses: list[Responded] = []
    for start in range(0, len(examples), batch_size):
        part = examples[start : start + batch_size]
        keys = [f"respond-{seed}-{example.id}" for example in part]
        numbers = uniforms(keys, group_size=1, sampling=sampling)
        prompts = _prompts(policy, task, part)
        with finite_logits([example.id for example in part]):
            completions = policy.sample(prompts, numbers, temperature=sampling.temperature)
        truncated = (~completions.finished).tolist()
        responses += map(Responded, policy.text(completions), truncated)
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
    """Several responses per example; all prompts are prefilled together, and only once.

    Args:
        policy: the model; its active adapter answers.
        task: makes the prompts.
        examples: the result has their order.
        samples: responses per example. The first is that of ``respond``, and the first j of k are
            those of ``samples=j``.
        side_by_side: responses decoded at once; it changes memory and speed only.
        sampling: temperature and length limit.
        seed: with the example's id and the response's index the only source of randomness.

    Raises:
        NotFiniteError: the model gives NaN or infinity.
    """
    prompts = _prompts(policy, task, examples)
    keys: list[str] = []
    for example in examples:
        first = f"respond-{seed}-{example.id}"
        keys += [first, *(f"{first}-{index}" for index in range(1, samples))]
    numbers = uniforms(keys, group_size=1, sampling=sampling)
    with finite_logits([example.id for example in examples]):
        completions = policy.sample(
            prompts, numbers, temperature=sampling.temperature, side_by_side=side_by_side
        )
    texts = policy.text(completions)
    return [texts[start : start + samples] for start in range(0, len(texts), samples)]


def _prompts(policy: Policy, task: Task, examples: Sequence[Example]) -> PromptBatch:
    encoded = [policy.encode(task.prompt(example), example.pictures) for example in examples]
    return policy.batch(encoded)
