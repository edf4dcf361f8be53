"""Fixed prompts that a served model is held against the policy with.

Each is cut after its picture. The text that follows is scored, token by token, by the server and by
the policy. So both score the same ids, and nothing is sampled.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from mmie.models.backbone import Prompt
from mmie.models.policy import Policy
from mmie.serving.client import Client
from mmie.serving.pictures import one_placeholder_each, png
from mmie.settings import ALL_AT_ONCE
from mmie.types import Picture

TEXTS = (
    "Two people met at the station on Monday, and one of them gave the other a red book.",
    "The mayor of the city opened the new bridge; thousands came to see it.",
    "What does the picture show? List the names, one after the other, and say who knows whom.",
    "so proud of the team tonight ! @ the arena with my brother # champions",
)
MEMORY = replace(ALL_AT_ONCE, micro_responses=1, logits_chunk=256)
HIDDEN = 0.1  # the standard error of a share above which it says nothing
SCORING = {"max_tokens": 1, "temperature": 0.0, "prompt_logprobs": 0, "detokenize": False}


@dataclass(frozen=True)
class Probe:
    """One prompt.

    Attributes:
        ids: as a server takes them, with one placeholder for the picture.
        head: the prompt up to the end of its picture.
        tail: the ids after that, which are scored.
        png: the picture.
    """

    ids: list[int]
    head: Prompt
    tail: list[int]
    png: bytes


def make_probes(policy: Policy) -> list[Probe]:
    """One probe for each text, all with a blank picture."""
    return [_probe(policy, text) for text in TEXTS]


def _probe(policy: Policy, text: str) -> Probe:
    blank = Picture(None)
    prompt = policy.encode(text, [blank])
    placeholder = int(policy.backbone.model.config.image_token_id)
    end = int((prompt.ids == placeholder).nonzero().max()) + 1
    head = Prompt(prompt.ids[:end], prompt.positions[:, :end], prompt.features)
    ids = one_placeholder_each(prompt.ids.tolist(), placeholder, [len(prompt.features)])
    return Probe(ids, head, prompt.ids[end:].tolist(), png(policy, blank))


@torch.no_grad()
def own_scores(policy: Policy, probes: Sequence[Probe]) -> Tensor:
    """Log-probabilities of all tails under the active adapter, one after the other."""
    heads = policy.batch([probe.head for probe in probes])
    tails = policy.completions_of([probe.tail for probe in probes])
    with policy.evaluating():
        scores = policy.logps(heads, tails, temperature=1.0, memory=MEMORY)
    return scores[tails.mask].double().cpu()


def served_scores(client: Client, model: str, probes: Sequence[Probe]) -> Tensor:
    """The same by the server.

    Raises:
        InputError: it cannot be asked.
    """
    scores = []
    for probe in probes:
        reply = client.generate(model, probe.ids, [probe.png], SCORING)
        by_id = reply["prompt_logprobs"][-len(probe.tail) :]
        for token, given in zip(probe.tail, by_id, strict=True):
            scores.append(given[str(token)]["logprob"])
    return torch.tensor(scores, dtype=torch.float64)


def rms(difference: Tensor) -> float:
    """The root mean square."""
    return float(difference.square().mean().sqrt())


def share_shown(served: Tensor, before: Tensor, now: Tensor) -> float | None:
    """Which share of the change from ``before`` to ``now`` the server's scores show.

    It is 1 for a server that has the new weights and 0 for one that still has the old ones.

    Returns:
        None where nothing has changed, or where the server's rounding hides the change.
    """
    change = now - before
    size = float(change.norm())
    if size == 0:
        return None
    share = float((served - before) @ change) / size**2
    noise = float((served - before - share * change).norm()) / len(change) ** 0.5 / size
    return share if noise < HIDDEN else None
