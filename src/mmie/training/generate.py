"""Responses to a list of examples.

The random numbers of a response belong to its example, not to its place in a batch.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager

import torch

from mmie.errors import NotFiniteError
from mmie.models.policy import Policy
from mmie.models.sampling import NotFiniteLogitsError
from mmie.serving.engine import Engine, Question
from mmie.serving.local import LocalEngine
from mmie.tasks.task import Task
from mmie.types import Example, Responded, Sampling


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
    engine: Engine | None = None,
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
        engine: who samples; None stands for the policy itself.
        progress: called with the number of examples done since the last call.

    Raises:
        NotFiniteError: the model gives NaN or infinity.
    """
    engine = engine or LocalEngine(policy)
    responses: list[Responded] = []
    for start in range(0, len(examples), batch_size):
        part = examples[start : start + batch_size]
        keys = [f"respond-{seed}-{example.id}" for example in part]
        asked = questions(policy, task, part)
        with finite_logits([example.id for example in part]):
            completions = engine.sample(asked, keys, sampling=sampling)
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
    engine: Engine | None = None,
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
        engine: who samples; None stands for the policy itself.

    Raises:
        NotFiniteError: the model gives NaN or infinity.
    """
    engine = engine or LocalEngine(policy)
    keys: list[str] = []
    for example in examples:
        first = f"respond-{seed}-{example.id}"
        keys += [first, *(f"{first}-{index}" for index in range(1, samples))]
    asked = questions(policy, task, examples)
    with finite_logits([example.id for example in examples]):
        completions = engine.sample(asked, keys, sampling=sampling, side_by_side=side_by_side)
    texts = policy.text(completions)
    return [texts[start : start + samples] for start in range(0, len(texts), samples)]


def questions(policy: Policy, task: Task, examples: Sequence[Example]) -> list[Question]:
    """The task's prompts to the examples, encoded."""
    return [
        Question(
            example.id,
            example.pictures,
            policy.encode(task.prompt(example), example.pictures),
        )
        for example in examples
    ]
