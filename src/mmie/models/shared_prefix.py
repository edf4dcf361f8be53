"""Log-probabilities of G responses a prompt with each prompt computed once.

The prompt is forwarded once with its key-value cache and its gradient kept; the G responses run as a batch over G views of
that cache. Equal to G repeated rows (``rows.py``) in value and gradient.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor
from transformers import DynamicCache

from mmie.losses import token_logps
from mmie.models.batch import Completions, PromptBatch


def prefill(model: Any, prompts: PromptBatch) -> tuple[DynamicCache, Tensor]:
    """Forwards the prompts once; gives their cache and the logits after the last prompt token, [B, V]."""
    cache = DynamicCache(config=model.config.get_text_config())
    outputs = model(
        input_ids=prompts.ids, attention_mask=prompts.mask.long(), position_ids=as_positions(prompts.positions),
        mm_encoder_outputs=image_outputs(prompts.features), past_key_values=cache, use_cache=True, logits_to_keep=1,
    )  # fmt: skip
    return cache, outputs.logits[:, -1]


def completion_logps(model: Any, prompts: PromptBatch, completions: Completions, *, temperature: float) -> Tensor:
    """log π(o_{i,t} | q, o_{i,<t}) of every token, [N, T]; padded places hold finite values that the mask discards."""
    _refuse_checkpointing(model)
    group_size = len(completions.tokens) // len(prompts.ids)
    cache, first = prefill(model, prompts)
    cache.batch_repeat_interleave(group_size)
    logits = first.repeat_interleave(group_size, dim=0)[:, None]
    if completions.tokens.shape[1] > 1:
        outputs = model(
            input_ids=completions.tokens[:, :-1],
            attention_mask=torch.cat([prompts.mask.repeat_interleave(group_size, dim=0), completions.mask[:, :-1]], dim=1).long(),
            position_ids=as_positions(continued(prompts, group_size, 0, completions.tokens.shape[1] - 1)),
            past_key_values=cache, use_cache=True,
        )  # fmt: skip
        logits = torch.cat([logits, outputs.logits], dim=1)
    return token_logps(logits, completions.tokens, temperature=temperature)


def continued(prompts: PromptBatch, group_size: int, start: int, length: int) -> Tensor:
    """Positions of completion tokens ``start … start+length-1``, [C, N, length]: text after the prompt, the same in all channels."""
    steps = torch.arange(start, start + length, device=prompts.ids.device)
    positions = prompts.next_position.repeat_interleave(group_size)[:, None] + steps
    return positions.expand(len(prompts.positions), -1, -1)


def as_positions(positions: Tensor) -> Tensor:
    """[C, N, T] as the model wants it: [N, T] where there is one channel."""
    return positions[0] if len(positions) == 1 else positions


def image_outputs(features: Tensor) -> dict[str, Any]:
    """Precomputed picture features in the form of the vision tower's output; a fresh object each time, as ``forward`` keeps it."""
    from transformers.modeling_outputs import BaseModelOutputWithPooling

    parts: Any = (features,)  # one entry a picture, or all in one: they are joined
    return {"image": BaseModelOutputWithPooling(pooler_output=parts)} if len(features) else {}


def _refuse_checkpointing(model: Any) -> None:
    if model.training and getattr(model, "is_activation_checkpointing", False):
        raise RuntimeError(
            "gradient checkpointing drops the prompt's cache, so a response would not see its prompt: "
            "switch it off for GRPO (sft.gradient_checkpointing concerns SFT alone)"
        )
