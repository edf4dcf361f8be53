"""GRPO on responses that another engine has drawn, so that two trainings differ in nothing else."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from helpers.served import adapt
from helpers.training_runs import WordTask, grpo_config, loop_config, make_examples, train_grpo
from mmie.models.batch import Completions
from mmie.models.policy import Policy
from mmie.types import Example, Picture

UPDATES = 5
TIMES = 10.0  # the gap is this much larger where its effect is estimated
ENDS = 6  # every sixth token ends a response


@dataclass(frozen=True)
class Drawn:
    """One rollout, and the policy's own log-probabilities less those recorded, [N, T]."""

    responses: Completions
    gap: Tensor


class Keeping:
    """Samples with another engine and keeps what it gave."""

    def __init__(self, engine: Any, policy: Policy) -> None:
        self.engine = engine
        self.policy = policy
        self.name = engine.name
        self.drawn: list[Drawn] = []

    def sample(self, questions: Any, keys: Any, **options: Any) -> Completions:
        responses: Completions = self.engine.sample(questions, keys, **options)
        own = own_logps(self.policy, questions, responses, options)
        gap = torch.where(responses.mask, own - responses.logps, 0.0)
        self.drawn.append(Drawn(responses, gap))
        return responses

    def close(self) -> None:
        self.engine.close()


class Replaying:
    """Gives the token ids that were kept, one rollout after the other.

    Their log-probabilities are the policy's own less ``times`` the gap: with 0 those of a sampler
    that computes as the policy does, with 1 those of the engine that has drawn them.
    """

    name = ""

    def __init__(self, drawn: Sequence[Drawn], policy: Policy, *, times: float) -> None:
        self.policy = policy
        self.times = times
        self._left = iter(drawn)

    def sample(self, questions: Any, keys: Any, **options: Any) -> Completions:
        kept = next(self._left)
        own = own_logps(self.policy, questions, kept.responses, options)
        return replace(kept.responses, logps=own - self.times * kept.gap)

    def close(self) -> None:
        pass


@torch.no_grad()
def own_logps(policy: Policy, questions: Any, responses: Completions, options: Any) -> Tensor:
    prompts = policy.batch([question.prompt for question in questions])
    return policy.logps(prompts, responses, temperature=options["sampling"].temperature)


class ThinkTask(WordTask):
    """Asks as the toy checkpoint was taught to be asked, so that it hardly wants image markers."""

    def prompt(self, example: Example) -> str:
        return f"text : {example.text} . think then answer ."


def examples_of(pictures: Sequence[Picture]) -> list[Example]:
    """Samples whose pictures the server need not resize, which it does with other rounding."""
    return make_examples([*pictures[:4], pictures[0], pictures[1]])


@contextmanager
def short_responses(policy: Policy) -> Iterator[None]:
    """Many tokens end a response, as one that is cut has no reward."""
    config = policy.backbone.model.generation_config
    before = config.eos_token_id
    config.eos_token_id = list(range(0, len(policy.backbone.tokenizer), ENDS))
    try:
        yield
    finally:
        config.eos_token_id = before


def trained(
    engine: Any, policy: Policy, examples: Sequence[Example], folder: Path, *, correction: str
) -> Tensor:
    """The adapter after five updates that begin at ``adapt(policy, 1)``, as one vector."""
    adapt(policy, 1)
    config = grpo_config(rollout_correction=correction, max_new_tokens=12, lr=5e-4)
    folder.mkdir()
    with short_responses(policy):
        train_grpo(
            policy,
            examples,
            folder,
            epochs=UPDATES * 2 / len(examples),
            batch_size=2,
            config=config,
            loop=loop_config(validations=1),
            engine=engine,
            task=ThinkTask(),
        )
    return vector(policy)


@dataclass(frozen=True)
class Compared:
    """Adapters after five updates on the same token ids.

    Attributes:
        gap: root mean square of the gap between the log-probabilities of all tokens.
        moved: by how much a weight has moved from the start, on average.
        apart: by how much it differs between the two trainings, on average.
        estimate: ``apart`` to first order, from a training with ten times the gap.
        explained: whether the local training with the gap ends with the very bits of the other.
    """

    gap: float
    moved: float
    apart: float
    estimate: float
    explained: bool


def compared_with_local(
    served: Tensor, drawn: Sequence[Drawn], policy: Policy, examples: Any, folder: Path
) -> Compared:
    """Holds the adapter of a training whose importance weights are truncated against local ones."""

    def local(times: float) -> Tensor:
        engine = Replaying(drawn, policy, times=times)
        return trained(engine, policy, examples, folder / f"{times}", correction="truncate")

    own = local(0.0)
    gaps = torch.cat([one.gap[one.responses.mask] for one in drawn])
    adapt(policy, 1)
    return Compared(
        gap=float(gaps.square().mean().sqrt()),
        moved=_mean(own - vector(policy)),
        apart=_mean(served - own),
        estimate=_mean(local(TIMES) - own) / TIMES,
        explained=torch.equal(local(1.0), served),
    )


def _mean(difference: Tensor) -> float:
    # Not the norm: where a gradient is nearly 0, its sign decides about a whole step of AdamW, and
    # such weights are most of the norm.
    return float(difference.abs().mean())


def vector(policy: Policy) -> Tensor:
    return torch.cat([value.flatten() for value in policy.adapter_state().values()])
