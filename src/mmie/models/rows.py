"""Log-probabilities from ordinary rows ``[prompt | response]``.

SFT uses them. They are also the readable reference for ``shared_prefix``, which computes the same
with each prompt forwarded once. The two modules share the forward pass and the head, but nothing of
how rows, masks and caches are put together.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from mmie.models.batch import Completions, PromptBatch
from mmie.models.forward import hidden_states, response_positions
from mmie.models.recompute import head_logps, recomputed_layers
from mmie.settings import ALL_AT_ONCE, MemoryConfig


def row_logps(
    model: Any,
    prompts: PromptBatch,
    completions: Completions,
    *,
    temperature: float = 1.0,
    memory: MemoryConfig = ALL_AT_ONCE,
) -> Tensor:
    """log π(o_{i,t} | q, o_{i,<t}), [N, T]; the prompt is repeated for each of its G responses.

    Args:
        model: the causal model with the wanted adapter active.
        prompts: B prompts.
        completions: N = B·G responses.
        temperature: divides the logits.
        memory: what is held at once. All rows run in one pass, whatever ``micro_responses`` says.
    """
    group_size = len(completions.tokens) // len(prompts.ids)
    length = completions.tokens.shape[1]
    owners = torch.arange(len(prompts.ids), device=prompts.ids.device).repeat_interleave(group_size)
    new_positions = response_positions(prompts, owners, length)
    positions = torch.cat([prompts.positions[:, owners], new_positions], dim=2)
    with recomputed_layers(model, active=memory.recompute_layers):
        hidden = hidden_states(
            model,
            torch.cat([prompts.ids[owners], completions.tokens], dim=1),
            mask=torch.cat([prompts.mask[owners], completions.mask], dim=1),
            positions=positions,
            features=repeat_features(prompts, group_size),
        )
    return head_logps(
        model.get_output_embeddings(),
        hidden[:, -length - 1 : -1],  # the last prompt token predicts the first response token
        completions.tokens,
        temperature=temperature,
        chunk=memory.logits_chunk,
    )


def repeat_features(prompts: PromptBatch, group_size: int) -> Tensor:
    """The features of all repeated rows: each prompt's G times, then those of the next prompt."""
    if group_size == 1:
        return prompts.features
    of_prompts = torch.split(prompts.features, prompts.image_lengths)
    repeated: list[Tensor] = []
    for features in of_prompts:
        repeated += [features] * group_size
    return torch.cat(repeated)
