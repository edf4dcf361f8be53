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
from mmie.models.decoding import GraphedRows, RunningRows, captured, takes_one_mask
from mmie.models.shared_prefix import prefill

# Dropping ended rows copies the whole cache, so it waits until at most this share is still running.
DROP_BELOW = 0.75
# To see which rows have ended, the host waits for the device. So a GPU is asked only after so many
# tokens; rows that ended before go on for nothing. The CPU is asked after every token.
LOOK_EVERY = 8


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
    """How tokens are drawn and responses end.

    Attributes:
        temperature: divides the logits; 0 is greedy.
        suppressed: ids that are never drawn (image and video markers, and padding unless it is an
            EOS).
        eos_ids: any of these ends a response and belongs to it.
        pad_id: fills the rest of a response.
    """

    temperature: float
    suppressed: list[int]
    eos_ids: list[int]
    pad_id: int


@torch.no_grad()
def sample(
    model: Any,
    prompts: PromptBatch,
    uniforms: Tensor,
    rules: Rules,
    *,
    side_by_side: int | None = None,
    graphs: bool = False,
) -> Completions:
    """Draws G responses for each prompt.

    Args:
        model: the causal model in eval mode with the wanted adapter active.
        prompts: B prompts.
        uniforms: random numbers in [0, 1), float64 [N, T]. T is the length limit; a response that
            is cut there counts as not finished.
        rules: how tokens are drawn and responses end.
        side_by_side: how many responses are decoded at once, which bounds memory; None decodes all.
            Each prompt is prefilled only once in any case.
        graphs: capture the decoding step as a CUDA graph; the model must be on a CUDA device.

    Returns:
        N = B·G completions.

    Raises:
        NotFiniteLogitsError: the model gives NaN or infinity.
    """
    responses, limit = uniforms.shape
    prompt_places = torch.arange(len(prompts.ids), device=prompts.ids.device)
    owners = prompt_places.repeat_interleave(responses // len(prompts.ids))
    prompt_cache, first_logits = prefill(model, prompts)
    parts = []
    width = side_by_side or responses
    for start in range(0, responses, width):
        part = slice(start, start + width)
        running: RunningRows
        if graphs and takes_one_mask(model):
            running = GraphedRows(
                model, prompts, owners[part], prompt_cache, limit, capture=captured
            )
        else:
            cache = decode_cache(prompt_cache, owners[part])
            running = RunningRows(model, prompts, owners[part], cache, limit)
            del cache
        if start + width >= responses:
            del prompt_cache  # the last part has its copy; memory is tightest while decoding
        parts.append(_decode(running, first_logits[owners[part]], uniforms[part], rules))
        del running  # frees its memory before the next cache is made
    return concatenate(parts)


def _decode(running: RunningRows, logits: Tensor, uniforms: Tensor, rules: Rules) -> Completions:
    """Decodes the rows of one cache.

    Args:
        running: all rows, prefilled.
        logits: of each row's first token, [N, V].
        uniforms: [N, T].
        rules: how tokens are drawn and responses end.
    """
    device = logits.device
    uniforms = uniforms.to(device)
    suppressed = torch.tensor(rules.suppressed, dtype=torch.long, device=device)
    responses = _Responses(uniforms.shape, rules, running.owners)
    look_every = _look_every(device)
    limit = uniforms.shape[1]
    for step in range(limit):
        tokens, logps = draw(
            logits,
            uniforms[running.rows, step],
            temperature=rules.temperature,
            suppressed=suppressed,
        )
        responses.record(step, running.rows, tokens, logps)
        if step + 1 == limit:
            break
        if (step + 1) % look_every == 0:
            going = responses.going(running.rows)
            if not len(going):
                break
            if len(going) <= DROP_BELOW * len(running.rows):
                running.keep(going)
                tokens = tokens[going]
        logits = running.next_logits(tokens, step)
    return responses.completions()


def _look_every(device: torch.device) -> int:
    return 1 if device.type == "cpu" else LOOK_EVERY


def draw(
    logits: Tensor, uniforms: Tensor, *, temperature: float, suppressed: Tensor
) -> tuple[Tensor, Tensor]:
    """Draws one token per row by inverse transform sampling; at temperature 0 the most likely one.

    Args:
        logits: [N, V].
        uniforms: one number in [0, 1) per row, float64 [N].
        temperature: divides the logits.
        suppressed: ids that are never drawn, int64.

    Returns:
        tokens [N], and their log-probabilities under the policy with nothing suppressed [N].
    """
    scaled = logits.float() / (temperature or 1.0)
    allowed = scaled.index_fill(1, suppressed, -torch.inf)
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


class _Responses:
    """What has been drawn so far, with one row per response from beginning to end.

    Args:
        shape: (N, T).
        rules: how tokens are drawn and responses end.
        owners: the prompt of each response, [N].
    """

    def __init__(self, shape: torch.Size, rules: Rules, owners: Tensor) -> None:
        device = owners.device
        self.tokens = torch.full(shape, rules.pad_id, device=device)
        self.logps = torch.zeros(shape, device=device)
        self.mask = torch.zeros(shape, dtype=torch.bool, device=device)
        self.finished = torch.zeros(shape[0], dtype=torch.bool, device=device)
        self._broken = torch.zeros(shape[0], dtype=torch.bool, device=device)
        self._owners = owners
        self._eos_ids = torch.tensor(rules.eos_ids, device=device)
        self._pad_id = rules.pad_id

    def record(self, step: int, rows: Tensor, tokens: Tensor, logps: Tensor) -> None:
        """Writes the tokens that the given rows have drawn at this step.

        A row that has ended may still be among the running ones. What it draws is discarded.
        """
        going = ~self.finished[rows]
        self.tokens[rows, step] = torch.where(going, tokens, self._pad_id)
        self.logps[rows, step] = torch.where(going, logps, 0.0)
        self.mask[rows, step] = going
        self._broken[rows] |= going & ~logps.isfinite()
        self.finished[rows] |= torch.isin(tokens, self._eos_ids)

    def going(self, rows: Tensor) -> Tensor:
        """Which of the given rows have not ended, as places among them; waits for the device.

        Raises:
            NotFiniteLogitsError: a log-probability so far is NaN or infinite.
        """
        self._require_finite()
        return (~self.finished[rows]).nonzero()[:, 0]

    def completions(self) -> Completions:
        """All rows, cut to the longest response.

        Raises:
            NotFiniteLogitsError: a log-probability is NaN or infinite.
        """
        self._require_finite()
        length = max(1, int(self.mask.any(0).sum()))
        return Completions(
            tokens=self.tokens[:, :length],
            mask=self.mask[:, :length],
            logps=self.logps[:, :length],
            finished=self.finished,
        )

    def _require_finite(self) -> None:
        if self._broken.any():
            raise NotFiniteLogitsError(int(self._owners[self._broken][0]))
