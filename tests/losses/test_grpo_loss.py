"""Eq. 7 as the paper prints it and with clipping, on numbers worked out by hand."""

from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor, tensor
from torch.nn.functional import pad

from helpers.tensors import INF, LN2, NAN, double, random_batch
from mmie.losses import grpo_loss


def test_grpo_loss_averages_within_responses_first() -> None:
    # Ratios 1: response means 1 and −4, mean −1.5, loss 1.5.
    # A token mean would give −(1 + 1 − 4) / 3.
    logps = double([[-1, -2], [-3, -9]])
    loss = grpo_loss(logps, logps, None, double([1, -4]), tensor([[1, 1], [1, 0]]), kl_coef=0.0)
    assert loss.item() == pytest.approx(1.5)


def test_grpo_loss_with_ratio_and_kl() -> None:
    # response 1: ratios 2 and 1, Â 1, KL (1 − ln 2) and 0 → ((2 − γ(1 − ln 2)) + 1) / 2
    # response 2: ratio 1/2, Â −2, KL ln 2 − 1/2 → −1 − γ(ln 2 − 1/2)
    logps = double([[-1, -1], [-2, -1]])
    old = double([[-1 - LN2, -1], [-2 + LN2, -1]])
    ref = double([[-1 + LN2, -1], [-2 - LN2, -1]])
    gamma = 0.1
    first, second = (3 - gamma * (1 - LN2)) / 2, -1 - gamma * (LN2 - 0.5)
    loss = grpo_loss(logps, old, ref, double([1, -2]), tensor([[1, 1], [1, 0]]), kl_coef=gamma)
    assert loss.item() == pytest.approx(-(first + second) / 2)


def test_kl_estimator_is_passed_on() -> None:
    # k1 = −ln 2 where log π_ref − log π = ln 2: loss = γ·k1
    zero, options = double([[0]]), {"kl_coef": 0.5, "kl_estimator": "k1"}
    loss = grpo_loss(zero, zero, zero + LN2, double([0]), tensor([[1]]), **options)
    assert loss.item() == pytest.approx(-0.5 * LN2)


@pytest.mark.parametrize(
    ("ratio", "advantage", "clip", "expected"),
    [
        (1.5, 1, None, 1.5),
        (1.5, 1, 0.2, 1.2),
        (1.5, 1, (0.2, 0.28), 1.28),
        (1.5, -1, 0.2, -1.5),
        (0.5, 1, 0.2, 0.5),
        (0.5, -1, 0.2, -0.8),
        (0.5, -1, (0.3, 0.2), -0.7),
        # DAPO's bounds: 1.25 lies within them, where 0.2 on both sides would cut it. Each bound
        # holds for one sign of the advantage only.
        (1.25, 1, (0.2, 0.28), 1.25),
        (1.5, -1, (0.2, 0.28), -1.5),
        (0.5, 1, (0.2, 0.28), 0.5),
        (0.5, -1, (0.2, 0.28), -0.8),
        (1.1, 1, 0.2, 1.1),
    ],
)
def test_clip(ratio: float, advantage: float, clip, expected: float) -> None:
    logps, old, advantages = double([[math.log(ratio)]]), double([[0]]), double([advantage])
    loss = grpo_loss(logps, old, None, advantages, tensor([[1]]), kl_coef=0.0, clip=clip)
    assert loss.item() == pytest.approx(-expected)


def test_the_ratio_is_bounded() -> None:
    # log ratios 0 and 100, Â 1 and 0: −(1·1 + e^20·0) / 2; with e^100 it would be NaN in float32
    logps, old, mask = tensor([[-1.0], [0.0]]), tensor([[-1.0], [-100.0]]), torch.ones(2, 1)
    loss = grpo_loss(logps, old, None, tensor([1.0, 0.0]), mask, kl_coef=0.0)
    assert loss.item() == pytest.approx(-0.5)


@pytest.mark.parametrize("ratio", ["token", "sequence"])
@pytest.mark.parametrize(
    ("logp", "advantage", "gradient"),
    [(LN2, 1, 0.0), (LN2, -1, 2.0), (-LN2, 1, -0.5), (-LN2, -1, 0.0)],
)
def test_clipped_ratios_have_no_gradient(
    ratio: str, logp: float, advantage: float, gradient: float
) -> None:
    # Ratios 2 and 1/2 lie outside 0.8 … 1.28. Where the bound does not hold, the gradient is
    # −ratio·Â.
    logps, advantages = double([[logp]], grad=True), double([advantage])
    options = {"kl_coef": 0, "clip": (0.2, 0.28), "ratio": ratio}
    grpo_loss(logps, double([[0]]), None, advantages, tensor([[1]]), **options).backward()
    torch.testing.assert_close(logps.grad, double([[gradient]]))


def test_gradient_on_policy_is_the_weighted_advantage() -> None:
    # −Â_i / (N·|o_i|): −3 / (2·2) twice, 1 / (2·1)
    logps = double([[-1, -2], [-3, -4]], grad=True)
    grpo_loss(logps, logps, None, double([3, -1]), tensor([[1, 1], [1, 0]]), kl_coef=0.0).backward()
    torch.testing.assert_close(logps.grad, double([[-0.75, -0.75], [0.5, 0]]))


def test_gradient_of_k3_pulls_towards_the_reference() -> None:
    # d/dlogp of e^d − d − 1 with d = ref − logp = ln 2 is 1 − e^d = −1; times γ / (N·|o|) = 0.1 / 1
    logps, ref = double([[-1]], grad=True), double([[-1 + LN2]], grad=True)
    grpo_loss(logps, logps.detach(), ref, double([0]), tensor([[1]]), kl_coef=0.1).backward()
    torch.testing.assert_close(logps.grad, double([[-0.1]]))
    assert ref.grad is None


@pytest.mark.parametrize("garbage", [0.0, 1e30, -INF, INF, NAN])
@pytest.mark.parametrize("clip", [None, 0.2])
def test_padding_reaches_neither_loss_nor_gradient(garbage: float, clip: float | None) -> None:
    (logps, old, ref), advantages, mask = random_batch()
    expected_leaf = logps.clone().requires_grad_()
    expected = grpo_loss(expected_leaf, old, ref, advantages, mask, kl_coef=0.1, clip=clip)
    expected.backward()

    wide = pad(mask, (0, 3))
    leaf, *others = [pad(x, (0, 3)).masked_fill(~wide, garbage) for x in (logps, old, ref)]
    leaf.requires_grad_()
    loss = grpo_loss(leaf, *others, advantages, wide, kl_coef=0.1, clip=clip)
    loss.backward()
    torch.testing.assert_close(loss, expected)
    torch.testing.assert_close(leaf.grad[:, :5], expected_leaf.grad)
    assert torch.equal(leaf.grad[~wide], torch.zeros_like(leaf.grad[~wide]))


def test_gradient_of_eq_7_agrees_with_finite_differences() -> None:
    (logps, old, ref), advantages, mask = random_batch()
    for estimator in ("k1", "k2", "k3"):
        options = {"kl_coef": 0.3, "kl_estimator": estimator, "clip": 0.2}

        def loss(x: Tensor, options: dict = options) -> Tensor:
            return grpo_loss(x, old, ref, advantages, mask, **options)

        assert torch.autograd.gradcheck(loss, logps.requires_grad_())


def test_halves_of_a_batch_average_to_the_whole() -> None:
    (logps, old, ref), advantages, mask = random_batch()
    whole = grpo_loss(logps, old, ref, advantages, mask, kl_coef=0.1)
    halves = []
    for half in (slice(0, 2), slice(2, 4)):
        tensors = [values[half] for values in (logps, old, ref, advantages, mask)]
        halves.append(grpo_loss(*tensors, kl_coef=0.1))
    torch.testing.assert_close(sum(halves) / 2, whole)


def test_empty_response_adds_nothing_and_still_counts() -> None:
    # one response of mean 1 among two: −(1 + 0) / 2
    logps = double([[-1, -1], [NAN, NAN]], grad=True)
    loss = grpo_loss(logps, logps, logps, double([1, 7]), tensor([[1, 1], [0, 0]]), kl_coef=0.1)
    loss.backward()
    assert loss.item() == pytest.approx(-0.5)
    assert torch.equal(logps.grad[1], double([0, 0]))


def test_missing_reference_is_refused_only_where_it_is_used() -> None:
    zero = double([[0]])
    assert grpo_loss(zero, zero, None, double([1]), tensor([[1]]), kl_coef=0).item() == -1
    with pytest.raises(ValueError, match="ref_logps is None"):
        grpo_loss(zero, zero, None, double([1]), tensor([[1]]), kl_coef=0.01)
