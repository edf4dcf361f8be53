"""What the rollout of one GRPO step produced, and its log-probabilities under a model."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from mmie.data.source import picture_to_json
from mmie.models.backbone import Prompt
from mmie.models.batch import Completions, concatenate, select_rows
from mmie.models.policy import Policy
from mmie.settings import MemoryConfig
from mmie.types import Example


@dataclass(frozen=True)
class Rollouts:
    """The responses of one step to B prompts, G for each.

    Row b·G + i of ``responses``, ``texts`` and ``parts`` is response i of example b.

    Attributes:
        step: optimizer step.
        examples: B samples.
        prompts: B encoded prompts.
        responses: N = B·G completions.
        texts: the N responses as text.
        parts: of each response the reward and its parts, ``invalid`` and ``truncated`` as 0 or 1.
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
        """The number of tokens in all responses, a scalar."""
        return self.responses.mask.sum()

    def rows_of(self, places: Sequence[int]) -> Tensor:
        """Rows of the responses to the given examples, in their order, [len(places)·G]."""
        first_rows = torch.tensor(places, dtype=torch.long)[:, None] * self.group_size
        return (first_rows + torch.arange(self.group_size)).flatten()

    def select(self, places: Sequence[int]) -> Rollouts:
        """The rollouts of the given examples, padded no further than they need."""
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

    def with_replaced(self, places: Sequence[int], others: Rollouts) -> Rollouts:
        """The same with ``others`` in the places of the given examples."""
        both = Rollouts(
            step=self.step,
            examples=[*self.examples, *others.examples],
            prompts=[*self.prompts, *others.prompts],
            responses=concatenate([self.responses, others.responses]),
            texts=[*self.texts, *others.texts],
            parts=[*self.parts, *others.parts],
            group_size=self.group_size,
        )
        order = list(range(len(self.examples)))
        for offset, place in enumerate(places):
            order[place] = len(self.examples) + offset
        return both.select(order)

    def rows(self, advantages: Tensor) -> list[dict[str, Any]]:
        """One row per response: step, sample, picture, text, response, reward parts, advantage.

        Args:
            advantages: [B, G].
        """
        numbered = enumerate(advantages.flatten().tolist())
        return [self._row(number, advantage) for number, advantage in numbered]

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
    memory: MemoryConfig,
) -> Tensor:
    """log π of every response token under the active adapter, [N, T]; 0 in groups left out.

    Args:
        policy: the model.
        rollouts: B groups.
        groups: places of those to compute, at least one.
        temperature, memory: see ``mmie.models.shared_prefix.completion_logps``.
    """
    selected = rollouts.select(groups)
    logps = policy.logps(
        policy.batch(selected.prompts),
        selected.responses,
        temperature=temperature,
        memory=memory,
    )
    rows = rollouts.rows_of(groups).to(logps.device)
    # The selection is cut to its own longest response, the result is as wide as all of them.
    shape = rollouts.responses.mask.shape
    padded = torch.nn.functional.pad(logps, (0, shape[1] - logps.shape[1]))
    return logps.new_zeros(shape).index_copy(0, rows, padded)
