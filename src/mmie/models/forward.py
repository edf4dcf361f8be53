"""One pass of the language model, with positions and with picture features computed before.

Shapes: B prompts, N rows, T tokens, H hidden size, C position channels (3 for Qwen2.5-VL, 1 for
LLaVA).
"""

from __future__ import annotations

from typing import Any

import torch
from peft import PeftModel
from torch import Tensor
from transformers.modeling_outputs import BaseModelOutputWithPooling

from mmie.models.batch import PromptBatch


def hidden_states(
    model: Any,
    ids: Tensor,
    *,
    mask: Tensor,
    positions: Tensor,
    features: Tensor | None = None,
    cache: Any = None,
) -> Tensor:
    """The last hidden states of all tokens, [N, T, H], without the language-model head.

    The head is applied by the caller, to as many tokens at once as memory allows.

    Args:
        model: the causal model with the wanted adapter active.
        ids: [N, T].
        mask: True on tokens that attention sees, those in the cache included, [N, cached + T].
        positions: [C, N, T].
        features: of the pictures whose placeholders are among the tokens.
        cache: keys and values of earlier tokens; those of the pass go into it.
    """
    outputs = causal_model(model).model(
        input_ids=ids,
        attention_mask=mask.long(),
        position_ids=as_model_positions(positions),
        mm_encoder_outputs={} if features is None else vision_outputs(features),
        cache=cache,
        use_cache=cache is not None,
    )
    return outputs.last_hidden_state


def causal_model(model: Any) -> Any:
    """The transformers model itself, without PEFT's wrapper if it has one."""
    return model.get_base_model() if isinstance(model, PeftModel) else model


def response_positions(prompts: PromptBatch, owners: Tensor, length: int) -> Tensor:
    """Positions of the first ``length`` tokens of each response, [C, N, length].

    Pictures advance a prompt's positions by less than one per token. A response therefore begins
    at ``next_position`` and not at the prompt's length. A text token has the same position in all
    C channels.

    Args:
        prompts: B prompts.
        owners: the prompt of each response, [N].
        length: T.
    """
    offsets = torch.arange(length, device=prompts.ids.device)
    positions = prompts.next_position[owners, None] + offsets
    return positions.expand(len(prompts.positions), -1, -1)


def as_model_positions(positions: Tensor) -> Tensor:
    """[C, N, T] in the form the model expects: [N, T] if there is only one channel."""
    return positions[0] if len(positions) == 1 else positions


def vision_outputs(features: Tensor) -> dict[str, Any]:
    """Picture features [image tokens, H] in the form of the vision tower's output.

    The model's ``forward`` keeps the object it is given, so every call makes a new one.
    """
    if not len(features):
        return {}
    # The model concatenates the entries, so one entry may hold the features of all pictures.
    entries: Any = (features,)
    return {"image": BaseModelOutputWithPooling(pooler_output=entries)}
