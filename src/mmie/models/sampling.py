"""The rollout: prefill each prompt once, copy its cache G times, decode.

Finished responses leave the batch. Sampling is neutral: top_p 1, top_k 0, no repetition penalty,
whatever the checkpoint's ``generation_config`` says; only the temperature divides the logits. The
loss takes the responses for samples of the policy itself, and any of these would make them samples
of another distribution. Each response has its own random numbers, so that it does not depend on
which others are in the batch.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from mmie.models.batch import Completions, PromptBatch, joined
from mmie.models.decode_cache import decode_cache
from mmie.models.shared_prefix import as_positions, prefill


def draw(
    logits: Tensor, uniforms: Tensor, *, temperature: float, suppressed: list[int]
) -> tuple[Tensor, Tensor]:
    """One token per row by inverse transform; temperature 0 takes the most likely one.

    Args:
        logits: [N, V].
        uniforms: numbers in [0, 1), one per row, float64 [N].
        temperature: divides the logits.
        suppressed: ids that are never drawn.

    Returns:
        tokens [N] and their log-probabilities under the policy with nothing suppressed [N].
    """
    scaled = logits.float() / (temperature or 1.0)
    allowed = scaled.clone()
    allowed[:, suppressed] = -torch.inf
    if temperature == 0:
        tokens = allowed.argmax(-1)
    else:
        # In float64: sums over a large vocabulary in float32 lose the rare tokens at the end.
        cumulative = allowed.double().softmax(-1).cumsum(-1)
        wanted = uniforms * cumulative[:, -1]  # the sum is 1 up to rounding only
        # right=True skips tokens of probability 0, so a suppressed one is never drawn, even by 0.0.
        tokens = torch.searchsorted(cumulative, wanted[:, None], right=True)[:, 0]
    last = logits.shape[-1] - 1
    tokens = tokens.clamp(max=last)  # NaN logits lead beyond the last one
    # Log-probabilities are of the whole distribution, as the update computes them, where suppressed
    # tokens keep their share.
    return tokens, scaled.log_softmax(-1).gather(1, tokens[:, None])[:, 0]


class NotFiniteLogitsError(ArithmeticError):
    """The model gives NaN or infinity for a prompt.

    Attributes:
        prompt: which one of the batch.
    """

    def __init__(self, prompt: int) -> None:
        super().__init__(f"logits of prompt {prompt} are not finite")
        self.prompt = prompt


@torch.no_grad()
def sample(
    model: Any,
    prompts: PromptBatch,
    uniforms: Tensor,
    *,
    temperature: float,
    suppressed: list[int],
    eos_ids: list[int],
    pad_id: int,
    side_by_side: int | None = None,
) -> Completions:
    """G responses for each prompt.

    Args:
        model: the causal model in eval mode with the wanted adapter active.
        prompts: B prompts.
        uniforms: random numbers in [0, 1), float64 [N, T]; T is the length limit, and a response
            cut there counts as not finished.
        temperature: divides the logits; 0 is greedy.
        suppressed: ids that must never be drawn (image and video markers, padding where it is no
            EOS).
        eos_ids: any of these ends a response and belongs to it.
        pad_id: fills the rest of a response.
        side_by_side: responses decoded at once, which bounds memory; None is all. The prompts are
            prefilled once all the same.

    Returns:
        Completions with N = B·G rows.

    Raises:
        NotFiniteLogitsError: the model gives NaN or infinity.
    """
    rows = len(uniforms)
    width = side_by_side or rows
    places = torch.arange(len(prompts.ids), device=prompts.ids.device)
    owners = places.repeat_interleave(rows // len(prompts.ids))
    prompt_cache, first = prefill(model, prompts)
    parts = []
    for start in range(0, rows, width):
        chosen = owners[start : start + width]
        cache = decode_cache(prompt_cache, chosen, model.config.get_text_config())
        if start + width >= rows:
            del prompt_cache  # the last part has its copy; decoding is when memory is tightest
        part = _decode(
            model,
            prompts,
            cache,
            first[chosen],
            uniforms[start : start + width],
            owners=chosen,
            temperature=temperature,
            suppressed=suppressed,
            eos_ids=eos_ids,
            pad_id=pad_id,
        )
        parts.append(part)
        del cache  # before the next one is made
    return joined(parts)


def _decode(
    model: Any,
    prompts: PromptBatch,
    cache: Any,
    logits: Tensor,
    uniforms: Tensor,
    *,
    owners: Tensor,
    temperature: float,
    suppressed: list[int],
    eos_ids: list[int],
    pad_id: int,
) -> Completions:
    """The responses of one cache, one per row.

    ``tokens``, ``logps`` and ``kept`` have a row for every response from beginning to end. The
    cache, ``mask``, ``position`` and ``logits`` hold the rows in ``alive`` only.

    Args:
        model, prompts, temperature, suppressed, eos_ids, pad_id: see ``sample``.
        cache: of the prompts, one row per response.
        logits: of the first tokens, [rows, V].
        uniforms: [rows, T].
        owners: the prompt of each response, [rows].
    """
    rows, max_new_tokens = uniforms.shape
    device = prompts.ids.device
    uniforms = uniforms.to(device)
    mask, position = prompts.mask[owners], prompts.next_position[owners]
    tokens = torch.full((rows, max_new_tokens), pad_id, device=device)
    logps = torch.zeros(rows, max_new_tokens, device=device)
    kept = torch.zeros(rows, max_new_tokens, dtype=torch.bool, device=device)
    finished = torch.zeros(rows, dtype=torch.bool, device=device)
    ends = torch.tensor(eos_ids, device=device)
    alive = torch.arange(rows, device=device)
    for step in range(max_new_tokens):
        numbers = uniforms[alive, step]
        drawn, drawn_logps = draw(logits, numbers, temperature=temperature, suppressed=suppressed)
        broken = ~drawn_logps.isfinite()
        if broken.any():
            raise NotFiniteLogitsError(int(owners[alive][broken][0]))
        going = ~finished[alive]  # rows not yet dropped may have ended: what they draw is discarded
        tokens[alive[going], step] = drawn[going]
        logps[alive[going], step] = drawn_logps[going]
        kept[alive[going], step] = True
        finished[alive] |= torch.isin(drawn, ends)
        still = ~finished[alive]
        if step + 1 == max_new_tokens or not still.any():
            break
        mask = torch.cat([mask, torch.ones_like(mask[:, :1])], dim=1)
        # Dropping rows copies the whole cache, so it waits until a quarter of them have ended.
        if still.float().mean() <= 0.75:
            index = still.nonzero()[:, 0]
            cache.batch_select_indices(index)
            alive, mask = alive[index], mask[index]
            position, drawn = position[index], drawn[index]
        positions = (position + step)[None, :, None].expand(len(prompts.positions), -1, -1)
        logits = _next_logits(model, drawn, mask, positions, cache)
    used = max(1, int(kept.any(0).sum()))
    return Completions(tokens[:, :used], kept[:, :used], logps[:, :used], finished)


def _next_logits(model: Any, drawn: Tensor, mask: Tensor, positions: Tensor, cache: Any) -> Tensor:
    """The logits [rows, V] after one more token per row, which joins the cache."""
    outputs = model(
        input_ids=drawn[:, None],
        attention_mask=mask.long(),
        position_ids=as_positions(positions),
        cache=cache,
        use_cache=True,
    )
    return outputs.logits[:, -1]
