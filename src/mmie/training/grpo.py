"""Section 3.3: Group Relative Policy Optimization (GRPO) with rule-based rewards.

A KL term holds the policy near the frozen SFT adapter. Deviations from the paper, each a value of
the configuration:

1. G and the rollout temperature are not printed: ``grpo.group_size`` 8, ``grpo.temperature`` 1.0.
2. The standard deviation of eq. 6 is the sample's with 1e-4 added: ``grpo.unbiased_std``,
   ``grpo.advantage_eps``.
3. The KL term of eq. 7 is estimated per token by k3: ``grpo.kl_estimator``.

What the field has tried since is there as well, and off: see ``losses.py`` and ``docs/options.md``.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

from mmie.losses import group_advantages, grpo_loss
from mmie.models.policy import Policy
from mmie.settings import GRPOConfig
from mmie.tasks.task import Task
from mmie.training.actor import Actor, Reward
from mmie.training.measured import MeasuredModule
from mmie.training.plan import MicroBatch
from mmie.training.rollouts import Rollouts, logps_of_groups, measure


class GRPOModule(MeasuredModule):
    """Samples G responses per prompt, then updates the policy on them once or several times.

    Shapes: B prompts of a micro-batch, G responses per prompt, N = B·G, T tokens.

    Args:
        policy: base with the adapters ``policy`` and, after a warm-up, ``reference``.
        task: makes prompts, parses responses.
        reward: eq. 5 for one response, with its parts.
        config: the ``grpo`` node.
        steps: optimizer steps in all.
        seed: with the step and the sample's id the only source of the rollout's randomness.
    """

    def __init__(
        self,
        policy: Policy,
        task: Task,
        reward: Reward,
        config: GRPOConfig,
        *,
        steps: int,
        seed: int,
    ) -> None:
        super().__init__(policy, config, steps=steps)
        self.actor = Actor(policy, task, reward, config, seed=seed)
        self.grpo = config
        self.last_rollouts: Rollouts | None = None
        self.normaliser: float | None = None

    def training_step(self, batch: MicroBatch, index: int) -> Tensor:
        rollouts = self.sample_and_reward(batch)
        advantages = self.advantages(rollouts)
        groups = self.groups_with_signal(advantages)
        ref_logps = self.reference_logps(rollouts, groups)
        with self.phase("update"):
            logps = self.logps(rollouts, groups)
            loss = self.loss(rollouts, advantages, logps, ref_logps)
        self.finite(loss, batch)
        # The first update runs the policy that sampled, so both passes must agree on it.
        sampled = None if batch.update else groups
        metrics = measure(rollouts, logps.detach(), ref_logps, sampled=sampled)
        self.note(batch, loss * batch.weight, metrics)
        return loss * batch.weight

    def sample_and_reward(self, batch: MicroBatch) -> Rollouts:
        """The micro-batch's part of the step's rollouts, which its first micro-batch makes.

        The prompts of the step are decoded side by side, up to ``grpo.rollout_prompts`` of them:
        decoding is limited by reading the weights once per token. The update's memory grows with
        its prompts, so it goes in parts.
        """
        if batch.opens_group:
            with self.phase("sample"):
                examples = batch.whole or batch.items
                self.last_rollouts = self.actor.roll_out(examples, step=batch.step)
                self.normaliser = self._normaliser(self.last_rollouts, len(batch.items))
        assert self.last_rollouts is not None
        return self.last_rollouts.at(range(batch.start, batch.start + len(batch.items)))

    def advantages(self, rollouts: Rollouts) -> Tensor:
        """Eq. 6, [B, G]."""
        return group_advantages(rollouts.rewards, **self.grpo.advantage_terms)

    def groups_with_signal(self, advantages: Tensor) -> list[int]:
        """The groups to compute: without a KL term those of equal rewards have gradient 0."""
        return [place for place, group in enumerate(advantages) if self.grpo.kl_coef or group.any()]

    def reference_logps(self, rollouts: Rollouts, groups: Sequence[int]) -> Tensor | None:
        """log π_ref, [N, T], without gradient; None where eq. 7 has no KL term."""
        with self.phase("reference"), torch.no_grad(), self.policy.reference():
            return self.logps(rollouts, groups) if self.grpo.kl_coef else None

    def logps(self, rollouts: Rollouts, groups: Sequence[int]) -> Tensor:
        """log π of the responses under the active adapter, [N, T]; 0 in groups left out."""
        if not groups:
            # No forward, and yet a gradient of 0 for each parameter: other processes may have
            # groups to compute, and they wait for every process to share its gradients.
            zeros = torch.zeros(rollouts.responses.mask.shape, device=self.policy.device)
            return zeros + self.trainable_zero()
        return logps_of_groups(
            self.policy,
            rollouts,
            groups,
            temperature=self.grpo.temperature,
            micro_responses=self.grpo.micro_responses,
        )

    def loss(
        self, rollouts: Rollouts, advantages: Tensor, logps: Tensor, ref_logps: Tensor | None
    ) -> Tensor:
        """Eq. 7, a scalar.

        With one update per group the policy has not moved since it sampled, so π_old is π itself
        and the ratio exactly 1. The log-probabilities seen when sampling would serve as well but
        for rounding, which differs between decoding and this forward.
        """
        several = self.grpo.updates_per_group > 1
        return grpo_loss(
            logps,
            rollouts.responses.logps if several else logps.detach(),
            ref_logps,
            advantages.flatten().to(logps),
            rollouts.responses.mask,
            normaliser=self.normaliser,
            **self.grpo.loss_terms,
        )

    def _normaliser(self, rollouts: Rollouts, width: int) -> float | None:
        """What ``grpo_loss`` divides by, where it is not each response's own length.

        It is the length limit, or the tokens of a micro-batch as a mean over the step and all
        processes. With each micro-batch's own tokens the loss would depend on how the step is cut.
        """
        if self.grpo.normalise == "constant":
            return float(self.grpo.max_new_tokens)
        if self.grpo.normalise == "sequence":
            return None
        tokens: Any = rollouts.tokens.float()
        if self._trainer is not None:
            tokens = self.trainer.strategy.reduce(tokens, reduce_op="mean")
        return float(tokens) * width / len(rollouts.examples)

    def on_train_batch_start(self, batch: MicroBatch, batch_idx: int) -> None:
        # No dropout in rollout, reference and update: all three see the same policy.
        self.policy.eval()
