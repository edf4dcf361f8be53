"""What later variants of GRPO change in eq. 7: other means, and one ratio per response."""

from __future__ import annotations

import math

import pytest
import torch
from torch import tensor

from helpers.tensors import INF, LN2, NAN, double, random_batch
from mmie.errors import InputError
from mmie.losses import grpo_loss

THREE = tensor([[1, 1], [1, 0], [0, 0]])


def test_token_mean_of_all_responses() -> None:
    # ratios 1: tokens 3, 3, −1 of three tokens; the empty response adds nothing: −5/3
    zero = torch.zeros(3, 2, dtype=torch.float64)
    loss = grpo_loss(zero, zero, None, double([3, -1, 7]), THREE, kl_coef=0, normalise="token")
    assert loss.item() == pytest.approx(-5 / 3)


def test_division_by_a_constant() -> None:
    # sums 6, −1, 0 over 3 responses and a length limit of 10: −5/30
    zero, advantages = torch.zeros(3, 2, dtype=torch.float64), double([3, -1, 7])
    options = {"kl_coef": 0, "normalise": "constant"}
    loss = grpo_loss(zero, zero, None, advantages, THREE, **options, normaliser=10)
    assert loss.item() == pytest.approx(-1 / 6)
    with pytest.raises(ValueError, match="normaliser is None"):
        grpo_loss(zero, zero, None, advantages, THREE, **options)


@pytest.mark.parametrize(
    ("options", "divisor"),
    [
        ({"normalise": "token"}, 3),
        ({"normalise": "token", "normaliser": 1.5}, 1.5),
        ({"normalise": "constant", "normaliser": 10}, 30),
    ],
)
def test_gradients_of_the_other_means(options: dict, divisor: float) -> None:
    # Every token weighs −Â_i over the number of tokens (3 here, or as given) or over
    # N·constant = 3·10. The empty response has no token.
    logps = torch.zeros(3, 2, dtype=torch.float64, requires_grad=True)
    grpo_loss(logps, logps, None, double([3, -1, 7]), THREE, kl_coef=0, **options).backward()
    torch.testing.assert_close(logps.grad, double([[-3, -3], [1, 0], [0, 0]]) / divisor)


def test_a_micro_batch_without_tokens() -> None:
    # 2 tokens in 2 micro-batches: normaliser 1. The losses are −(3 + 3) / 1 and 0, and their mean
    # is −3 = −(3 + 3) / 2.
    zero = double([[0, 0]])
    options = {"kl_coef": 0, "normalise": "token", "normaliser": 1.0}
    for mask, expected in (([1, 1], -6), ([0, 0], 0)):
        loss = grpo_loss(zero, zero, None, double([3]), tensor([mask]), **options)
        assert loss.item() == expected


def test_nothing_but_empty_responses() -> None:
    nothing = torch.full((2, 2), NAN, dtype=torch.float64)
    advantages, mask = double([1, 2]), torch.zeros(2, 2)
    for options in ({"normalise": "sequence"}, {"normalise": "token"}, {"ratio": "sequence"}):
        loss = grpo_loss(nothing, nothing, None, advantages, mask, kl_coef=0, **options)
        assert loss.item() == 0


def test_token_mean_with_kl() -> None:
    # KL (k3, d = ln 2) is 1 − ln 2 at two tokens of one response and at one of the other:
    # γ(1 − ln 2)·3/3.
    zero, mask = torch.zeros(2, 2, dtype=torch.float64), tensor([[1, 1], [1, 0]])
    options = {"kl_coef": 0.5, "normalise": "token"}
    loss = grpo_loss(zero, zero, zero + LN2, double([0, 0]), mask, **options)
    assert loss.item() == pytest.approx(0.5 * (1 - LN2))


@pytest.mark.parametrize("normalise", ["token", "constant"])
def test_micro_batches_average_to_the_whole_step(normalise: str) -> None:
    (logps, old, ref), advantages, mask = random_batch()
    of_step = {"token": float(mask.sum()), "constant": 7.0}[normalise]
    of_micro_batch = of_step / 2 if normalise == "token" else of_step
    options = {"kl_coef": 0.1, "normalise": normalise}
    leaf = logps.clone().requires_grad_()
    whole = grpo_loss(leaf, old, ref, advantages, mask, **options, normaliser=of_step)
    whole.backward()
    halves = logps.clone().requires_grad_()
    parts = []
    for half in (slice(0, 2), slice(2, 4)):
        tensors = [values[half] for values in (halves, old, ref, advantages, mask)]
        parts.append(grpo_loss(*tensors, **options, normaliser=of_micro_batch))
    (sum(parts) / 2).backward()
    torch.testing.assert_close(sum(parts) / 2, whole)
    torch.testing.assert_close(halves.grad, leaf.grad)


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"normalise": "token"},
        {"normalise": "constant", "normaliser": 1},
        {"ratio": "sequence"},
    ],
)
def test_one_response_of_one_token_is_the_same_in_every_mean(options: dict) -> None:
    # N = 1, |o| = 1: −2·Â, Â = 3
    logps, old = double([[LN2, NAN]]), double([[0, NAN]])
    loss = grpo_loss(logps, old, None, double([3]), tensor([[1, 0]]), kl_coef=0, **options)
    assert loss.item() == pytest.approx(-6)


def test_one_ratio_per_response() -> None:
    # log ratios ln 8 and 0 of two tokens: √8 for both; one token of ln 2: 2. −(√8·1 + 2·(−3)) / 2
    logps, old = double([[3 * LN2, 0], [LN2, NAN]]), double([[0, 0], [0, NAN]])
    mask = tensor([[1, 1], [1, 0]])
    loss = grpo_loss(logps, old, None, double([1, -3]), mask, kl_coef=0, ratio="sequence")
    assert loss.item() == pytest.approx(-(math.sqrt(8) - 6) / 2)
    # clipped to 1.5 where that lowers it, and not where the advantage is negative
    loss = grpo_loss(logps, old, None, double([1, -3]), mask, kl_coef=0, ratio="sequence", clip=0.5)
    assert loss.item() == pytest.approx(-(1.5 - 6) / 2)


def test_gradient_of_one_ratio_per_response() -> None:
    # d/dlogp_t of s·Â with s = exp(mean log ratio) = 2 is s·Â / |o| = 2·3 / 2 at both tokens; N = 1
    logps, old, mask = double([[2 * LN2, 0]], grad=True), torch.zeros(1, 2), tensor([[1, 1]])
    loss = grpo_loss(logps, old, None, double([3]), mask, kl_coef=0, ratio="sequence")
    loss.backward()
    torch.testing.assert_close(logps.grad, double([[-3, -3]]))


@pytest.mark.parametrize(
    "options",
    [{"ratio": "sequence"}, {"normalise": "token"}, {"normalise": "constant", "normaliser": 9.0}],
)
@pytest.mark.parametrize("garbage", [1e30, -INF, NAN])
def test_padding_reaches_no_option(options: dict, garbage: float) -> None:
    (logps, old, ref), advantages, mask = random_batch()
    losses, gradients = [], []
    for filled in (0.0, garbage):
        leaf = logps.masked_fill(~mask, filled).requires_grad_()
        others = [value.masked_fill(~mask, filled) for value in (old, ref)]
        loss = grpo_loss(leaf, *others, advantages, mask, kl_coef=0.1, clip=0.2, **options)
        loss.backward()
        losses.append(loss.detach())
        gradients.append(leaf.grad)
    assert torch.equal(*losses)
    assert torch.equal(*gradients)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"ratio": "word"}, r"^grpo\.ratio: 'word'.*token, sequence"),
        ({"normalise": "batch"}, r"^grpo\.normalise: 'batch'.*sequence, token, constant"),
    ],
)
def test_unknown_words_name_their_key(options: dict, message: str) -> None:
    zero = double([[0]])
    with pytest.raises(InputError, match=message):
        grpo_loss(zero, zero, None, double([1]), tensor([[1]]), kl_coef=0, **options)
