"""Eq. 6, on numbers worked out by hand."""

from __future__ import annotations

import math

import pytest
import torch
from torch import tensor

from helpers.tensors import double
from mmie.errors import InputError
from mmie.losses import group_advantages, zero_variance


@pytest.mark.parametrize(
    ("unbiased", "std"),
    [(True, math.sqrt(2)), (False, 1.0)],  # squares 1 + 1, divided by 1 or by 2
)
def test_advantages_are_standardised(unbiased: bool, std: float) -> None:
    got = group_advantages(double([[0, 2]]), eps=0.25, unbiased=unbiased)
    torch.testing.assert_close(got, double([[-1, 1]]) / (std + 0.25))


def test_advantages_of_four() -> None:
    # mean 1; squares 1 + 1 + 1 + 9 = 12; 12 / 3 = 4, std 2
    got = group_advantages(double([[0, 0, 0, 4]]), eps=0, unbiased=True)
    torch.testing.assert_close(got, double([[-0.5, -0.5, -0.5, 1.5]]))


def test_groups_do_not_mix() -> None:
    rewards = double([[0, 2], [5, 5], [1, 0]])
    got = group_advantages(rewards, eps=1e-4, unbiased=True)
    rows = [group_advantages(row[None], eps=1e-4, unbiased=True) for row in rewards]
    assert torch.equal(got, torch.cat(rows))


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize(
    "group", [[0.1 + 0.2] * 3, [0.1 + 0.2, 0.3, 0.3], [0.0] * 4, [1 / 3] * 7, [-1.3] * 6, [0.7]]
)
@pytest.mark.parametrize("eps", [0.0, 1e-4])
def test_equal_rewards_give_exactly_zero(
    dtype: torch.dtype, group: list[float], eps: float
) -> None:
    for unbiased in (True, False):
        got = group_advantages(tensor([group], dtype=dtype), eps=eps, unbiased=unbiased)
        assert torch.equal(got, torch.zeros(1, len(group), dtype=dtype))


def test_small_differences_still_count() -> None:
    assert group_advantages(tensor([[1.0, 1.0 + 1e-5]]), eps=0, unbiased=False).abs().min() > 0.9


def test_groups_of_equal_rewards() -> None:
    rewards = double([[0.1 + 0.2, 0.3], [1, 1 + 1e-9], [0, 0], [0, 1e-300]])
    assert zero_variance(rewards).tolist() == [True, False, True, False]
    assert zero_variance(tensor([[-2.0], [5.0]])).tolist() == [True, True]


def test_advantages_without_the_std() -> None:
    # mean 1: only centred, whatever eps; equal rewards stay exactly 0
    rewards = double([[0, 0, 0, 4], [0.1 + 0.2, 0.3, 0.3, 0.3]])
    got = group_advantages(rewards, eps=0.5, unbiased=True, scale="none")
    assert torch.equal(got, double([[-1, -1, -1, 3], [0, 0, 0, 0]]))


def test_an_unknown_scale_names_its_key() -> None:
    with pytest.raises(InputError, match=r"^grpo\.advantage_scale: 'range'.*std, none"):
        group_advantages(double([[0]]), eps=0, unbiased=True, scale="range")
