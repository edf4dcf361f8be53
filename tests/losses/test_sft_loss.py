"""Log-probabilities of tokens and eq. 1, on numbers worked out by hand."""

from __future__ import annotations

import pytest
import torch
from torch import tensor

from helpers.tensors import INF, LN2, LN3, NAN, double, random_batch
from mmie.losses import sft_loss, token_logps


def test_token_logps() -> None:
    # softmax of (0, ln 3) is (1/4, 3/4)
    logits = double([[[0, LN3], [0, LN3]]])
    got = token_logps(logits, tensor([[0, 1]]), temperature=1.0)
    torch.testing.assert_close(got, double([[0.25, 0.75]]).log())


def test_temperature_divides_the_logits() -> None:
    # at 0.5 they are (0, ln 9): (1/10, 9/10)
    got = token_logps(double([[0, LN3]]), tensor([1]), temperature=0.5)
    torch.testing.assert_close(got, double([0.9]).log())


def test_token_logps_are_float32_at_least() -> None:
    logits = torch.randn(3, 7, generator=torch.Generator().manual_seed(0)).bfloat16()
    tokens = tensor([0, 3, 6])
    got = token_logps(logits, tokens, temperature=0.8)
    assert got.dtype == torch.float32
    assert torch.equal(got, token_logps(logits.float(), tokens, temperature=0.8))


def test_forbidden_tokens_leave_the_others_finite() -> None:
    got = token_logps(double([[0, -INF, 0]]), tensor([2]), temperature=1.0)
    torch.testing.assert_close(got, double([-LN2]))


def test_sft_loss_is_the_mean_over_response_tokens() -> None:
    # tokens 1, 2 and 6: (1 + 2 + 6) / 3 = 3; a mean of row means would be (1.5 + 6) / 2
    logps = double([[-1, -2, NAN], [-6, -INF, 5]], grad=True)
    loss = sft_loss(logps, tensor([[1, 1, 0], [1, 0, 0]]))
    loss.backward()
    assert loss.item() == pytest.approx(3)
    torch.testing.assert_close(logps.grad, double([[-1 / 3, -1 / 3, 0], [-1 / 3, 0, 0]]))


@pytest.mark.parametrize("dtype", [torch.bool, torch.int64, torch.float32])
def test_sft_loss_without_response_tokens_is_zero(dtype: torch.dtype) -> None:
    logps = double([[-1, NAN]], grad=True)
    loss = sft_loss(logps, torch.zeros(1, 2, dtype=dtype))
    loss.backward()
    assert loss.item() == 0
    assert torch.equal(logps.grad, double([[0, 0]]))


def test_padding_does_not_change_the_sft_gradient() -> None:
    (logps, _, _), _, mask = random_batch()
    expected, leaf = logps.clone().requires_grad_(), logps.masked_fill(~mask, -INF).requires_grad_()
    sft_loss(expected, mask).backward()
    sft_loss(leaf, mask).backward()
    torch.testing.assert_close(leaf.grad, expected.grad)
    assert expected.grad.abs().sum() == pytest.approx(1)
