"""What one GRPO step produced, as numbers to log and rows to look at."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from mmie.losses import kl_divergence
from mmie.models.batch import Completions
from mmie.types import Example


@dataclass(frozen=True)
class Rollouts:
    """The responses of one step: row b·G + i of ``texts`` and ``parts`` is response i of example b.

    Attributes:
        step: optimizer step.
        examples: B samples.
        texts: N responses.
        parts: reward and its parts a response, ``invalid`` and ``truncated`` as 0 or 1.
        group_size: G.
    """

    step: int
    examples: list[Example]
    texts: list[str]
    parts: list[dict[str, Any]]
    group_size: int

    @property
    def rewards(self) -> Tensor:
        """[B, G]."""
        return torch.tensor([part["reward"] for part in self.parts]).view(len(self.examples), self.group_size)

    def rows(self) -> list[dict[str, Any]]:
        """One row a response: step, sample, picture, text, response, reward parts."""
        return [
            {"step": self.step, "id": example.id, "image": [str(picture.path) for picture in example.pictures],
             "text": example.text, "response": text, **part}
            for example, text, part in zip(
                (example for example in self.examples for _ in range(self.group_size)), self.texts, self.parts, strict=True
            )
        ]  # fmt: skip


def measure(rollouts: Rollouts, responses: Completions, logps: Tensor, ref_logps: Tensor) -> dict[str, Tensor | float]:
    """The step's metrics; each name is explained in experiments/metrics.md."""
    lengths = responses.mask.sum(1).float()
    tokens = responses.mask.sum()
    spread = rollouts.rewards.max(1).values - rollouts.rewards.min(1).values
    kl = kl_divergence(logps, ref_logps, estimator="k3")
    names = [name for name in rollouts.parts[0] if name != "reward"]
    return {
        **{f"train/{name}": sum(part[name] for part in rollouts.parts) / len(rollouts.parts) for name in names},
        "train/reward_std": rollouts.rewards.std(1).mean(),
        "train/zero_variance_groups": (spread == 0).float().mean(),
        "train/kl": torch.where(responses.mask, kl, 0.0).sum() / tokens,
        "train/length_mean": lengths.mean(),
        "train/length_max": lengths.max(),
        "train/sampling_logp_gap": torch.where(responses.mask, (logps - responses.logps).abs(), 0.0).max(),
    }
