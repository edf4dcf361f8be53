"""The equations of training (JMERE-R1, eq. 1, 6, 7) on plain tensors.

Shapes: B prompts, G responses a prompt, N = B·G, T tokens, V vocabulary. Row n of [N, …] is response n % G of prompt
n // G. Masks are 1 (or True) on the response's own tokens; what stands at masked positions, NaN and infinity included,
reaches neither loss nor gradient.

Where these deviate from the paper, or the paper leaves room:

1. Eq. 1 is the mean over all response tokens of the batch, not a sum.
2. Eq. 6 divides by std + eps; ``unbiased`` takes the sample's standard deviation (G − 1), else the population's (G).
   Rewards that are equal up to rounding give exactly 0.
3. Eq. 7 has no clipping, as printed; ``clip`` adds PPO's (MORE-R1: 0.2), with two bounds DAPO's (Yu et al. 2025).
4. The KL term of eq. 7 is an estimate at each sampled token (k3 by default), not multiplied by the ratio.
5. A response without a token adds 0 to eq. 7 and still counts in G.
6. What goes into e^x, the log-ratio of eq. 7 and of k3, is at most 20: a larger one counts as
   20, with gradient 0.
7. Not in the paper, off by default: advantages without the std and division by a constant
   (Dr. GRPO, Liu et al. 2025), the
   mean over all tokens of the step (DAPO), one ratio a response (GSPO, Zheng et al. 2025).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

import torch
from torch import Tensor

from mmie.errors import InputError

LARGEST_LOG_RATIO = 20.0  # e^20 is 4.9e8; from 88.8 on float32 has no e^x


def _bounded(log_ratio: Tensor) -> Tensor:
    return log_ratio.clamp(max=LARGEST_LOG_RATIO)


_KL: dict[str, Callable[[Tensor], Tensor]] = {
    "k1": lambda log_ratio: -log_ratio,
    "k2": lambda log_ratio: log_ratio.square() / 2,
    "k3": lambda log_ratio: _bounded(log_ratio).expm1() - _bounded(log_ratio),
}
_RATIO: dict[str, Callable[[Tensor, Tensor], Tensor]] = {
    "token": lambda log_ratio, lengths: log_ratio,
    "sequence": lambda log_ratio, lengths: (
        log_ratio.sum(-1, keepdim=True) / lengths[:, None]
    ).expand_as(log_ratio),
}
_NORMALISE: dict[str, Callable[[Tensor, Tensor, Tensor | float], Tensor]] = {
    "sequence": lambda sums, lengths, normaliser: (sums / lengths).mean(),
    "token": lambda sums, lengths, normaliser: sums.sum() / normaliser,
    "constant": lambda sums, lengths, normaliser: sums.mean() / normaliser,
}
_SCALE: dict[str, Callable[[Tensor, Tensor, float], Tensor]] = {
    "std": lambda centred, std, eps: centred / (std + eps),
    "none": lambda centred, std, eps: centred,
}


def token_logps(logits: Tensor, tokens: Tensor, *, temperature: float) -> Tensor:
    """log softmax(logits / temperature) at the tokens, in float32 or better.

    Args:
        logits: [..., T, V], already shifted: position t predicts ``tokens[..., t]``.
        tokens: [..., T] ids.
        temperature: that of sampling; the same for policy, old policy and reference.

    Returns:
        [..., T].
    """
    wide = logits.to(torch.promote_types(logits.dtype, torch.float32))
    return (wide / temperature).log_softmax(-1).gather(-1, tokens.unsqueeze(-1)).squeeze(-1)


def sft_loss(logps: Tensor, mask: Tensor) -> Tensor:
    """Eq. 1: −mean log π over the response tokens; 0 where there are none.

    Args:
        logps: [N, T] log-probabilities of the target tokens.
        mask: [N, T].
    """
    return -_masked(logps, mask).sum() / mask.sum().clamp(min=1)


def group_advantages(rewards: Tensor, *, eps: float, unbiased: bool, scale: str = "std") -> Tensor:
    """Eq. 6: (r − mean) / (std + eps) within each group; exactly 0 where the rewards are equal, so for G = 1.

    Args:
        rewards: [B, G].
        eps: keeps the quotient finite (1e-4).
        unbiased: divide the squares by G − 1 instead of G.
        scale: ``std``, or ``none`` for r − mean alone (Dr. GRPO).

    Returns:
        [B, G].

    Raises:
        InputError: another scale.
    """
    centred = rewards - rewards.mean(-1, keepdim=True)
    degrees = max(rewards.shape[-1] - int(unbiased), 1)
    std = (centred.square().sum(-1, keepdim=True) / degrees).sqrt()
    scaled = _known("advantage_scale", scale, _SCALE)(centred, std, eps)
    return torch.where(zero_variance(rewards).unsqueeze(-1), 0.0, scaled)


def zero_variance(rewards: Tensor) -> Tensor:
    """Which groups have rewards that are all equal, up to rounding: [B, G] → bool [B]."""
    spread = rewards.amax(-1) - rewards.amin(-1)
    return spread <= 4 * torch.finfo(rewards.dtype).eps * rewards.abs().amax(-1)


def kl_divergence(logps: Tensor, ref_logps: Tensor, *, estimator: str) -> Tensor:
    """KL(π ‖ π_ref) estimated at each sampled token; with d = log π_ref − log π: k1 = −d, k2 = d²/2, k3 = e^d − d − 1.

    Args:
        logps: [N, T] under the policy.
        ref_logps: [N, T] under the reference.
        estimator: ``k1``, ``k2`` or ``k3`` (Schulman, "Approximating KL Divergence").

    Returns:
        [N, T]; k2 and k3 are never negative. k3 takes d > 20 as 20: it is e^20 − 21 there, with
        gradient 0.

    Raises:
        InputError: another estimator.
    """
    return _known("kl_estimator", estimator, _KL)(ref_logps - logps)


def grpo_loss(
    logps: Tensor,
    old_logps: Tensor,
    ref_logps: Tensor | None,
    advantages: Tensor,
    mask: Tensor,
    *,
    kl_coef: float,
    clip: float | tuple[float, float] | None = None,
    kl_estimator: str = "k3",
    ratio: str = "token",
    normalise: str = "sequence",
    normaliser: float | None = None,
) -> Tensor:
    """Eq. 7: −1/N Σ_i 1/|o_i| Σ_t [ π/π_old · Â_i − γ·KL(π ‖ π_ref) ].

    Args:
        logps: [N, T] under the policy; the only argument that takes a gradient.
        old_logps: [N, T] under the policy that sampled (``logps.detach()`` with one update a group).
        ref_logps: [N, T] under the frozen reference; None where ``kl_coef`` is 0.
        advantages: [N], eq. 6.
        mask: [N, T].
        kl_coef: γ.
        clip: None, or ε of PPO's min(ratio·Â, clamp(ratio, 1 − ε, 1 + ε)·Â), or (ε_low, ε_high).
        kl_estimator: see ``kl_divergence``.
        ratio: ``token``, or ``sequence`` for the geometric mean of a response's ratios at each of its tokens (GSPO).
        normalise: ``sequence`` (eq. 7), ``token`` for −1/normaliser Σ_i Σ_t (DAPO), ``constant`` for
            −1/N Σ_i 1/normaliser Σ_t (Dr. GRPO).
        normaliser: for ``token`` None stands for the mask's own tokens; where this is one of M micro-batches whose losses are
            averaged, give all their tokens divided by M. For ``constant`` the constant, the length limit say.

    Raises:
        InputError: a word that is none of these.
        ValueError: ``ref_logps`` is None and ``kl_coef`` is not 0, or ``constant`` has no normaliser.
    """
    logps, old_logps = _masked(logps, mask), _masked(old_logps.detach(), mask)
    lengths = mask.sum(-1).clamp(min=1)
    log_ratio = _known("ratio", ratio, _RATIO)(logps - old_logps, lengths)
    per_token = _surrogate(_bounded(log_ratio).exp(), advantages.unsqueeze(-1), clip)
    if kl_coef != 0:
        if ref_logps is None:
            raise ValueError(
                f"kl_coef is {kl_coef} and ref_logps is None: give the reference or set kl_coef to 0"
            )
        kl = kl_divergence(logps, _masked(ref_logps.detach(), mask), estimator=kl_estimator)
        per_token = per_token - kl_coef * kl
    if normalise == "constant" and normaliser is None:
        raise ValueError("normalise is 'constant' and normaliser is None: give the constant")
    over = mask.sum().clamp(min=1) if normaliser is None else normaliser
    return -_known("normalise", normalise, _NORMALISE)(
        _masked(per_token, mask).sum(-1), lengths, over
    )


def _known(
    key: str, word: str, words: Mapping[str, Callable[..., Tensor]]
) -> Callable[..., Tensor]:
    if word not in words:
        raise InputError(f"grpo.{key}: {word!r} is unknown; use one of {', '.join(words)}")
    return words[word]


def _surrogate(
    ratio: Tensor, advantages: Tensor, clip: float | tuple[float, float] | None
) -> Tensor:
    if clip is None:
        return ratio * advantages
    low, high = (clip, clip) if isinstance(clip, (int, float)) else clip
    return torch.minimum(ratio * advantages, ratio.clamp(1 - low, 1 + high) * advantages)


def _masked(values: Tensor, mask: Tensor) -> Tensor:
    """The values where the mask is set, 0 elsewhere; unlike a product, this stops NaN and infinity both ways."""
    return torch.where(mask.bool(), values, 0.0)
