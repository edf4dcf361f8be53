"""Log-probabilities of G responses per prompt, with each prompt computed once.

The prompt is forwarded once, and its key-value cache keeps its gradient. The G responses run as a
batch over G copies of that cache. The result equals that of G repeated rows (``rows.py``) in value
and gradient.

Why this is exact: attention is causal, so no prompt token sees the response, and its keys and
values are the same whichever response follows. The gradients of the G copies meet again in the one
prompt pass, where backpropagation is linear: the sum of G passes equals one pass of the sum.
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
from mmie.models.forward import as_model_positions, response_positions, vision_outputs

# How many batches the responses are split into, by length, if memory is no limit. With more
# batches less padding is computed, but each is smaller and costs a forward pass of its own.
LENGTH_GROUPS = 4


def prefill(model: Any, prompts: PromptBatch) -> tuple[DynamicCache, Tensor]:
    """Forwards the prompts once; returns their cache and the logits after the last prompt token.

    Prompts are padded on the left, so the last position is the last token of each of them.

    Returns:
        The cache of B rows, and logits [B, V]. Both keep their gradient where it is enabled.
    """
    cache = DynamicCache(config=model.config.get_text_config())
    outputs = model(
        input_ids=prompts.ids,
        attention_mask=prompts.mask.long(),
        position_ids=as_model_positions(prompts.positions),
        mm_encoder_outputs=vision_outputs(prompts.features),
        cache=cache,
        use_cache=True,
        logits_to_keep=1,  # logits of the whole prompt would be the largest tensor of the pass
    )
    return cache, outputs.logits[:, -1]


def completion_logps(
    model: Any,
    prompts: PromptBatch,
    completions: Completions,
    *,
    temperature: float,
    micro_responses: int | None = None,
) -> Tensor:
    """log π(o_{i,t} | q, o_{i,<t}) of every token, [N, T]; values at padded places mean nothing.

    Responses of similar length run together, so that little is computed for padding.

    Args:
        model: the causal model with the wanted adapter active.
        prompts: B prompts.
        completions: N = B·G responses.
        temperature: divides the logits.
        micro_responses: how many responses have their activations in memory at once; the backward
            pass computes them again. None keeps all. Value and gradient do not depend on it.
    """
    _refuse_checkpointing(model)
    lengths = completions.mask.sum(1)
    order = lengths.argsort()
    cache, first = prefill(model, prompts)
    continuation = partial(
        _continue,
        model,
        prompts,
        completions,
        cache=cache,
        first=first,
        temperature=temperature,
    )
    if micro_responses is None:
        groups = order.chunk(LENGTH_GROUPS)
        run = continuation
    else:
        groups = order.split(micro_responses)
        # The checkpoint begins after the prompt: its cache is an input and stays in memory, so the
        # prompt is not computed again for each part. There is no dropout (``GRPOModule`` is in eval
        # mode), so recomputation needs no saved state of the random generators.
        run = partial(checkpoint, continuation, use_reentrant=False, preserve_rng_state=False)
    # Rows are sorted by length, so the last one of a group is its longest.
    parts = [run(rows, int(lengths[rows[-1]])) for rows in groups]
    back_in_order = order.argsort()
    return torch.cat(parts).index_select(0, back_in_order)


def _continue(
    model: Any,
    prompts: PromptBatch,
    completions: Completions,
    rows: Tensor,
    length: int,
    *,
    cache: DynamicCache,
    first: Tensor,
    temperature: float,
) -> Tensor:
    """The given rows of ``completion_logps``, computed over their prompts' cache.

    Args:
        model, prompts, completions, temperature: see there.
        rows: places of the responses.
        length: number of tokens in the longest of them.
        cache: that of the B prompts.
        first: logits of each response's first token, [B, V], from the prompt's last position.

    Returns:
        [len(rows), T].
    """
    owners = rows // (len(completions.tokens) // len(prompts.ids))
    tokens = completions.tokens[rows, :length]
    # G responses share one row of the prompt, so G gradients are summed there, and floating-point
    # sums depend on their order. The gradient of index_select sums in a fixed order. That of
    # first[owners] does not, so repeated runs would differ.
    logits = first.index_select(0, owners)[:, None]
    if length > 1:
        seen = torch.cat([prompts.mask[owners], completions.mask[rows, : length - 1]], dim=1)
        outputs = model(
            input_ids=tokens[:, :-1],  # the last token predicts nothing that is scored
            attention_mask=seen.long(),
            position_ids=as_model_positions(response_positions(prompts, owners, length - 1)),
            cache=select_cache_rows(cache, owners, model.config.get_text_config()),
            use_cache=True,
        )
        logits = torch.cat([logits, outputs.logits], dim=1)
    logps = token_logps(logits, tokens, temperature=temperature)
    return pad(logps, (0, completions.tokens.shape[1] - length))


def select_cache_rows(cache: DynamicCache, rows: Tensor, config: Any) -> DynamicCache:
    """A new cache that holds the given rows, with their gradient.

    It is new because the model appends the response to the cache it is given. The prompts' own
    cache must stay as it is for the other parts and for the recomputation in the backward pass. The
    gradient is summed in the same order every time, see ``_continue``.
    """
    selected = DynamicCache(config=config)
    layers: list[Any] = cache.layers
    for index, layer in enumerate(layers):
        keys, values = layer.keys.index_select(0, rows), layer.values.index_select(0, rows)
        selected.update(keys, values, index)
    return selected


def _refuse_checkpointing(model: Any) -> None:
    if model.training and getattr(model, "is_activation_checkpointing", False):
        raise RuntimeError(
            "gradient checkpointing drops the prompt's cache, so a response would not see its "
            "prompt: switch it off for GRPO (sft.gradient_checkpointing applies to SFT only)"
        )
