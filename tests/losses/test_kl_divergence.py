"""The KL term of eq. 7, on numbers worked out by hand."""

from __future__ import annotations

import math

import pytest
import torch
from torch import tensor

from helpers.tensors import LN2, double
from mmie.errors import InputError
from mmie.losses import kl_divergence


@pytest.mark.parametrize(
    ("estimator", "expected"),
    [
        # log π_ref − log π = ln 2 at the first token, −ln 2 at the second
        ("k1", [-LN2, LN2]),
        ("k2", [LN2**2 / 2, LN2**2 / 2]),
        ("k3", [2 - LN2 - 1, 0.5 + LN2 - 1]),
    ],
)
def test_kl_estimators(estimator: str, expected: list[float]) -> None:
    got = kl_divergence(double([[-2, -1]]), double([[-2 + LN2, -1 - LN2]]), estimator=estimator)
    torch.testing.assert_close(got, double([expected]))


@pytest.mark.parametrize("estimator", ["k2", "k3"])
def test_kl_is_never_negative(estimator: str) -> None:
    differences = torch.cat([torch.logspace(-12, 1, 200), -torch.logspace(-12, 1, 200)])[None]
    for dtype in (torch.float32, torch.float64):
        zero = torch.zeros_like(differences, dtype=dtype)
        assert (kl_divergence(zero, differences.to(dtype), estimator=estimator) >= 0).all()
        assert (kl_divergence(zero, zero, estimator=estimator) == 0).all()


@pytest.mark.parametrize("estimator", ["k1", "k3"])
def test_kl_estimators_are_unbiased(estimator: str) -> None:
    # under π = (1/4, 3/4) against (1/2, 1/2): KL = 1/4·ln(1/2) + 3/4·ln(3/2)
    p, q = double([0.25, 0.75]), double([0.5, 0.5])
    expectation = (p * kl_divergence(p.log()[None], q.log()[None], estimator=estimator)).sum()
    assert expectation.item() == pytest.approx(-0.25 * LN2 + 0.75 * math.log(1.5))


@pytest.mark.parametrize(("estimator", "gradient"), [("k1", 1.0), ("k2", -LN2), ("k3", -1.0)])
def test_gradients_of_the_kl_estimators(estimator: str, gradient: float) -> None:
    # with d = log π_ref − log π = ln 2: d/dlogp of −d, d²/2, e^d − d − 1 is 1, −d, 1 − e^d
    logps = double([[-1]], grad=True)
    kl_divergence(logps, double([[-1 + LN2]]), estimator=estimator).sum().backward()
    torch.testing.assert_close(logps.grad, double([[gradient]]))


def test_k3_is_bounded() -> None:
    # d = 1: e − 2. d = 20: e^20 − 21 = 485,165,174.4; the same beyond that, with gradient 0.
    logps = tensor([-1.0, -21.0, -90.0, -1e4], requires_grad=True)
    kl = kl_divergence(logps, torch.zeros(4), estimator="k3")
    assert kl.tolist() == pytest.approx([0.718281828, *[485165174.4] * 3], rel=1e-6)
    kl.sum().backward()
    torch.testing.assert_close(logps.grad, tensor([1 - math.e, 0, 0, 0]))


def test_unknown_estimator_names_its_key() -> None:
    with pytest.raises(InputError, match=r"^grpo\.kl_estimator: 'k4'.*k1, k2, k3"):
        kl_divergence(double([[0]]), double([[0]]), estimator="k4")
