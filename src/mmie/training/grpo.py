"""Section 3.3: Group Relative Policy Optimization with rule-based rewards and a KL term against the frozen SFT adapter.

Deviations from the paper, each a config value:

1. G and the rollout temperature are not printed: ``grpo.group_size`` 8 and ``grpo.temperature`` 1.0.
2. The standard deviation of eq. 6 is the sample one with 1e-4 added: ``grpo.unbiased_std``, ``grpo.advantage_eps``.
3. The KL term of eq. 7 is estimated per token by k3: ``grpo.kl_estimator``.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, Protocol

import torch
from torch import Tensor

from mmie.losses import group_advantages, grpo_loss
from mmie.models.batch import Completions
from mmie.models.policy import Policy
from mmie.tasks.task import Task
from mmie.training.generate import Sampling, uniforms
from mmie.training.module import AdapterModule, OptimizerConfig
from mmie.training.plan import MicroBatch
from mmie.training.rollouts import Rollouts, measure
from mmie.types import Example

Reward = Callable[..., dict[str, float]]


class GRPOConfig(OptimizerConfig, Protocol):
    """The ``grpo`` node as this module reads it."""

    group_size: int
    temperature: float
    max_new_tokens: int
    kl_coef: float
    kl_estimator: str
    advantage_eps: float
    unbiased_std: bool


class GRPOModule(AdapterModule):
    """One update for each group of G responses (eq. 7 without clipping).

    Args:
        policy: base with the adapters ``policy`` and, after a warm-up, ``reference``.
        task: makes prompts, parses responses.
        reward: eq. 5 for one response, with its parts.
        config: the ``grpo`` node.
        steps: optimizer steps in all.
        seed: with the step and the sample's id the only source of the rollout's randomness.
    """

    def __init__(self, policy: Policy, task: Task, reward: Reward, config: GRPOConfig, *, steps: int, seed: int) -> None:
        super().__init__(policy, config, steps=steps)
        self.task = task
        self.reward = reward
        self.grpo = config
        self.seed = seed
        self.sampling = Sampling(config.temperature, config.max_new_tokens)
        self.last_rollouts: Rollouts | None = None
        self.phase_seconds: dict[str, float] = {}

    def training_step(self, batch: MicroBatch, index: int) -> Tensor:
        policy, grpo = self.policy, self.grpo
        prompts = policy.batch([policy.encode(self.task.prompt(example), example.pictures) for example in batch.items])
        with self.phase("sample"):
            numbers = uniforms(self._keys(batch), group_size=grpo.group_size, sampling=self.sampling)
            responses = policy.sample(prompts, numbers, temperature=grpo.temperature)
        with self.phase("reward"):
            rollouts = self.judge(batch, responses)
            advantages = group_advantages(rollouts.rewards, eps=grpo.advantage_eps, unbiased=grpo.unbiased_std)
        with self.phase("reference"), torch.no_grad(), policy.reference():
            ref_logps = policy.logps(prompts, responses, temperature=grpo.temperature)
        with self.phase("update"):
            logps = policy.logps(prompts, responses, temperature=grpo.temperature)
            loss = grpo_loss(
                logps, logps.detach(), ref_logps, advantages.flatten().to(logps), responses.mask,
                kl_coef=grpo.kl_coef, kl_estimator=grpo.kl_estimator,
            )  # fmt: skip
        self.last_rollouts = rollouts
        self.log_dict(measure(rollouts, responses, logps.detach(), ref_logps), batch_size=len(batch.items))
        self.log("train/reward", rollouts.rewards.mean(), prog_bar=True, batch_size=len(batch.items))
        self.log("train/loss", loss.detach(), batch_size=len(batch.items))
        return loss * batch.weight

    def judge(self, batch: MicroBatch, responses: Completions) -> Rollouts:
        """Rewards every response; a response cut at the length limit is an invalid one."""
        texts, group_size = self.policy.text(responses), self.grpo.group_size
        owners = [example for example in batch.items for _ in range(group_size)]
        parts = [self._reward(*row) for row in zip(owners, texts, responses.finished.tolist(), strict=True)]
        return Rollouts(batch.step, list(batch.items), texts, parts, group_size)

    def _reward(self, example: Example, response: str, finished: bool) -> dict[str, Any]:
        text = response if finished else ""
        predicted = self.task.parse(text)
        answer, gold_answer = self.task.answer_of(text), self.task.gold_answer(example)
        parts = self.reward(text, predicted, example.gold, answer, gold_answer)
        return {**parts, "invalid": float(predicted is None), "truncated": float(not finished)}

    def _keys(self, batch: MicroBatch) -> list[str]:
        return [f"rollout-{self.seed}-{batch.step}-{example.id}" for example in batch.items]

    def on_train_batch_start(self, batch: MicroBatch, batch_idx: int) -> None:
        self.policy.eval()  # no dropout in rollout, reference and update: all three see the same policy

    def on_train_batch_end(self, outputs: Any, batch: MicroBatch, batch_idx: int) -> None:
        self.log_dict({f"seconds/{name}": value for name, value in self.phase_seconds.items()})

    @contextmanager
    def phase(self, name: str) -> Iterator[None]:
        start = time.perf_counter()
        yield
        if self.device.type == "cuda":
            torch.cuda.synchronize(self.device)
        self.phase_seconds[name] = time.perf_counter() - start
