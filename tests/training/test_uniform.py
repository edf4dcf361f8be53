from __future__ import annotations

import random

from mmie.training.schedules.uniform import Uniform


def test_every_sample_once_per_epoch() -> None:
    for epoch in range(3):
        assert sorted(Uniform()(epoch, samples=17, seed=4)) == list(range(17))


def test_order_depends_on_seed_and_epoch_alone() -> None:
    orders = [Uniform()(epoch, samples=30, seed=seed) for epoch in range(3) for seed in range(3)]
    assert len({tuple(order) for order in orders}) == 9
    random.seed(1)
    assert Uniform()(2, samples=30, seed=1) == orders[7]


def test_no_samples() -> None:
    assert Uniform()(0, samples=0, seed=0) == []
