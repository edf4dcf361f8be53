"""The kinds of layers with an adapter: which of them does a server ignore?"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import torch
from torch import Tensor

from mmie.models.policy import Policy
from mmie.serving.probes import Probe, own_scores, rms

FIRST_SIZE = 0.01  # of an adapter of random weights; doubled until its effect is visible
DOUBLINGS = 12
HALF = 0.5  # a kind of which a server misses more is ignored


def randomise(policy: Policy, probes: Sequence[Probe], base: Tensor, *, effect: float) -> Tensor:
    """Gives the policy an adapter of random weights; returns its scores.

    Args:
        policy: loses its own adapter.
        probes: what is scored.
        base: the scores without an adapter.
        effect: by how much the scores differ from those at least, as a root mean square.
    """
    generator = torch.Generator().manual_seed(0)
    noise = {
        key: torch.randn(value.shape, generator=generator).to(value.dtype)
        for key, value in policy.adapter_state().items()
    }
    size = FIRST_SIZE
    for _ in range(DOUBLINGS):
        policy.load_adapter_state({key: size * value for key, value in noise.items()})
        own = own_scores(policy, probes)
        if rms(own - base) > effect:
            break
        size *= 2
    return own


def ignored_layers(
    policy: Policy, probes: Sequence[Probe], *, served: Tensor, own: Tensor, visible: float
) -> list[str]:
    """The kinds of layers whose part of the adapter a server does not show: q_proj, k_proj, ….

    The difference of the scores is taken as a sum of what is missing without each kind. The weights
    of the sum are 1 for a kind that is ignored and 0 for one that counts.

    Args:
        policy: with the adapter that is served.
        probes: what was scored.
        served, own: the scores of the server and of the policy.
        visible: the root mean square of a kind's effect below which nothing is said of it.
    """
    kinds = sorted({_kind(key) for key in policy.adapter_state()})
    missing = []
    for kind in kinds:
        with _without(policy, kind):
            missing.append(own_scores(policy, probes) - own)
    effects = torch.stack(missing, dim=1)
    weights = torch.linalg.lstsq(effects, (served - own)[:, None]).solution[:, 0]
    seen = effects.square().mean(0).sqrt() > visible
    chosen = (seen & (weights > HALF)).tolist()
    return [kind for kind, ignored in zip(kinds, chosen, strict=True) if ignored]


def _kind(key: str) -> str:
    """The layer's name without its place."""
    return key.partition(".lora_")[0].rpartition(".")[2]


@contextmanager
def _without(policy: Policy, kind: str) -> Iterator[None]:
    """Inside, the adapter of one kind of layers is zero."""
    state = policy.adapter_state()
    reduced = {
        key: torch.zeros_like(value) if _kind(key) == kind else value
        for key, value in state.items()
    }
    policy.load_adapter_state(reduced)
    try:
        yield
    finally:
        policy.load_adapter_state(state)
