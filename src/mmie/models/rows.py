"""Log-probabilities from ordinary rows ``[prompt | response]``.

SFT uses them, as they work with gradient checkpointing. They are also the readable reference for
``shared_prefix``, which computes the same with each prompt forwarded once. So this module shares no
code with that one, except what describes a batch to the model.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from mmie.losses import token_logps
from mmie.models.batch import Completions, PromptBatch
from mmie.models.forward import as_model_positions, response_positions, vision_outputs


def row_logps(
    model: Any, prompts: PromptBatch, completions: Completions, *, temperature: float = 1.0
) -> Tensor:
    """log π(o_{i,t} | q, o_{i,<t}), [N, T]; the prompt is repeated for each of its G responses.

    Args:
        model: the causal model with the wanted adapter active.
        prompts: B prompts.
        completions: N = B·G responses.
        temperature: divides the logits.
    """
    group_size = len(completions.tokens) // len(prompts.ids)
    length = completions.tokens.shape[1]
    owners = torch.arange(len(prompts.ids), device=prompts.ids.device).repeat_interleave(group_size)
    new_positions = response_positions(prompts, owners, length)
    positions = torch.cat([prompts.positions[:, owners], new_positions], dim=2)
    outputs = model(
        input_ids=torch.cat([prompts.ids[owners], completions.tokens], dim=1),
        attention_mask=torch.cat([prompts.mask[owners], completions.mask], dim=1).long(),
        position_ids=as_model_positions(positions),
        mm_encoder_outputs=vision_outputs(repeat_features(prompts, group_size)),
        use_cache=False,
        logits_to_keep=length + 1,  # the last prompt token predicts the first response token
    )
    return token_logps(outputs.logits[:, :-1], completions.tokens, temperature=temperature)


def repeat_features(prompts: PromptBatch, group_size: int) -> Tensor:
    """Features in the order of the repeated rows.

    Each prompt's pictures come G times before those of the next prompt.
    """
    if group_size == 1:
        return prompts.features
    of_prompts = torch.split(prompts.features, prompts.image_lengths)
    repeated: list[Tensor] = []
    for features in of_prompts:
        repeated += [features] * group_size
    return torch.cat(repeated)
