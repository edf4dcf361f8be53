"""Responses in a server's reply, and whether they are what was asked for."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from mmie.errors import InputError
from mmie.models.sampling import NotFiniteLogitsError

BROKEN = -9000.0  # vLLM writes -9999 for a log-probability that is NaN or minus infinity


@dataclass(frozen=True)
class Drawn:
    """One response.

    Attributes:
        tokens: its ids, the one that ends it included.
        logps: their log-probabilities.
        finished: whether it ended before the length limit.
    """

    tokens: list[int]
    logps: list[float]
    finished: bool


def read_responses(
    reply: Mapping[str, Any],
    *,
    name: str,
    prompt: Sequence[int],
    group_size: int,
    eos_ids: Sequence[int],
    limit: int,
) -> list[Drawn]:
    """The responses of a reply, in order.

    Args:
        reply: as vLLM sends it.
        name: of the sample, for messages.
        prompt: our own ids of the prompt.
        group_size: how many responses were asked for.
        eos_ids: any of these ends a response.
        limit: its length limit.

    Raises:
        InputError: the server has read another prompt, or the responses are not what was sampled.
        NotFiniteLogitsError: the model gives NaN or infinity.
    """
    served = reply["prompt_token_ids"]
    if served != list(prompt):
        raise InputError(
            f"rollout: sample {name}: the server's prompt has {len(served)} tokens and ours "
            f"{len(prompt)}, or other ones: give both the same tokenizer and model.max_pixels"
        )
    choices = sorted(reply["choices"], key=lambda choice: int(choice["index"]))
    if len(choices) != group_size:
        what = f"{len(choices)} responses where {group_size} were asked for"
        raise InputError(f"rollout: sample {name}: the server sent {what}")
    return [_response(choice, name=name, eos_ids=eos_ids, limit=limit) for choice in choices]


def _response(choice: Mapping[str, Any], *, name: str, eos_ids: Sequence[int], limit: int) -> Drawn:
    tokens, scored = choice["token_ids"], choice["logprobs"]["content"]
    if [entry["token_id"] for entry in scored] != tokens:
        raise InputError(
            f"rollout: sample {name}: the log-probabilities are not those of the response's "
            "tokens: the server, or what is in front of it, has tokenised a text again"
        )
    logps = [float(entry["logprob"]) for entry in scored]
    if any(not math.isfinite(value) or value < BROKEN for value in logps):
        raise NotFiniteLogitsError(0)
    finished = bool(tokens) and tokens[-1] in eos_ids
    ended_early = not finished and len(tokens) < limit
    if ended_early or any(token in eos_ids for token in tokens[:-1]):
        raise InputError(
            f"rollout: sample {name}: a response of {len(tokens)} tokens ends with "
            f"{choice['finish_reason']}, but not where it should: see that rollout.max_model_len "
            f"holds the prompt and {limit} tokens more"
        )
    return Drawn(tokens, logps, finished)
