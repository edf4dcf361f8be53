"""Importance weights of sampled tokens, on numbers worked out by hand."""

from __future__ import annotations

import math
from typing import Any

import pytest
import torch
from torch import Tensor, tensor

from helpers.tensors import INF, LN2, NAN, double
from mmie.errors import InputError
from mmie.importance import effective_sample_size, importance_weights
from mmie.losses import grpo_loss


def weights_of(ratios: list[float], correction: str, *, threshold: float = 2.0) -> list[float]:
    old = double([ratios]).log()
    options: Any = {"correction": correction, "threshold": threshold}
    got = importance_weights(old, torch.zeros_like(old), torch.ones_like(old), **options)
    return got[0].tolist()


@pytest.mark.parametrize(
    ("correction", "expected"),
    [
        ("none", [0.1, 0.5, 1.0, 1.5, 2.0, 8.0]),
        ("truncate", [0.1, 0.5, 1.0, 1.5, 2.0, 2.0]),  # never raised, whatever is small
        ("mask", [0.0, 0.5, 1.0, 1.5, 2.0, 0.0]),  # both ends belong to it
    ],
)
def test_weights(correction: str, expected: list[float]) -> None:
    got = weights_of([0.1, 0.5, 1.0, 1.5, 2.0, 8.0], correction)
    assert got == pytest.approx(expected)


def test_the_threshold_is_the_bound() -> None:
    assert weights_of([3.0, 4.5, 0.2], "truncate", threshold=4) == pytest.approx([3, 4, 0.2])
    assert weights_of([3.0, 4.5, 0.3, 0.2], "mask", threshold=4) == pytest.approx([3, 0, 0.3, 0])


def test_the_ratio_is_the_trainers_over_the_samplers() -> None:
    # 0.6 / 0.4 = 1.5, and not 0.4 / 0.6
    options: Any = {"correction": "truncate", "threshold": 9}
    got = importance_weights(double([[0.6]]).log(), double([[0.4]]).log(), tensor([[1]]), **options)
    torch.testing.assert_close(got, double([[1.5]]))


@pytest.mark.parametrize("correction", ["none", "truncate", "mask"])
def test_equal_probabilities_weigh_exactly_one(correction: str) -> None:
    logps = torch.rand(3, 4, generator=torch.Generator().manual_seed(0)).log()
    options: Any = {"correction": correction, "threshold": 1.5}
    assert torch.equal(
        importance_weights(logps, logps, torch.ones(3, 4), **options), torch.ones(3, 4)
    )


@pytest.mark.parametrize(
    ("correction", "expected"), [("none", math.exp(20)), ("truncate", 2.0), ("mask", 0.0)]
)
def test_a_token_that_the_sampler_calls_impossible(correction: str, expected: float) -> None:
    options: Any = {"correction": correction, "threshold": 2.0}
    got = importance_weights(tensor([[-1.0]]), tensor([[-INF]]), tensor([[1]]), **options)
    assert got.item() == pytest.approx(expected, rel=1e-6)
    got = importance_weights(tensor([[-INF]]), tensor([[-1.0]]), tensor([[1]]), **options)
    assert got.item() == 0


@pytest.mark.parametrize("garbage", [0.0, 1e30, -INF, INF, NAN])
@pytest.mark.parametrize("correction", ["none", "truncate", "mask"])
def test_padding_has_no_weight(correction: str, garbage: float) -> None:
    options: Any = {"correction": correction, "threshold": 2.0}
    mask = tensor([[1, 1, 0], [0, 0, 0]])
    old = double([[-1, -2, garbage], [garbage, 1, garbage]])
    got = importance_weights(old, double([[-1, -2, 7], [NAN, -INF, garbage]]), mask, **options)
    assert torch.equal(got, double([[1, 1, 0], [0, 0, 0]]))


@pytest.mark.parametrize("correction", ["none", "truncate", "mask"])
def test_nan_within_a_response_is_not_hidden(correction: str) -> None:
    options: Any = {"correction": correction, "threshold": 2.0}
    got = importance_weights(double([[0, 0]]), double([[NAN, 0]]), tensor([[1, 1]]), **options)
    assert got[0, 0].isnan()
    assert got[0, 1] == 1


def test_unknown_correction_names_its_key() -> None:
    with pytest.raises(InputError, match=r"^grpo\.rollout_correction: 'tis'.*none, truncate, mask"):
        weights_of([1.0], "tis")


@pytest.mark.parametrize(
    ("weights", "expected"),
    [
        ([1.0, 1.0, 1.0, 1.0], 1.0),
        ([0.3, 0.3, 0.3, 0.3], 1.0),  # the scale does not matter
        ([5.0, 0.0, 0.0, 0.0], 0.25),
        ([2.0, 2.0, 0.0, 0.0], 0.5),
        ([1.0, 3.0, 0.0, 0.0], 16 / 40),
        ([0.0, 0.0, 0.0, 0.0], 0.0),
    ],
)
def test_effective_sample_size(weights: list[float], expected: float) -> None:
    garbage = [*weights, NAN, INF]
    mask = tensor([[1, 1, 1], [1, 0, 0]]).bool()
    rows = double([garbage[:3], garbage[3:]])
    assert effective_sample_size(rows, mask).item() == pytest.approx(expected)


def test_effective_sample_size_without_tokens() -> None:
    assert effective_sample_size(double([[NAN]]), tensor([[False]])).item() == 1


# The weights in eq. 7


def test_weights_multiply_the_first_term_alone() -> None:
    # weights 2 and 0, Â 3, KL (k1) ln 2 at both tokens: −(2·3 + 0·3)/2 + γ·(−ln 2)
    zero, weights = double([[0, 0]]), double([[2, 0]])
    options: Any = {"kl_coef": 0.5, "kl_estimator": "k1", "weights": weights}
    loss = grpo_loss(zero, zero, zero + LN2, double([3]), tensor([[1, 1]]), **options)
    assert loss.item() == pytest.approx(-3 - 0.5 * LN2)


def test_weights_come_after_clipping() -> None:
    # ratio 2 is cut to 1.2, and then weighs 1.5: −1.8. A cut of 2·1.5 would give −1.2.
    options: Any = {"kl_coef": 0, "clip": 0.2, "weights": double([[1.5]])}
    loss = grpo_loss(double([[LN2]]), double([[0]]), None, double([1]), tensor([[1]]), **options)
    assert loss.item() == pytest.approx(-1.8)


def test_a_token_without_weight_still_counts_in_the_length() -> None:
    # −Â·w / |o|: 3·1 / 2 and 0; it is not −3
    logps = double([[-1, -1]], grad=True)
    options: Any = {"kl_coef": 0, "weights": double([[1, 0]])}
    grpo_loss(logps, logps, None, double([3]), tensor([[1, 1]]), **options).backward()
    torch.testing.assert_close(logps.grad, double([[-1.5, 0]]))


@pytest.mark.parametrize("garbage", [-INF, INF, NAN])
def test_weights_of_padding_reach_neither_loss_nor_gradient(garbage: float) -> None:
    logps, mask = double([[-1, garbage]], grad=True), tensor([[1, 0]])
    weights = double([[2, garbage]], grad=True)
    loss = grpo_loss(logps, logps, None, double([3]), mask, kl_coef=0, weights=weights)
    loss.backward()
    assert loss.item() == -6
    assert torch.equal(logps.grad, double([[-6, 0]]))
    assert weights.grad is None


def test_weights_of_one_change_no_bit() -> None:
    generator = torch.Generator().manual_seed(0)
    logps, old = -torch.rand(2, 3, 5, generator=generator)
    advantages, mask = torch.randn(3, generator=generator), torch.ones(3, 5)
    losses = [
        grpo_loss(logps, old, None, advantages, mask, kl_coef=0, weights=weights)
        for weights in (None, torch.ones(3, 5))
    ]
    assert torch.equal(*losses)


def test_weights_take_no_gradient() -> None:
    """Without ``detach`` the gradient would be that of w·ratio: twice as large here."""
    logps, sampler = double([[-1.0]], grad=True), double([[-1.0 - math.log(1.5)]], grad=True)
    mask, options = tensor([[1]]), {"correction": "truncate", "threshold": 2.0}
    weights = importance_weights(logps, sampler, mask, **options)
    assert not weights.requires_grad
    loss = grpo_loss(logps, logps, None, double([4]), mask, kl_coef=0, weights=weights)
    loss.backward()
    torch.testing.assert_close(logps.grad, double([[-6]]))  # −w·Â = −1.5·4
    assert sampler.grad is None


def expected_gradient(logits: Tensor, sampler: Tensor, correction: str | None) -> Tensor:
    """The expectation of the gradient of eq. 7 over all responses of one token from the sampler."""
    leaf = logits.clone().requires_grad_()
    logps, mask = leaf.log_softmax(-1)[:, None], torch.ones(3, 1)
    drawn = sampler.log()[:, None]
    weights = None
    if correction is not None:
        options: Any = {"correction": correction, "threshold": 2.0}
        weights = importance_weights(logps, drawn, mask, **options)
    advantages = double([1, -2, 4])
    losses = [
        grpo_loss(
            logps[token, None],
            logps[token, None],
            None,
            advantages[token, None],
            mask[token, None],
            kl_coef=0,
            weights=None if weights is None else weights[token, None],
        )
        for token in range(3)
    ]
    (sampler * torch.stack(losses)).sum().backward()
    assert leaf.grad is not None
    return leaf.grad


def test_the_weights_undo_the_sampler_in_expectation() -> None:
    # All ratios lie within 1/2 … 2: 0.2/0.3, 0.3/0.3, 0.5/0.4.
    policy, sampler = double([0.2, 0.3, 0.5]), double([0.3, 0.3, 0.4])
    on_policy = expected_gradient(policy.log(), policy, None)
    for correction in ("none", "truncate", "mask"):
        corrected = expected_gradient(policy.log(), sampler, correction)
        torch.testing.assert_close(corrected, on_policy)
    uncorrected = expected_gradient(policy.log(), sampler, None)
    assert (uncorrected - on_policy).abs().max() > 0.1
