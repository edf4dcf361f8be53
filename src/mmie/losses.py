"""The equations of training (JMERE-R1, eq. 1, 6, 7) on plain tensors.

Shapes: B prompts, G responses a prompt, N = B·G, T tokens, V vocabulary. Row n of [N, …] is response n % G of prompt
n // G. Masks are 1 (or True) on the response's own tokens; what stands at masked positions, NaN and infinity included,
reaches neither loss nor gradient.

Where these deviate from the paper, or the paper leaves room:

1. Eq. 1 is the mean over all response tokens of the batch, not a sum.
2. Eq. 6 divides by std + eps; ``unbiased`` takes the sample's standard deviation (G − 1), else the population's (G).
   Rewards that are equal up to rounding give exactly 0.
3. Eq. 7 has no clipping, as printed; ``clip`` adds PPO's (MORE-R1: 0.2).
4. The KL term of eq. 7 is an estimate at each sampled token (k3 by default), not multiplied by the ratio.
5. A response without a token adds 0 to eq. 7 and still counts in G.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from mmie.errors import InputError

_KL: dict[str, Callable[[Tensor], Tensor]] = {
    "k1": lambda log_ratio: -log_ratio,
    "k2": lambda log_ratio: log_ratio.square() / 2,
    "k3": lambda log_ratio: log_ratio.expm1() - log_ratio,
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


def group_advantages(rewards: Tensor, *, eps: float, unbiased: bool) -> Tensor:
    """Eq. 6: (r − mean) / (std + eps) within each group; exactly 0 where the rewards are equal, so for G = 1.

    Args:
        rewards: [B, G].
        eps: keeps the quotient finite (1e-4).
        unbiased: divide the squares by G − 1 instead of G.

    Returns:
        [B, G].
    """
    centred = rewards - rewards.mean(-1, keepdim=True)
    degrees = max(rewards.shape[-1] - int(unbiased), 1)
    std = (centred.square().sum(-1, keepdim=True) / degrees).sqrt()
    spread = rewards.amax(-1, keepdim=True) - rewards.amin(-1, keepdim=True)
    rounding = 4 * torch.finfo(rewards.dtype).eps * rewards.abs().amax(-1, keepdim=True)
    return torch.where(spread <= rounding, 0.0, centred / (std + eps))


def kl_divergence(logps: Tensor, ref_logps: Tensor, *, estimator: str) -> Tensor:
    """KL(π ‖ π_ref) estimated at each sampled token; with d = log π_ref − log π: k1 = −d, k2 = d²/2, k3 = e^d − d − 1.

    Args:
        logps: [N, T] under the policy.
        ref_logps: [N, T] under the reference.
        estimator: ``k1``, ``k2`` or ``k3`` (Schulman, "Approximating KL Divergence").

    Returns:
        [N, T]; k2 and k3 are never negative.

    Raises:
        InputError: another estimator.
    """
    if estimator not in _KL:
        raise InputError(f"grpo.kl_estimator: {estimator!r} is unknown; use one of {', '.join(_KL)}")
    return _KL[estimator](ref_logps - logps)


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

    Raises:
        ValueError: ``ref_logps`` is None and ``kl_coef`` is not 0.
    """
    logps, old_logps = _masked(logps, mask), _masked(old_logps.detach(), mask)
    per_token = _surrogate((logps - old_logps).exp(), advantages.unsqueeze(-1), clip)
    if kl_coef != 0:
        if ref_logps is None:
            raise ValueError(f"kl_coef is {kl_coef} and ref_logps is None: give the reference or set kl_coef to 0")
        kl = kl_divergence(logps, _masked(ref_logps.detach(), mask), estimator=kl_estimator)
        per_token = per_token - kl_coef * kl
    return -(_masked(per_token, mask).sum(-1) / mask.sum(-1).clamp(min=1)).mean()


def _surrogate(ratio: Tensor, advantages: Tensor, clip: float | tuple[float, float] | None) -> Tensor:
    if clip is None:
        return ratio * advantages
    low, high = (clip, clip) if isinstance(clip, (int, float)) else clip
    return torch.minimum(ratio * advantages, ratio.clamp(1 - low, 1 + high) * advantages)


def _masked(values: Tensor, mask: Tensor) -> Tensor:
    """The values where the mask is set, 0 elsewhere; unlike a product, this stops NaN and infinity both ways."""
    return torch.where(mask.bool(), values, 0.0)
