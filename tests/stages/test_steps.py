"""Which trainings are known to have no step before the warmed-up model has answered anything."""

from __future__ import annotations

import pytest

from helpers.configured import run_config
from mmie.stages.steps import _best_division
from mmie.training.schedules.progressive_mix import ProgressiveMix


@pytest.mark.parametrize(("alpha", "easy"), [(0.0, 0), (0.5, 1), (1.0, 1)])
def test_the_largest_mixture_counts(alpha: float, easy: int) -> None:
    """One easy sample can be drawn as often as the schedule wants easy ones."""
    config = run_config("task=more", "grpo.epochs=0.5")
    assert sum(_best_division(ProgressiveMix(alpha=alpha), config, 9)) == easy
