"""Log-probabilities from plain rows ``[prompt | response]``: what SFT uses, and the readable reference of ``shared_prefix``.

It works with gradient checkpointing, which the shared prefix does not.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from mmie.losses import token_logps
from mmie.models.batch import Completions, PromptBatch
from mmie.models.shared_prefix import as_positions, continued, image_outputs


def row_logps(
    model: Any, prompts: PromptBatch, completions: Completions, *, temperature: float = 1.0
) -> Tensor:
    """log π(o_{i,t} | q, o_{i,<t}) with the prompt repeated for each of its G responses, [N, T]."""
    group_size = len(completions.tokens) // len(prompts.ids)
    length = completions.tokens.shape[1]
    owners = torch.arange(len(prompts.ids), device=prompts.ids.device).repeat_interleave(group_size)
    positions = torch.cat([prompts.positions[:, owners], continued(prompts, owners, length)], dim=2)
    outputs = model(
        input_ids=torch.cat(
            [prompts.ids.repeat_interleave(group_size, dim=0), completions.tokens], dim=1
        ),
        attention_mask=torch.cat(
            [prompts.mask.repeat_interleave(group_size, dim=0), completions.mask], dim=1
        ).long(),
        position_ids=as_positions(positions),
        mm_encoder_outputs=image_outputs(repeat_features(prompts, group_size)),
        use_cache=False,
        logits_to_keep=length + 1,
    )
    return token_logps(outputs.logits[:, :-1], completions.tokens, temperature=temperature)


def repeat_features(prompts: PromptBatch, group_size: int) -> Tensor:
    """The features in the order of the repeated rows: every prompt's pictures G times before the next prompt's."""
    if group_size == 1:
        return prompts.features
    parts = torch.split(prompts.features, prompts.image_lengths)
    return torch.cat([part for part in parts for _ in range(group_size)])
