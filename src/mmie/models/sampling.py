"""The rollout: prefill each prompt once, copy its cache G times, decode.

Sampling is neutral: top_p 1, top_k 0 and no repetition penalty, whatever the checkpoint's
``generation_config`` says. Only the temperature divides the logits. The loss treats the responses
as samples of the policy itself, and any of these settings would draw from another distribution.

Each response has random numbers of its own, so it does not depend on the others in the batch.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from mmie.models.batch import Completions, PromptBatch, concatenate
from mmie.models.decode_cache import decode_cache
from mmie.models.forward import as_model_positions
from mmie.models.shared_prefix import prefill

# Dropping ended rows copies the whole cache, so it waits until at most this share is still running.
DROP_BELOW = 0.75


class NotFiniteLogitsError(ArithmeticError):
    """The model gives NaN or infinity for a prompt.

    Attributes:
        prompt: its place in the batch.
    """

    def __init__(self, prompt: int) -> None:
        super().__init__(f"logits of prompt {prompt} are not finite")
        self.prompt = prompt


@dataclass(frozen=True)
class Rules:
    """How tokens are drawn and responses end; see ``sample``."""

    temperature: float
    suppressed: list[int]
    eos_ids: list[int]
    pad_id: int


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
    """Draws G responses for each prompt.

    Args:
        model: the causal model in eval mode with the wanted adapter active.
        prompts: B prompts.
        uniforms: random numbers in [0, 1), float64 [N, T]. T is the length limit; a response that
            is cut there counts as not finished.
        temperature: divides the logits; 0 is greedy.
        suppressed: ids that are never drawn (image and video markers, and padding unless it is an
            EOS).
        eos_ids: any of these ends a response and belongs to it.
        pad_id: fills the rest of a response.
        side_by_side: how many responses are decoded at once, which bounds memory; None decodes all.
            Each prompt is prefilled only once in any case.

    Returns:
        N = B·G completions.

    Raises:
        NotFiniteLogitsError: the model gives NaN or infinity.
    """
    rules = Rules(temperature, suppressed, eos_ids, pad_id)
    responses = len(uniforms)
    prompt_places = torch.arange(len(prompts.ids), device=prompts.ids.device)
    owners = prompt_places.repeat_interleave(responses // len(prompts.ids))
    prompt_cache, first_logits = prefill(model, prompts)
    parts = []
    width = side_by_side or responses
    for start in range(0, responses, width):
        part = slice(start, start + width)
        cache = decode_cache(prompt_cache, owners[part])
        if start + width >= responses:
            del prompt_cache  # the last part has its copy; memory is tightest while decoding
        running = RunningRows(model, prompts, owners[part], cache)
        parts.append(_decode(running, first_logits[owners[part]], uniforms[part], rules))
        del cache, running  # frees their memory before the next cache is made
    return concatenate(parts)


def _decode(running: RunningRows, logits: Tensor, uniforms: Tensor, rules: Rules) -> Completions:
    """Decodes the rows of one cache.

    Args:
        running: all rows, prefilled.
        logits: of each row's first token, [N, V].
        uniforms: [N, T].
        rules: see ``sample``.
    """
    uniforms = uniforms.to(logits.device)
    responses = _Responses(uniforms.shape, rules, logits.device)
    limit = uniforms.shape[1]
    for step in range(limit):
        tokens, logps = draw(
            logits,
            uniforms[running.rows, step],
            temperature=rules.temperature,
            suppressed=rules.suppressed,
        )
        _require_finite(logps, running.owners)
        responses.record(step, running.rows, tokens, logps)
        going = ~responses.finished[running.rows]
        if step + 1 == limit or not going.any():
            break
        if going.float().mean() <= DROP_BELOW:
            running.keep(going)
            tokens = tokens[going]
        logits = running.next_logits(tokens, step)
    return responses.completions()


def draw(
    logits: Tensor, uniforms: Tensor, *, temperature: float, suppressed: list[int]
) -> tuple[Tensor, Tensor]:
    """Draws one token per row by inverse transform sampling; at temperature 0 the most likely one.

    Args:
        logits: [N, V].
        uniforms: one number in [0, 1) per row, float64 [N].
        temperature: divides the logits.
        suppressed: ids that are never drawn.

    Returns:
        tokens [N], and their log-probabilities under the policy with nothing suppressed [N].
    """
    scaled = logits.float() / (temperature or 1.0)
    allowed = scaled.clone()
    allowed[:, suppressed] = -torch.inf
    if temperature == 0:
        tokens = allowed.argmax(-1)
    else:
        # In float64: float32 sums over a large vocabulary lose the rare tokens at its end.
        cumulative = allowed.double().softmax(-1).cumsum(-1)
        thresholds = uniforms * cumulative[:, -1]  # the sum is 1 only up to rounding
        # right=True skips tokens of probability 0: not even 0.0 draws a suppressed one.
        tokens = torch.searchsorted(cumulative, thresholds[:, None], right=True)[:, 0]
    tokens = tokens.clamp(max=logits.shape[-1] - 1)  # with NaN logits it is beyond the last id
    # Log-probabilities are those of the whole distribution, in which suppressed tokens keep their
    # share: the update computes them like that, too.
    return tokens, scaled.log_softmax(-1).gather(1, tokens[:, None])[:, 0]


def _require_finite(logps: Tensor, owners: Tensor) -> None:
    broken = ~logps.isfinite()
    if broken.any():
        raise NotFiniteLogitsError(int(owners[broken][0]))


class _Responses:
    """What has been drawn so far, with one row per response from beginning to end.

    Args:
        shape: (N, T).
        rules: see ``sample``.
        device: where the model is.
    """

    def __init__(self, shape: torch.Size, rules: Rules, device: torch.device) -> None:
        self.tokens = torch.full(shape, rules.pad_id, device=device)
        self.logps = torch.zeros(shape, device=device)
        self.mask = torch.zeros(shape, dtype=torch.bool, device=device)
        self.finished = torch.zeros(shape[0], dtype=torch.bool, device=device)
        self._eos_ids = torch.tensor(rules.eos_ids, device=device)

    def record(self, step: int, rows: Tensor, tokens: Tensor, logps: Tensor) -> None:
        """Writes the tokens that the given rows have drawn at this step.

        A row that has ended may still be among the running ones. What it draws is discarded.
        """
        going = ~self.finished[rows]
        going_rows = rows[going]
        self.tokens[going_rows, step] = tokens[going]
        self.logps[going_rows, step] = logps[going]
        self.mask[going_rows, step] = True
        self.finished[rows] |= torch.isin(tokens, self._eos_ids)

    def completions(self) -> Completions:
        """All rows, cut to the longest response."""
        length = max(1, int(self.mask.any(0).sum()))
        return Completions(
            tokens=self.tokens[:, :length],
            mask=self.mask[:, :length],
            logps=self.logps[:, :length],
            finished=self.finished,
        )


class RunningRows:
    """The rows that are still decoded, with what the model needs for their next token.

    Args:
        model, prompts: see ``sample``.
        owners: the prompt of each row, [N].
        cache: of the prompts, one row per response.

    Attributes:
        rows: places of these rows among the N of ``_Responses``.
    """

    def __init__(self, model: Any, prompts: PromptBatch, owners: Tensor, cache: Any) -> None:
        self.rows = torch.arange(len(owners), device=owners.device)
        self.owners = owners
        self._model = model
        self._cache = cache
        self._mask = prompts.mask[owners]
        self._first_positions = prompts.next_position[owners]
        self._channels = len(prompts.positions)

    def keep(self, going: Tensor) -> None:
        """Drops all other rows; ``going`` is bool [rows]."""
        self._cache.batch_select_indices(going.nonzero()[:, 0])
        self.rows, self.owners = self.rows[going], self.owners[going]
        self._mask, self._first_positions = self._mask[going], self._first_positions[going]

    def next_logits(self, tokens: Tensor, step: int) -> Tensor:
        """The logits [rows, V] after one more token per row, which joins the cache."""
        self._mask = torch.cat([self._mask, torch.ones_like(self._mask[:, :1])], dim=1)
        positions = (self._first_positions + step)[None, :, None].expand(self._channels, -1, -1)
        outputs = self._model(
            input_ids=tokens[:, None],
            attention_mask=self._mask.long(),
            position_ids=as_model_positions(positions),
            cache=self._cache,
            use_cache=True,
        )
        return outputs.logits[:, -1]
