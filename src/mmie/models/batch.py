"""Padding in one place: prompts on the left, completions on the right.

Shapes: B prompts, G responses a prompt, N = B·G, P prompt length, T completion length, C position channels.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn.functional import pad
from torch.nn.utils.rnn import pad_sequence

from mmie.models.backbone import Prompt


@dataclass(frozen=True)
class PromptBatch:
    """Left-padded prompts: ``ids`` [B, P], ``mask`` [B, P], ``positions`` [C, B, P], ``next_position`` [B].

    ``features`` [sum, H] holds the pictures of all prompts in order, ``image_lengths`` how many rows of it are each prompt's.
    """

    ids: Tensor
    mask: Tensor
    positions: Tensor
    next_position: Tensor
    features: Tensor
    image_lengths: list[int]


@dataclass(frozen=True)
class Completions:
    """Sampled or given responses, right-padded.

    Attributes:
        tokens: [N, T]; response i of prompt b in row b·G + i.
        mask: [N, T], True on the response's tokens, the first EOS included.
        logps: log-probabilities seen when sampling, [N, T]; zeros where the responses were given.
        finished: [N], True where the response ended with an EOS before the length limit.
    """

    tokens: Tensor
    mask: Tensor
    logps: Tensor
    finished: Tensor


def pad_prompts(prompts: Sequence[Prompt], *, pad_id: int, device: torch.device) -> PromptBatch:
    """Stacks prompts of unequal length, padding on the left with masked positions."""
    ids = pad_sequence(
        [prompt.ids for prompt in prompts],
        batch_first=True,
        padding_value=pad_id,
        padding_side="left",
    )
    mask = pad_sequence(
        [torch.ones(len(prompt.ids), dtype=torch.bool) for prompt in prompts],
        batch_first=True,
        padding_side="left",
    )
    positions = pad_sequence(
        [prompt.positions.T for prompt in prompts], batch_first=True, padding_side="left"
    ).permute(2, 0, 1)
    last = torch.stack([prompt.positions.max() + 1 for prompt in prompts])
    features = torch.cat([prompt.features.to(device) for prompt in prompts])
    lengths = [len(prompt.features) for prompt in prompts]
    return PromptBatch(
        ids.to(device), mask.to(device), positions.to(device), last.to(device), features, lengths
    )


def pad_completions(
    responses: Sequence[Sequence[int]], *, pad_id: int, device: torch.device
) -> Completions:
    """Given token lists as completions; every list counts as finished."""
    tokens = pad_sequence(
        [torch.tensor(list(ids), dtype=torch.long) for ids in responses],
        batch_first=True,
        padding_value=pad_id,
    )
    lengths = torch.tensor([len(ids) for ids in responses])
    mask = torch.arange(tokens.shape[1])[None] < lengths[:, None]
    zeros = torch.zeros(tokens.shape)
    finished = torch.ones(len(responses), dtype=torch.bool)
    return Completions(tokens.to(device), mask.to(device), zeros.to(device), finished.to(device))


def rows_at(completions: Completions, rows: Sequence[int]) -> Completions:
    """The given rows, cut to the longest of them."""
    mask = completions.mask[rows]
    used = max(1, int(mask.any(0).sum()))
    return Completions(
        completions.tokens[rows, :used],
        mask[:, :used],
        completions.logps[rows, :used],
        completions.finished[rows],
    )


def joined(parts: Sequence[Completions]) -> Completions:
    """All rows one after the other, padded with zeros to the longest; the mask tells what is padding."""
    length = max(part.tokens.shape[1] for part in parts)

    def wide(values: Sequence[Tensor]) -> Tensor:
        return torch.cat([pad(value, (0, length - value.shape[1])) for value in values])

    return Completions(
        wide([part.tokens for part in parts]),
        wide([part.mask for part in parts]),
        wide([part.logps for part in parts]),
        torch.cat([part.finished for part in parts]),
    )
