"""Section 3.3: Group Relative Policy Optimization with rule-based rewards and a KL term against the frozen SFT adapter.

Deviations from the paper, each a config value:

1. G and the rollout temperature are not printed: ``grpo.group_size`` 8 and ``grpo.temperature`` 1.0.
2. The standard deviation of eq. 6 is the sample one with 1e-4 added: ``grpo.unbiased_std``, ``grpo.advantage_eps``.
3. The KL term of eq. 7 is estimated per token by k3: ``grpo.kl_estimator``.

What the field has tried since is there, too, and off: see ``losses.py`` and ``docs/options.md``.
"""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Protocol

import torch
from torch import Tensor

from mmie.losses import group_advantages, grpo_loss
from mmie.models.policy import Policy
from mmie.tasks.task import Task
from mmie.training.actor import Actor, ActorConfig, Reward
from mmie.training.module import AdapterModule, OptimizerConfig
from mmie.training.plan import MicroBatch
from mmie.training.rollouts import LARGEST, Rollouts, measure


class GRPOConfig(OptimizerConfig, ActorConfig, Protocol):
    """The ``grpo`` node as this module reads it."""

    updates_per_group: int
    micro_responses: int | None
    kl_coef: float
    kl_estimator: str
    advantage_eps: float
    advantage_scale: str
    unbiased_std: bool
    ratio: str
    normalise: str
    clip_low: float | None
    clip_high: float | None


class GRPOModule(AdapterModule):
    """Samples G responses a prompt, then updates the policy on them, once (eq. 7 without clipping) or several times.

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
        self.actor = Actor(policy, task, reward, config, seed=seed)
        self.grpo = config
        self.last_rollouts: Rollouts | None = None
        self.normaliser: float | None = None
        self.measured: dict[str, list[float]] = defaultdict(list)
        self.phase_seconds: dict[str, float] = defaultdict(float)

    def training_step(self, batch: MicroBatch, index: int) -> Tensor:
        grpo = self.grpo
        if batch.opens_group:
            with self.phase("sample"):
                self.last_rollouts = self.actor.roll_out(batch.whole or batch.items, step=batch.step)
                self.normaliser = self._normaliser(self.last_rollouts, len(batch.items))
        assert self.last_rollouts is not None
        rollouts = self.last_rollouts.at(range(batch.start, batch.start + len(batch.items)))
        advantages = self.advantages(rollouts)
        with self.phase("reference"), torch.no_grad(), self.policy.reference():
            ref_logps = self._logps(rollouts, advantages) if grpo.kl_coef else None
        with self.phase("update"):
            logps = self._logps(rollouts, advantages)
            old_logps = rollouts.responses.logps if grpo.updates_per_group > 1 else logps.detach()
            loss = grpo_loss(
                logps, old_logps, ref_logps, advantages.flatten().to(logps), rollouts.responses.mask,
                kl_coef=grpo.kl_coef, kl_estimator=grpo.kl_estimator, clip=self.clip,
                ratio=grpo.ratio, normalise=grpo.normalise, normaliser=self.normaliser,
            )  # fmt: skip
        self.finite(loss, batch)
        sampled = None if batch.update else self._needed(advantages)
        self._note(batch, loss * batch.weight, measure(rollouts, logps.detach(), ref_logps, sampled=sampled))
        return loss * batch.weight

    def advantages(self, rollouts: Rollouts) -> Tensor:
        """Eq. 6, [B, G]."""
        grpo = self.grpo
        return group_advantages(rollouts.rewards, eps=grpo.advantage_eps, unbiased=grpo.unbiased_std, scale=grpo.advantage_scale)

    def _needed(self, advantages: Tensor) -> list[int]:
        """The groups to compute: without a KL term those of equal rewards teach nothing."""
        return [place for place, group in enumerate(advantages) if self.grpo.kl_coef or group.any()]

    def _logps(self, rollouts: Rollouts, advantages: Tensor) -> Tensor:
        """log π of the responses, [N, T]; 0 where nothing is needed."""
        policy, grpo = self.policy, self.grpo
        needed = self._needed(advantages)
        zeros = torch.zeros(rollouts.responses.mask.shape, device=policy.device)
        if not needed:
            return zeros + self.trainable_zero()
        part = rollouts.at(needed)
        found = policy.logps(
            policy.batch(part.prompts), part.responses, temperature=grpo.temperature, micro_responses=grpo.micro_responses
        )
        rows = torch.tensor(needed, device=policy.device).repeat_interleave(grpo.group_size) * grpo.group_size
        rows += torch.arange(len(rows), device=policy.device) % grpo.group_size
        return zeros.to(found).index_copy(0, rows, torch.nn.functional.pad(found, (0, zeros.shape[1] - found.shape[1])))

    @property
    def clip(self) -> tuple[float, float] | None:
        low, high = self.grpo.clip_low, self.grpo.clip_high
        return None if low is None or high is None else (low, high)

    def _normaliser(self, rollouts: Rollouts, width: int) -> float | None:
        """What ``grpo_loss`` divides by: the length limit, or the tokens of a micro-batch, a mean over the step and all processes."""
        if self.grpo.normalise == "constant":
            return float(self.grpo.max_new_tokens)
        if self.grpo.normalise == "sequence":
            return None
        tokens: Any = rollouts.tokens.float()
        if self._trainer is not None:
            tokens = self.trainer.strategy.reduce(tokens, reduce_op="mean")
        return float(tokens) * width / len(rollouts.examples)

    def _note(self, batch: MicroBatch, loss: Tensor, measured: dict[str, float]) -> None:
        """Logs the step's metrics with its last micro-batch: means over micro-batches and processes, or the largest."""
        for name, value in {**measured, "train/loss": float(loss.detach())}.items():
            self.measured[name].append(value)
        if not batch.closes_step:
            return
        for name, values in self.measured.items():
            value = max(values) if name in LARGEST else sum(values) / len(values)
            self.log(
                name, value, prog_bar=name == "train/reward", batch_size=1, sync_dist=True,
                reduce_fx="max" if name in LARGEST else "mean",
            )  # fmt: skip
        self.measured.clear()

    def on_train_batch_start(self, batch: MicroBatch, batch_idx: int) -> None:
        self.policy.eval()  # no dropout in rollout, reference and update: all three see the same policy

    def on_before_backward(self, loss: Tensor) -> None:
        self.backward_start = time.perf_counter()

    def on_after_backward(self) -> None:
        self._clock("backward", self.backward_start)

    def on_train_batch_end(self, outputs: Any, batch: MicroBatch, batch_idx: int) -> None:
        if batch.closes_step:
            self.log_dict({f"seconds/{name}": value for name, value in self.phase_seconds.items()})
            self.phase_seconds.clear()

    @contextmanager
    def phase(self, name: str) -> Iterator[None]:
        start = time.perf_counter()
        yield
        self._clock(name, start)

    def _clock(self, name: str, start: float) -> None:
        if self.device.type == "cuda":
            torch.cuda.synchronize(self.device)
        self.phase_seconds[name] += time.perf_counter() - start
