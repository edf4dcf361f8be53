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
from mmie.models.batch import Completions, concatenate, select_rows
from mmie.models.policy import Policy
from mmie.types import Example

# Of these a step's value is the largest of its micro-batches, not their mean.
LARGEST = ("train/length_max", "train/sampling_logp_gap")


@dataclass(frozen=True)
class Rollouts:
    """The responses of one step.

    Row b·G + i of ``responses``, ``texts`` and ``parts`` is response i of example b.

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
        rewards = torch.tensor([part["reward"] for part in self.parts])
        return rewards.view(len(self.examples), self.group_size)

    @property
    def tokens(self) -> Tensor:
        """Tokens of all responses, a scalar."""
        return self.responses.mask.sum()

    def rows_of(self, places: Sequence[int]) -> Tensor:
        """Rows of the responses to the given examples, in their order, [len(places)·G]."""
        turns = torch.arange(self.group_size)
        return (torch.tensor(places, dtype=torch.long)[:, None] * self.group_size + turns).flatten()

    def at(self, places: Sequence[int]) -> Rollouts:
        """Those of the given examples, padded no further than they need."""
        rows = self.rows_of(places).tolist()
        return Rollouts(
            step=self.step,
            examples=[self.examples[place] for place in places],
            prompts=[self.prompts[place] for place in places],
            responses=select_rows(self.responses, rows),
            texts=[self.texts[row] for row in rows],
            parts=[self.parts[row] for row in rows],
            group_size=self.group_size,
        )

    def replaced(self, places: Sequence[int], others: Rollouts) -> Rollouts:
        """``others`` in the places of the given examples."""
        both = Rollouts(
            step=self.step,
            examples=[*self.examples, *others.examples],
            prompts=[*self.prompts, *others.prompts],
            responses=concatenate([self.responses, others.responses]),
            texts=[*self.texts, *others.texts],
            parts=[*self.parts, *others.parts],
            group_size=self.group_size,
        )
        new = {place: len(self.examples) + turn for turn, place in enumerate(places)}
        return both.at([new.get(place, place) for place in range(len(self.examples))])

    def rows(self, advantages: Tensor) -> list[dict[str, Any]]:
        """One row per response: step, sample, picture, text, response, reward parts, advantage.

        Args:
            advantages: [B, G].
        """
        return [
            self._row(number, advantage)
            for number, advantage in enumerate(advantages.flatten().tolist())
        ]

    def _row(self, number: int, advantage: float) -> dict[str, Any]:
        example = self.examples[number // self.group_size]
        return {
            "step": self.step,
            "id": example.id,
            "image": [picture_to_json(picture) for picture in example.pictures],
            "text": example.text,
            "response": self.texts[number],
            **self.parts[number],
            "advantage": advantage,
        }


def logps_of_groups(
    policy: Policy,
    rollouts: Rollouts,
    groups: Sequence[int],
    *,
    temperature: float,
    micro_responses: int | None,
) -> Tensor:
    """log π of every response token under the active adapter, [N, T]; 0 in groups left out.

    Args:
        policy: the model.
        rollouts: B groups.
        groups: places of those to compute, at least one.
        temperature, micro_responses: see ``mmie.models.shared_prefix.completion_logps``.
    """
    part = rollouts.at(groups)
    computed = policy.logps(
        policy.batch(part.prompts),
        part.responses,
        temperature=temperature,
        micro_responses=micro_responses,
    )
    rows = rollouts.rows_of(groups).to(computed.device)
    # The part is cut to its own longest response, the result has the width of all of them.
    width = rollouts.responses.mask.shape[1]
    wide = torch.nn.functional.pad(computed, (0, width - computed.shape[1]))
    return computed.new_zeros(rollouts.responses.mask.shape).index_copy(0, rows, wide)


def measure(
    rollouts: Rollouts,
    logps: Tensor | None,
    ref_logps: Tensor | None,
    *,
    sampled: Sequence[int] | None,
) -> dict[str, float]:
    """The metrics of a micro-batch; each name is explained in docs/metrics.md.

    Args:
        rollouts: of the micro-batch.
        logps: [N, T] under the policy, None where no response was worth a forward.
        ref_logps: [N, T] under the reference, None where it is not asked.
        sampled: the groups whose ``logps`` should be those of the rollout; None where the policy
            has been updated since.
    """
    responses, parts = rollouts.responses, rollouts.parts
    lengths = responses.mask.sum(1).float()
    names = [name for name in parts[0] if name != "reward"]
    measured: dict[str, Any] = {
        "train/reward": rollouts.rewards.mean(),
        **{f"train/{name}": sum(part[name] for part in parts) / len(parts) for name in names},
        "train/reward_std": rollouts.rewards.std(1).mean(),
        "train/zero_variance_groups": zero_variance(rollouts.rewards).float().mean(),
        "train/length_mean": lengths.mean(),
        "train/length_max": lengths.max(),
    }
    if logps is not None and sampled is not None:
        gaps = torch.where(responses.mask, (logps - responses.logps).abs(), 0.0)
        of_group = gaps.unflatten(0, (-1, rollouts.group_size))
        measured["train/sampling_logp_gap"] = of_group[list(sampled)].max() if sampled else 0.0
    if logps is not None and ref_logps is not None:
        kl = kl_divergence(logps, ref_logps, estimator="k3")
        measured["train/kl"] = torch.where(responses.mask, kl, 0.0).sum() / rollouts.tokens
    return {name: float(value) for name, value in measured.items()}
