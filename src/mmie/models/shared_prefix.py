"""Log-probabilities of G responses a prompt with each prompt computed once.

The prompt is forwarded once with its key-value cache and its gradient kept; the G responses run as a batch over G views of
that cache. Equal to G repeated rows (``rows.py``) in value and gradient.
"""

from __future__ import annotations

from functools import partial
from typing import Any

import torch
from torch import Tensor
from torch.nn.functional import pad
from torch.utils.checkpoint import checkpoint
from transformers import DynamicCache

from mmie.losses import token_logps
from mmie.models.batch import Completions, PromptBatch

LENGTH_GROUPS = 4


def prefill(model: Any, prompts: PromptBatch) -> tuple[DynamicCache, Tensor]:
    """Forwards the prompts once; gives their cache and the logits after the last prompt token, [B, V]."""
    cache = DynamicCache(config=model.config.get_text_config())
    outputs = model(
        input_ids=prompts.ids, attention_mask=prompts.mask.long(), position_ids=as_positions(prompts.positions),
        mm_encoder_outputs=image_outputs(prompts.features), cache=cache, use_cache=True, logits_to_keep=1,
    )  # fmt: skip
    return cache, outputs.logits[:, -1]


def completion_logps(
    model: Any, prompts: PromptBatch, completions: Completions, *, temperature: float, micro_responses: int | None = None
) -> Tensor:
    """log π(o_{i,t} | q, o_{i,<t}) of every token, [N, T]; what stands at padded places means nothing.

    Responses of like length run together, so that little is computed for padding.

    Args:
        model: the causal model with the wanted adapter active.
        prompts: B prompts.
        completions: N = B·G responses.
        temperature: divides the logits.
        micro_responses: responses whose activations are held at once, recomputed in the backward pass; None holds all.
            Value and gradient do not depend on it.
    """
    _refuse_checkpointing(model)
    lengths = completions.mask.sum(1)
    order = lengths.argsort()
    cache, first = prefill(model, prompts)
    continuation = partial(_continue, model, prompts, completions, cache=cache, first=first, temperature=temperature)
    if micro_responses is None:
        parts = [continuation(rows, int(lengths[rows[-1]])) for rows in order.chunk(LENGTH_GROUPS)]
    else:
        parts = [
            checkpoint(continuation, rows, int(lengths[rows[-1]]), use_reentrant=False, preserve_rng_state=False)
            for rows in order.split(micro_responses)
        ]
    return torch.cat(parts).index_select(0, order.argsort())


def _continue(
    model: Any, prompts: PromptBatch, completions: Completions, rows: Tensor, length: int, *,
    cache: DynamicCache, first: Tensor, temperature: float,
) -> Tensor:  # fmt: skip
    """The given rows of ``completion_logps`` over their prompts' cache; ``first`` [B, V] predicts the first token."""
    owners = rows // (len(completions.tokens) // len(prompts.ids))
    tokens = completions.tokens[rows, :length]
    logits = first.index_select(0, owners)[:, None]  # its gradient adds up in order; that of first[owners] in any
    if length > 1:
        outputs = model(
            input_ids=tokens[:, :-1],
            attention_mask=torch.cat([prompts.mask[owners], completions.mask[rows, : length - 1]], dim=1).long(),
            position_ids=as_positions(continued(prompts, owners, length - 1)),
            cache=rows_of(cache, owners, model.config.get_text_config()), use_cache=True,
        )  # fmt: skip
        logits = torch.cat([logits, outputs.logits], dim=1)
    logps = token_logps(logits, tokens, temperature=temperature)
    return pad(logps, (0, completions.tokens.shape[1] - length))


def rows_of(cache: DynamicCache, rows: Tensor, config: Any) -> DynamicCache:
    """A new cache that holds the given rows, with their gradient, which adds up in the same order every time."""
    selected = DynamicCache(config=config)
    layers: list[Any] = cache.layers
    for index, layer in enumerate(layers):
        selected.update(layer.keys.index_select(0, rows), layer.values.index_select(0, rows), index)
    return selected


def continued(prompts: PromptBatch, owners: Tensor, length: int) -> Tensor:
    """Positions of a response's first tokens, [C, rows, length]: text after the prompt of each row, the same in all channels."""
    positions = prompts.next_position[owners, None] + torch.arange(length, device=prompts.ids.device)
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
