"""Importance weights for responses whose sampler and trainer do not agree on their probabilities.

A server such as vLLM decodes with other kernels, and often in another precision, than the trainer.
Even with the same weights of the model its responses are samples of a policy π_rollout of its own,
while eq. 7 takes them as samples of π_old. For each token the ratio w = π_old / π_rollout makes up
for that. It is a constant: the gradient of eq. 7 flows through log π alone. Rare tokens with a
large w would drown all others, so one of two corrections bounds it by C > 1:

- ``truncate``: min(w, C). Truncated importance sampling, Yao et al. 2025, "Your Efficient RL
  Framework Secretly Brings You Off-Policy RL Training".
- ``mask``: w within [1/C, C] and 0 outside. Masked importance sampling, known as IcePop (Ling Team
  2025, "Every Step Evolves"). Its own bounds, 0.5 and 5, are not the reciprocals of each other.

Both are per token. Weights of whole responses, the products over their tokens, are not offered:
they are unbiased without a bound, and with responses of hundreds of tokens nearly all of them lie
outside any bound. As in TRL and IcePop the KL term is not weighted, and a token with weight 0 still
counts in the length of its response.

Shapes: N responses, T tokens; a mask is 1 (or True) on the tokens of the response itself.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from mmie.losses import bounded, masked, option


def importance_weights(
    old_logps: Tensor, rollout_logps: Tensor, mask: Tensor, *, correction: str, threshold: float
) -> Tensor:
    """The weight of each token, bounded as the correction says; 0 at masked positions.

    The exponent of w is cut at 20. Garbage at masked positions does no harm. A NaN inside a
    response stays one, so that the loss is refused.

    Args:
        old_logps: under the trainer's policy when the responses were sampled, [N, T].
        rollout_logps: as the sampler recorded them, [N, T].
        mask: [N, T].
        correction: ``truncate``, ``mask``, or ``none`` for w as it is.
        threshold: C.

    Returns:
        [N, T], without gradient.

    Raises:
        InputError: the correction is unknown.
    """
    bound = option("rollout_correction", correction, _CORRECTIONS)
    ratios = bounded((old_logps - rollout_logps).detach()).exp()
    return masked(bound(ratios, threshold), mask)


def effective_sample_size(weights: Tensor, mask: Tensor) -> Tensor:
    """(Σw)² / (n·Σw²) over the n tokens of the responses, a scalar of 0..1 (Kish 1965).

    It is 1 if all weights are equal, and 1/n if one token has all the weight. Weights that are all
    0 give 0. Without any token it is 1.

    Args:
        weights: never negative, [N, T].
        mask: [N, T].
    """
    own = masked(weights, mask)
    squares = mask.sum() * own.square().sum()
    size = own.sum().square() / torch.where(squares == 0, 1.0, squares)
    return torch.where(mask.any(), size, 1.0)


def _as_they_are(ratios: Tensor, threshold: float) -> Tensor:
    return ratios


def _truncated(ratios: Tensor, threshold: float) -> Tensor:
    return ratios.clamp(max=threshold)


def _zero_outside(ratios: Tensor, threshold: float) -> Tensor:
    outside = (ratios > threshold) | (ratios < 1 / threshold)
    return torch.where(outside, 0.0, ratios)


_CORRECTIONS: dict[str, Callable[[Tensor, float], Tensor]] = {
    "none": _as_they_are,
    "truncate": _truncated,
    "mask": _zero_outside,
}
