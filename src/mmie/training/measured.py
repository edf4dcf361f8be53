"""What a GRPO step measures besides its loss: the seconds of its phases and its metrics.

It is separate from ``grpo.py`` so that the step there reads like section 3.3 of the paper.
"""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor

from mmie.importance import effective_sample_size, importance_weights
from mmie.losses import kl_divergence, masked, zero_variance
from mmie.models.policy import Policy
from mmie.settings import LearningConfig
from mmie.training.module import AdapterModule
from mmie.training.plan import MicroBatch
from mmie.training.rollouts import Rollouts

# For these the value of a step is the largest of its micro-batches, for all others their mean.
LARGEST = ("train/length_max", "train/sampling_logp_gap")


class MeasuredModule(AdapterModule):
    """An ``AdapterModule`` that logs its metrics once per optimizer step, not per micro-batch.

    Args:
        policy, config, steps: see ``AdapterModule``.
    """

    def __init__(self, policy: Policy, config: LearningConfig, *, steps: int) -> None:
        super().__init__(policy, config, steps=steps)
        self.metric_values: dict[str, list[float]] = defaultdict(list)
        self.phase_seconds: dict[str, float] = defaultdict(float)
        self.backward_start = 0.0

    @contextmanager
    def phase(self, name: str) -> Iterator[None]:
        """Adds the seconds of the ``with`` block to those of the named phase of this step."""
        start = time.perf_counter()
        yield
        self._add_seconds(name, start)

    def _add_seconds(self, name: str, start: float) -> None:
        if self.device.type == "cuda":
            # Kernels run asynchronously: without waiting, a phase would be charged for the
            # work of the one before.
            torch.cuda.synchronize(self.device)
        self.phase_seconds[name] += time.perf_counter() - start

    def log_step_metrics(
        self, batch: MicroBatch, loss: Tensor, metrics: Mapping[str, float]
    ) -> None:
        """Collects the metrics of a micro-batch, and logs those of the step after its last one.

        Args:
            batch: the micro-batch.
            loss: its weighted loss, a scalar.
            metrics: the others by name.
        """
        for name, value in {**metrics, "train/loss": float(loss.detach())}.items():
            self.metric_values[name].append(value)
        if not batch.closes_step:
            return
        for name, values in self.metric_values.items():
            largest = name in LARGEST
            self.log(
                name,
                max(values) if largest else sum(values) / len(values),
                prog_bar=name == "train/reward",
                batch_size=1,
                sync_dist=True,
                reduce_fx="max" if largest else "mean",
            )
        self.metric_values.clear()

    def on_before_backward(self, loss: Tensor) -> None:
        self.backward_start = time.perf_counter()

    def on_after_backward(self) -> None:
        self._add_seconds("backward", self.backward_start)

    def on_train_batch_end(self, outputs: Any, batch: MicroBatch, batch_idx: int) -> None:
        if batch.closes_step:
            seconds = {f"seconds/{name}": value for name, value in self.phase_seconds.items()}
            self.log_dict(seconds)
            self.phase_seconds.clear()


def micro_batch_metrics(
    rollouts: Rollouts,
    logps: Tensor,
    ref_logps: Tensor | None,
    *,
    sampled: Sequence[int] | None,
    correction: Mapping[str, Any],
) -> dict[str, float]:
    """The metrics of a micro-batch; docs/metrics.md explains each name.

    Args:
        rollouts: those of the micro-batch.
        logps: under the policy, [N, T].
        ref_logps: under the reference, [N, T]; None if there is no KL term.
        sampled: the groups in which ``logps`` should equal those of the rollout; None if the policy
            has been updated since.
        correction: arguments of ``importance_weights``.
    """
    responses, parts = rollouts.responses, rollouts.parts
    lengths = responses.mask.sum(1).float()
    metrics: dict[str, Any] = {"train/reward": rollouts.rewards.mean()}
    for name in parts[0]:
        if name != "reward":
            metrics[f"train/{name}"] = sum(part[name] for part in parts) / len(parts)
    metrics["train/reward_std"] = rollouts.rewards.std(1).mean()
    metrics["train/zero_variance_groups"] = zero_variance(rollouts.rewards).float().mean()
    metrics["train/length_mean"] = lengths.mean()
    metrics["train/length_max"] = lengths.max()
    if sampled is not None:
        metrics |= _gap_to_sampler(rollouts, logps, sampled, correction)
    if ref_logps is not None:
        kl = kl_divergence(logps, ref_logps, estimator="k3")
        metrics["train/kl"] = torch.where(responses.mask, kl, 0.0).sum() / rollouts.tokens
    return {name: float(value) for name, value in metrics.items()}


def _gap_to_sampler(
    rollouts: Rollouts, logps: Tensor, groups: Sequence[int], correction: Mapping[str, Any]
) -> dict[str, Tensor]:
    """How far ``logps`` are from those recorded while sampling, in the given groups."""
    responses = rollouts.responses
    mask = torch.zeros_like(responses.mask)
    rows = rollouts.rows_of(groups).to(mask.device)
    mask[rows] = responses.mask[rows]
    tokens = mask.sum().clamp(min=1)
    gaps = masked((logps - responses.logps).abs(), mask)
    weights = importance_weights(logps, responses.logps, mask, **correction)
    plain = {**correction, "correction": "none"}
    ratios = importance_weights(logps, responses.logps, mask, **plain)
    return {
        "train/sampling_logp_gap": gaps.max(),
        "train/sampling_logp_gap_mean": gaps.sum() / tokens,
        "train/effective_sample_size": effective_sample_size(weights, mask),
        "train/corrected_tokens": (weights != ratios).sum() / tokens,
    }
