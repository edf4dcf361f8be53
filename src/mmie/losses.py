"""The equations of training (JMERE-R1, eq. 1, 6 and 7) as functions of plain tensors.

Shapes: B prompts, G responses per prompt, N = B·G, T tokens, V vocabulary. Row n of [N, …] is
response n % G of prompt n // G. A mask is 1 (or True) on the tokens of the response itself. What
stands at masked positions reaches neither loss nor gradient, even if it is NaN or infinite.

Deviations from the paper, and choices where the paper leaves room:

1. Eq. 1 is the mean over all response tokens of the batch, not a sum.
2. Eq. 6 divides by std + eps. With ``unbiased`` the variance divides by G − 1, otherwise by G.
   Rewards that are equal up to rounding give exactly 0.
3. Eq. 7 has no clipping, as printed. ``clip`` adds PPO's (MORE-R1 uses 0.2), or with two bounds
   that of DAPO (Yu et al. 2025).
4. The KL term of eq. 7 is an estimate at each sampled token, k3 by default. It is not multiplied
   by the ratio.
5. A response without tokens adds 0 to the sum of eq. 7 and still counts in N.
6. The exponents of e^x, in the ratio of eq. 7 and in k3, are cut at 20. A larger one counts as 20
   and has gradient 0.
7. Four options are not in the paper and off by default: advantages without the std and division
   by a constant (Dr. GRPO, Liu et al. 2025), the mean over all tokens of the step (DAPO), one
   ratio per response (GSPO, Zheng et al. 2025), and importance weights for responses that another
   engine has sampled (``mmie.importance``).

An option is a word in the configuration and one small function here: see the tables below.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

import torch
from torch import Tensor

from mmie.errors import InputError

LARGEST_LOG_RATIO = 20.0  # e^20 is 4.9e8; float32 overflows at e^88.8


def token_logps(logits: Tensor, tokens: Tensor, *, temperature: float) -> Tensor:
    """log softmax(logits / temperature) at the given tokens, in float32 or better.

    Args:
        logits: [..., T, V], already shifted: position t predicts ``tokens[..., t]``.
        tokens: ids, [..., T].
        temperature: that of sampling; the same for policy, old policy and reference.

    Returns:
        [..., T].
    """
    wide = logits.to(torch.promote_types(logits.dtype, torch.float32))
    return (wide / temperature).log_softmax(-1).gather(-1, tokens.unsqueeze(-1)).squeeze(-1)


def sft_loss(logps: Tensor, mask: Tensor) -> Tensor:
    """Eq. 1: −mean log π over the response tokens; 0 where there are none.

    Args:
        logps: log-probabilities of the target tokens, [N, T].
        mask: [N, T].
    """
    return -masked(logps, mask).sum() / mask.sum().clamp(min=1)


# Eq. 6


def group_advantages(rewards: Tensor, *, eps: float, unbiased: bool, scale: str = "std") -> Tensor:
    """Eq. 6: Â = (r − mean) / (std + eps) within each group.

    A group whose rewards are all equal gets exactly 0, and so does a group of one.

    Args:
        rewards: [B, G].
        eps: keeps the quotient finite (1e-4).
        unbiased: divide the sum of squares by G − 1 instead of G.
        scale: ``std``, or ``none`` for r − mean alone (Dr. GRPO).

    Returns:
        [B, G].

    Raises:
        InputError: the scale is unknown.
    """
    centred = rewards - rewards.mean(-1, keepdim=True)
    degrees = max(rewards.shape[-1] - int(unbiased), 1)
    std = (centred.square().sum(-1, keepdim=True) / degrees).sqrt()
    scaled = option("advantage_scale", scale, _SCALES)(centred, std, eps)
    return torch.where(zero_variance(rewards).unsqueeze(-1), 0.0, scaled)


def zero_variance(rewards: Tensor) -> Tensor:
    """Which groups have rewards that are all equal, up to rounding: [B, G] → bool [B]."""
    spread = rewards.amax(-1) - rewards.amin(-1)
    return spread <= 4 * torch.finfo(rewards.dtype).eps * rewards.abs().amax(-1)


def _divide_by_std(centred: Tensor, std: Tensor, eps: float) -> Tensor:
    return centred / (std + eps)


def _centre_only(centred: Tensor, std: Tensor, eps: float) -> Tensor:
    return centred


_SCALES: dict[str, Callable[[Tensor, Tensor, float], Tensor]] = {
    "std": _divide_by_std,
    "none": _centre_only,
}


# The KL term of eq. 7


def kl_divergence(logps: Tensor, ref_logps: Tensor, *, estimator: str) -> Tensor:
    """KL(π ‖ π_ref), estimated at each sampled token.

    With d = log π_ref − log π the estimators are k1 = −d, k2 = d²/2 and k3 = e^d − d − 1
    (Schulman, "Approximating KL Divergence"). k2 and k3 are never negative. k3 takes d > 20 as 20:
    it is e^20 − 21 there, with gradient 0.

    Args:
        logps: under the policy, [N, T].
        ref_logps: under the reference, [N, T].
        estimator: ``k1``, ``k2`` or ``k3``.

    Returns:
        [N, T].

    Raises:
        InputError: the estimator is unknown.
    """
    return option("kl_estimator", estimator, _KL_ESTIMATORS)(ref_logps - logps)


def _k1(log_ratio: Tensor) -> Tensor:
    return -log_ratio


def _k2(log_ratio: Tensor) -> Tensor:
    return log_ratio.square() / 2


def _k3(log_ratio: Tensor) -> Tensor:
    cut = bounded(log_ratio)
    return cut.expm1() - cut


_KL_ESTIMATORS: dict[str, Callable[[Tensor], Tensor]] = {"k1": _k1, "k2": _k2, "k3": _k3}


# Eq. 7


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
    weights: Tensor | None = None,
) -> Tensor:
    """Eq. 7, a scalar: −1/N Σ_i 1/|o_i| Σ_t [ π/π_old · Â_i − γ·KL(π ‖ π_ref) ].

    Args:
        logps: under the policy, [N, T]; the only argument that takes a gradient.
        old_logps: under the policy at the time of sampling, [N, T] (``logps.detach()`` with one
            update per group).
        ref_logps: under the frozen reference, [N, T]; None where ``kl_coef`` is 0.
        advantages: eq. 6, [N].
        mask: [N, T].
        kl_coef: γ.
        clip: None, or ε of PPO's min(ratio·Â, clamp(ratio, 1 − ε, 1 + ε)·Â), or (ε_low, ε_high).
        kl_estimator: see ``kl_divergence``.
        ratio: ``token``, or ``sequence`` for the geometric mean of a response's ratios at each of
            its tokens (GSPO).
        normalise: ``sequence`` (eq. 7), ``token`` for −1/normaliser Σ_i Σ_t (DAPO), ``constant``
            for −1/N Σ_i 1/normaliser Σ_t (Dr. GRPO).
        normaliser: for ``token`` None stands for the number of tokens in the mask. If this is one
            of M micro-batches whose losses are averaged, give the tokens of all of them divided by
            M. For ``constant`` it is the constant, for example the length limit.
        weights: factor of each token's first term, [N, T], without gradient; None stands for 1.
            See ``mmie.importance``. A token of weight 0 still counts in |o_i| and normaliser.

    Raises:
        InputError: ``kl_estimator``, ``ratio`` or ``normalise`` is an unknown word.
        ValueError: ``ref_logps`` is None and ``kl_coef`` is not 0, or ``constant`` has no
            normaliser.
    """
    logps, old_logps = masked(logps, mask), masked(old_logps.detach(), mask)
    lengths = mask.sum(-1).clamp(min=1)
    log_ratio = option("ratio", ratio, _RATIOS)(logps - old_logps, lengths)
    per_token = _surrogate(bounded(log_ratio).exp(), advantages.unsqueeze(-1), clip)
    if weights is not None:
        per_token = per_token * weights.detach()
    if kl_coef != 0:
        if ref_logps is None:
            raise ValueError(f"kl_coef is {kl_coef}, but ref_logps is None: give the reference")
        kl = kl_divergence(logps, masked(ref_logps.detach(), mask), estimator=kl_estimator)
        per_token = per_token - kl_coef * kl
    if normalise == "constant" and normaliser is None:
        raise ValueError("normalise is 'constant', but normaliser is None: give the constant")
    divisor = mask.sum().clamp(min=1) if normaliser is None else normaliser
    sums = masked(per_token, mask).sum(-1)
    return -option("normalise", normalise, _MEANS)(sums, lengths, divisor)


def _surrogate(
    ratio: Tensor, advantages: Tensor, clip: float | tuple[float, float] | None
) -> Tensor:
    if clip is None:
        return ratio * advantages
    low, high = (clip, clip) if isinstance(clip, (int, float)) else clip
    return torch.minimum(ratio * advantages, ratio.clamp(1 - low, 1 + high) * advantages)


def _of_each_token(log_ratio: Tensor, lengths: Tensor) -> Tensor:
    return log_ratio


def _of_each_sequence(log_ratio: Tensor, lengths: Tensor) -> Tensor:
    means = log_ratio.sum(-1, keepdim=True) / lengths[:, None]
    return means.expand_as(log_ratio)


def _mean_of_sequence_means(sums: Tensor, lengths: Tensor, divisor: Tensor | float) -> Tensor:
    return (sums / lengths).mean()


def _mean_of_tokens(sums: Tensor, lengths: Tensor, divisor: Tensor | float) -> Tensor:
    return sums.sum() / divisor


def _mean_over_constant(sums: Tensor, lengths: Tensor, divisor: Tensor | float) -> Tensor:
    return sums.mean() / divisor


_RATIOS: dict[str, Callable[[Tensor, Tensor], Tensor]] = {
    "token": _of_each_token,
    "sequence": _of_each_sequence,
}
_MEANS: dict[str, Callable[[Tensor, Tensor, Tensor | float], Tensor]] = {
    "sequence": _mean_of_sequence_means,
    "token": _mean_of_tokens,
    "constant": _mean_over_constant,
}


def option(
    key: str, word: str, functions: Mapping[str, Callable[..., Tensor]]
) -> Callable[..., Tensor]:
    """The function behind a word of the configuration.

    Raises:
        InputError: there is none; the line begins with ``grpo.<key>``.
    """
    if word not in functions:
        raise InputError(f"grpo.{key}: {word!r} is unknown; use one of {', '.join(functions)}")
    return functions[word]


def bounded(log_ratio: Tensor) -> Tensor:
    """What e^x may take without growing out of range."""
    return log_ratio.clamp(max=LARGEST_LOG_RATIO)


def masked(values: Tensor, mask: Tensor) -> Tensor:
    """The values where the mask is set, and 0 elsewhere.

    A product with the mask would let NaN and infinity through, forwards and backwards.
    """
    return torch.where(mask.bool(), values, 0.0)
