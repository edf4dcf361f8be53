"""What one GRPO step produced, as numbers to log and rows to look at."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from mmie.data.source import picture_to_json
from mmie.losses import kl_divergence, zero_variance
from mmie.models.backbone import Prompt
from mmie.models.batch import Completions, joined, rows_at
from mmie.types import Example

LARGEST = ("train/length_max", "train/sampling_logp_gap")  # the step's is the largest of its micro-batches', not their mean


@dataclass(frozen=True)
class Rollouts:
    """The responses of one step: row b·G + i of ``responses``, ``texts`` and ``parts`` is response i of example b.

    Attributes:
        step: optimizer step.
        examples: B samples.
        prompts: encoded, one a sample.
        responses: N.
        texts: N responses.
        parts: reward and its parts a response, ``invalid`` and ``truncated`` as 0 or 1.
        group_size: G.
    """

    step: int
    examples: Sequence[Example]
    prompts: Sequence[Prompt]
    responses: Completions
    texts: Sequence[str]
    parts: Sequence[Mapping[str, Any]]
    group_size: int

    @property
    def rewards(self) -> Tensor:
        """[B, G]."""
        return torch.tensor([part["reward"] for part in self.parts]).view(len(self.examples), self.group_size)

    @property
    def tokens(self) -> Tensor:
        """Tokens of all responses, a scalar."""
        return self.responses.mask.sum()

    def at(self, places: Sequence[int]) -> Rollouts:
        """Those of the given examples, padded no further than they need."""
        rows = [place * self.group_size + turn for place in places for turn in range(self.group_size)]
        return Rollouts(
            self.step, [self.examples[place] for place in places], [self.prompts[place] for place in places],
            rows_at(self.responses, rows), [self.texts[row] for row in rows], [self.parts[row] for row in rows], self.group_size,
        )  # fmt: skip

    def replaced(self, places: Sequence[int], others: Rollouts) -> Rollouts:
        """``others`` in the places of the given examples."""
        both = Rollouts(
            self.step, [*self.examples, *others.examples], [*self.prompts, *others.prompts],
            joined([self.responses, others.responses]), [*self.texts, *others.texts], [*self.parts, *others.parts], self.group_size,
        )  # fmt: skip
        new = {place: len(self.examples) + turn for turn, place in enumerate(places)}
        return both.at([new.get(place, place) for place in range(len(self.examples))])

    def rows(self, advantages: Tensor) -> list[dict[str, Any]]:
        """One row a response: step, sample, picture, text, response, reward parts, advantage ([B, G])."""
        return [
            {"step": self.step, "id": example.id, "image": [picture_to_json(picture) for picture in example.pictures],
             "text": example.text, "response": text, **part, "advantage": advantage}
            for example, text, part, advantage in zip(
                (example for example in self.examples for _ in range(self.group_size)), self.texts, self.parts,
                advantages.flatten().tolist(), strict=True,
            )
        ]  # fmt: skip


def measure(rollouts: Rollouts, logps: Tensor | None, ref_logps: Tensor | None, *, sampled: Sequence[int] | None) -> dict[str, float]:
    """The metrics of a micro-batch; each name is explained in docs/metrics.md.

    Args:
        rollouts: of the micro-batch.
        logps: [N, T] under the policy, None where no response was worth a forward.
        ref_logps: [N, T] under the reference, None where it is not asked.
        sampled: the groups whose ``logps`` should be those of the rollout; None where the policy has been updated since.
    """
    responses = rollouts.responses
    lengths = responses.mask.sum(1).float()
    names = [name for name in rollouts.parts[0] if name != "reward"]
    measured: dict[str, Any] = {
        "train/reward": rollouts.rewards.mean(),
        **{f"train/{name}": sum(part[name] for part in rollouts.parts) / len(rollouts.parts) for name in names},
        "train/reward_std": rollouts.rewards.std(1).mean(),
        "train/zero_variance_groups": zero_variance(rollouts.rewards).float().mean(),
        "train/length_mean": lengths.mean(),
        "train/length_max": lengths.max(),
    }
    if logps is not None and sampled is not None:
        gaps = torch.where(responses.mask, (logps - responses.logps).abs(), 0.0).unflatten(0, (-1, rollouts.group_size))
        measured["train/sampling_logp_gap"] = gaps[list(sampled)].max() if sampled else 0.0
    if logps is not None and ref_logps is not None:
        kl = kl_divergence(logps, ref_logps, estimator="k3")
        measured["train/kl"] = torch.where(responses.mask, kl, 0.0).sum() / rollouts.tokens
    return {name: float(value) for name, value in measured.items()}
