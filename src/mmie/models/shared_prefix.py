"""Log-probabilities of G responses per prompt, with each prompt computed once.

The prompt is forwarded once, and its key-value cache keeps its gradient. The G responses run as a
batch over G copies of that cache. The result equals that of G repeated rows (``rows.py``) in value
and gradient.

Why this is exact: attention is causal, so no prompt token sees the response, and its keys and
values are the same whichever response follows. The gradients of the G copies meet again in the one
prompt pass, where backpropagation is linear: the sum of G passes equals one pass of the sum.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import Any

import torch
from torch import Tensor
from torch.nn.functional import pad
from torch.utils.checkpoint import checkpoint
from transformers import Cache

from mmie.losses import token_logps
from mmie.models.batch import Completions, PromptBatch
from mmie.models.forward import hidden_states, response_positions
from mmie.models.recompute import head_logps, prefix_cache, recomputed_layers, recording_cache
from mmie.settings import ALL_AT_ONCE, MemoryConfig

# How many batches the responses are split into, by length, where memory sets no limit. More batches
# need less padding, but each of them is smaller and costs a forward pass of its own.
LENGTH_GROUPS = 4


def prefill(model: Any, prompts: PromptBatch) -> tuple[Cache, Tensor]:
    """Forwards the prompts once; returns their cache and the logits after the last prompt token.

    Prompts are padded on the left, so the last position is the last token of each of them.

    Returns:
        The cache of B rows, and logits [B, V]. Both keep their gradient where it is enabled.
    """
    cache = recording_cache()
    hidden = hidden_states(
        model,
        prompts.ids,
        mask=prompts.mask,
        positions=prompts.positions,
        features=prompts.features,
        cache=cache,
    )
    # Logits of the whole prompt would be the largest tensor of the pass. And over a slice of three
    # dimensions torch would copy the head's weight once per prompt, which takes seconds in bfloat16
    # on a CPU.
    head = model.get_output_embeddings()
    return cache, torch.cat([head(last) for last in hidden[:, -1:]])


def completion_logps(
    model: Any,
    prompts: PromptBatch,
    completions: Completions,
    *,
    temperature: float,
    memory: MemoryConfig = ALL_AT_ONCE,
) -> Tensor:
    """log π(o_{i,t} | q, o_{i,<t}) of every token, [N, T]; values at padded places mean nothing.

    Responses of similar length run together, so that little is computed for padding.

    Args:
        model: the causal model with the wanted adapter active.
        prompts: B prompts.
        completions: N = B·G responses.
        temperature: divides the logits.
        memory: what is held at once. Value and gradient do not depend on it.
    """
    lengths = completions.mask.sum(1)
    order = lengths.argsort()
    width = memory.micro_responses
    groups = order.chunk(LENGTH_GROUPS) if width is None else order.split(width)
    # Rows are sorted by length, so the last one of a group is its longest.
    parts = [(rows, int(lengths[rows[-1]])) for rows in groups]
    logps = logps_of_parts(
        model, prompts, completions, parts, temperature=temperature, memory=memory
    )
    back_in_order = order.argsort()
    return logps.index_select(0, back_in_order)


def logps_of_parts(
    model: Any,
    prompts: PromptBatch,
    completions: Completions,
    parts: Sequence[tuple[Tensor, int]],
    *,
    temperature: float,
    memory: MemoryConfig,
) -> Tensor:
    """``completion_logps`` of responses that are divided already, in the order of the parts.

    Args:
        model, prompts, completions, temperature, memory: see there.
        parts: for each forward pass the places of its responses, and the length of the longest.
    """
    with recomputed_layers(model, active=memory.recompute_layers):
        cache, first = prefill(model, prompts)
    run = partial(
        _continue,
        model,
        prompts,
        completions,
        cache=cache,
        first=first,
        temperature=temperature,
        memory=memory,
    )
    if memory.micro_responses is not None and not memory.recompute_layers:
        # The checkpoint begins after the prompt, whose cache stays in memory. So the prompt is not
        # computed again for each part. GRPO runs in eval mode, without dropout, so no state of the
        # random generators is saved.
        run = partial(checkpoint, run, use_reentrant=False, preserve_rng_state=False)
    return torch.cat([run(rows, length) for rows, length in parts])


def _continue(
    model: Any,
    prompts: PromptBatch,
    completions: Completions,
    rows: Tensor,
    length: int,
    *,
    cache: Cache,
    first: Tensor,
    temperature: float,
    memory: MemoryConfig,
) -> Tensor:
    """The given rows of ``completion_logps``, computed over their prompts' cache.

    Args:
        model, prompts, completions, temperature, memory: see there.
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
    logps = token_logps(logits, tokens[:, :1], temperature=temperature)
    if length > 1:
        with recomputed_layers(model, active=memory.recompute_layers):
            hidden = hidden_states(
                model,
                tokens[:, :-1],  # the last token predicts nothing that is scored
                mask=torch.cat([prompts.mask[owners], completions.mask[rows, : length - 1]], dim=1),
                positions=response_positions(prompts, owners, length - 1),
                cache=prefix_cache(cache, owners),
            )
        head, chunk = model.get_output_embeddings(), memory.logits_chunk
        later = head_logps(head, hidden, tokens[:, 1:], temperature=temperature, chunk=chunk)
        logps = torch.cat([logps, later], dim=1)
    return pad(logps, (0, completions.tokens.shape[1] - length))
