"""Section 3.3: Group Relative Policy Optimization (GRPO) with rule-based rewards.

A KL term holds the policy near the frozen SFT adapter. Deviations from the paper, each a value of
the configuration:

1. The paper does not print G and the temperature of the rollout: ``grpo.group_size`` is 8 and
   ``grpo.temperature`` 1.0.
2. The standard deviation of eq. 6 is that of the sample, with 1e-4 added: ``grpo.unbiased_std``,
   ``grpo.advantage_eps``.
3. The KL term of eq. 7 is estimated per token by k3: ``grpo.kl_estimator``.

Later variants of GRPO are there as well and off by default: see ``losses.py`` and
``docs/options.md``.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from mmie.importance import importance_weights
from mmie.losses import group_advantages, grpo_loss
from mmie.models.policy import Policy
from mmie.serving.engine import Engine
from mmie.settings import ALL_AT_ONCE, GRPOConfig, MemoryConfig
from mmie.tasks.task import Task
from mmie.training.actor import Actor, Reward
from mmie.training.measured import MeasuredModule, micro_batch_metrics
from mmie.training.module import mean_over_processes
from mmie.training.plan import MicroBatch
from mmie.training.rollouts import Rollouts, logps_of_groups


class GRPOModule(MeasuredModule):
    """Samples G responses per prompt, then updates the policy on them once or several times.

    Shapes: B prompts of a micro-batch, G responses per prompt, N = B·G, T tokens.

    Args:
        policy: base with the adapters ``policy`` and, after a warm-up, ``reference``.
        task: makes prompts and parses responses.
        reward: eq. 5 for one response, with its parts.
        config: the ``grpo`` node.
        steps: number of optimizer steps.
        seed: with the step and the sample's id the only source of the rollout's randomness.
        memory: what a pass holds at once.
        engine: who samples the rollouts; None stands for the policy itself.
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
        memory: MemoryConfig = ALL_AT_ONCE,
        engine: Engine | None = None,
    ) -> None:
        super().__init__(policy, config, steps=steps)
        self.actor = Actor(policy, task, reward, config, seed=seed, engine=engine)
        self.grpo = config
        self.memory = memory
        self.last_rollouts: Rollouts | None = None
        self.normaliser: float | None = None
        self.first_logps: dict[int, Tensor] = {}  # of each micro-batch's start

    def training_step(self, batch: MicroBatch, index: int) -> Tensor:
        """Sample → reward → advantage → log-probabilities → loss."""
        rollouts = self.sample_and_reward(batch)  # o_1 … o_G of each prompt, eq. 2–5
        advantages = self.advantages(rollouts)  # Â, eq. 6
        groups = self.groups_with_gradient(advantages)
        ref_logps = self.reference_logps(rollouts, groups)  # log π_ref
        with self.phase("update"):
            logps = self.logps(rollouts, groups)  # log π
            old_logps = self.old_logps(batch, rollouts, logps.detach())  # log π_old
            loss = self.loss(rollouts, advantages, logps, old_logps, ref_logps)  # eq. 7
        self.require_finite(loss, batch)
        # Before the first update the policy is the one that sampled: the two must agree on log π.
        sampled = groups if batch.update == 0 else None
        metrics = micro_batch_metrics(
            rollouts,
            logps.detach(),
            ref_logps,
            sampled=sampled,
            correction=self.grpo.correction_terms,
        )
        self.log_step_metrics(batch, loss * batch.weight, metrics)
        return loss * batch.weight

    def sample_and_reward(self, batch: MicroBatch) -> Rollouts:
        """The micro-batch's part of the step's rollouts, which the first micro-batch makes for all.

        The responses of the step are decoded side by side, as many as ``memory.cache_gb`` allows:
        decoding reads the weights once per token, and that costs the same for many responses. The
        memory of the update grows with its prompts, so it goes through them in micro-batches.
        """
        if batch.opens_group:
            with self.phase("sample"):
                examples = batch.step_items or batch.items
                self.last_rollouts = self.actor.roll_out(examples, step=batch.step)
                self.normaliser = self._loss_normaliser(self.last_rollouts, len(batch.items))
        assert self.last_rollouts is not None
        return self.last_rollouts.select(range(batch.start, batch.start + len(batch.items)))

    def advantages(self, rollouts: Rollouts) -> Tensor:
        """Eq. 6, [B, G]."""
        return group_advantages(rollouts.rewards, **self.grpo.advantage_terms)

    def groups_with_gradient(self, advantages: Tensor) -> list[int]:
        """The groups to compute. Without a KL term those with equal rewards have gradient 0."""
        if self.grpo.kl_coef:
            return list(range(len(advantages)))
        return advantages.any(dim=1).nonzero()[:, 0].tolist()

    def reference_logps(self, rollouts: Rollouts, groups: Sequence[int]) -> Tensor | None:
        """log π_ref, [N, T], without gradient; None if eq. 7 has no KL term."""
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
            memory=self.memory,
        )

    def old_logps(self, batch: MicroBatch, rollouts: Rollouts, logps: Tensor) -> Tensor:
        """log π_old, [N, T]: under the policy at the time of sampling.

        With one update per group the policy has not moved since then, so π_old is π itself and the
        ratio of eq. 7 exactly 1. With several it is what the sampler recorded. That equals π up to
        rounding, which differs between decoding and this forward pass.

        A correction puts the difference between sampler and trainer into weights of its own. The
        ratio must not hold it a second time, so π_old is then the trainer's, at the first update.

        Args:
            batch: the micro-batch.
            rollouts: its responses.
            logps: log π before this update, without gradient, [N, T].
        """
        if self.grpo.updates_per_group == 1:
            return logps
        if not self.grpo.corrects_rollouts:
            return rollouts.responses.logps
        if batch.update == 0:
            self.first_logps[batch.start] = logps
        return self.first_logps[batch.start]

    def loss(
        self,
        rollouts: Rollouts,
        advantages: Tensor,
        logps: Tensor,
        old_logps: Tensor,
        ref_logps: Tensor | None,
    ) -> Tensor:
        """Eq. 7, a scalar."""
        return grpo_loss(
            logps,
            old_logps,
            ref_logps,
            advantages.flatten().to(logps),
            rollouts.responses.mask,
            normaliser=self.normaliser,
            weights=self.weights(rollouts, old_logps),
            **self.grpo.loss_terms,
        )

    def weights(self, rollouts: Rollouts, old_logps: Tensor) -> Tensor | None:
        """The weight of each token, [N, T]; None without a correction."""
        if not self.grpo.corrects_rollouts:
            return None
        responses = rollouts.responses
        terms = self.grpo.correction_terms
        return importance_weights(old_logps, responses.logps, responses.mask, **terms)

    def _loss_normaliser(self, rollouts: Rollouts, prompts: int) -> float | None:
        """What ``grpo_loss`` divides by, if it is not each response's own length.

        It is the length limit, or the mean number of tokens in a micro-batch, taken over the step
        and all processes. With each micro-batch's own tokens the loss would depend on how the step
        is cut.

        Args:
            rollouts: those of the step on this process.
            prompts: number of prompts in a micro-batch.
        """
        if self.grpo.normalise == "constant":
            return float(self.grpo.max_new_tokens)
        if self.grpo.normalise == "sequence":
            return None
        tokens = mean_over_processes(rollouts.tokens.float())
        return float(tokens) * prompts / len(rollouts.examples)

    def on_train_batch_start(self, batch: MicroBatch, batch_idx: int) -> None:
        # No dropout in rollout, reference and update: all three see the same policy.
        self.policy.eval()
