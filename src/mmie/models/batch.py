"""Padding in one place: prompts are padded on the left, completions on the right.

Shapes: B prompts, G responses per prompt, N = B·G, P prompt length, T completion length, C position
channels, H hidden size.
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
    """Left-padded prompts.

    Attributes:
        ids: token ids, [B, P].
        mask: True on the prompts' own tokens, [B, P].
        positions: rotary positions, [C, B, P].
        next_position: position of the first token after each prompt, [B].
        features: of the pictures of all prompts in order, [image tokens, H].
        image_lengths: how many rows of ``features`` belong to each prompt.
    """

    ids: Tensor
    mask: Tensor
    positions: Tensor
    next_position: Tensor
    features: Tensor
    image_lengths: list[int]


@dataclass(frozen=True)
class Completions:
    """Responses, sampled or given, right-padded.

    Attributes:
        tokens: [N, T]; response i of prompt b is in row b·G + i.
        mask: True on the response's tokens including the first EOS, [N, T].
        logps: log-probabilities at the time of sampling, [N, T]; zeros if the responses were given.
        finished: True where the response ended with an EOS before the length limit, [N].
    """

    tokens: Tensor
    mask: Tensor
    logps: Tensor
    finished: Tensor


def pad_prompts(prompts: Sequence[Prompt], *, pad_id: int, device: torch.device) -> PromptBatch:
    """Stacks prompts of unequal length, with masked padding on the left."""
    ids = [prompt.ids for prompt in prompts]
    masks = [torch.ones(len(prompt.ids), dtype=torch.bool) for prompt in prompts]
    positions = [prompt.positions.T for prompt in prompts]  # [P, C]: the padded axis comes first
    next_positions = [prompt.positions.max() + 1 for prompt in prompts]
    return PromptBatch(
        ids=_pad_left(ids, pad_id).to(device),
        mask=_pad_left(masks, 0).to(device),
        positions=_pad_left(positions, 0).permute(2, 0, 1).to(device),
        next_position=torch.stack(next_positions).to(device),
        features=torch.cat([prompt.features.to(device) for prompt in prompts]),
        image_lengths=[len(prompt.features) for prompt in prompts],
    )


def _pad_left(rows: list[Tensor], value: int) -> Tensor:
    return pad_sequence(rows, batch_first=True, padding_value=value, padding_side="left")


def pad_completions(
    responses: Sequence[Sequence[int]], *, pad_id: int, device: torch.device
) -> Completions:
    """Given lists of token ids as completions; each of them counts as finished."""
    rows = [torch.tensor(list(ids), dtype=torch.long) for ids in responses]
    tokens = pad_sequence(rows, batch_first=True, padding_value=pad_id)
    lengths = torch.tensor([len(ids) for ids in responses])
    return Completions(
        tokens=tokens.to(device),
        mask=(torch.arange(tokens.shape[1])[None] < lengths[:, None]).to(device),
        logps=torch.zeros(tokens.shape).to(device),
        finished=torch.ones(len(responses), dtype=torch.bool).to(device),
    )


def select_rows(completions: Completions, rows: Sequence[int]) -> Completions:
    """The given rows, cut to the longest of them."""
    mask = completions.mask[rows]
    length = max(1, int(mask.any(0).sum()))
    return Completions(
        tokens=completions.tokens[rows, :length],
        mask=mask[:, :length],
        logps=completions.logps[rows, :length],
        finished=completions.finished[rows],
    )


def concatenate(parts: Sequence[Completions]) -> Completions:
    """All rows one after the other, padded with zeros to the longest."""
    length = max(part.tokens.shape[1] for part in parts)
    return Completions(
        tokens=_cat_padded([part.tokens for part in parts], length),
        mask=_cat_padded([part.mask for part in parts], length),
        logps=_cat_padded([part.logps for part in parts], length),
        finished=torch.cat([part.finished for part in parts]),
    )


def _cat_padded(values: Sequence[Tensor], length: int) -> Tensor:
    return torch.cat([pad(value, (0, length - value.shape[1])) for value in values])
