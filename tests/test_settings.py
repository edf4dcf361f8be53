"""A knob of GRPO reaches the function that uses it."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from mmie.config import shipped
from mmie.importance import importance_weights
from mmie.losses import group_advantages, grpo_loss
from mmie.settings import GRPOConfig


@pytest.fixture(scope="module")
def config() -> GRPOConfig:
    grpo = shipped().grpo
    assert grpo is not None
    return grpo


def options(function: Callable[..., Any]) -> set[str]:
    parameters = inspect.signature(function).parameters.values()
    return {parameter.name for parameter in parameters if parameter.kind is parameter.KEYWORD_ONLY}


def test_every_option_of_the_equations_is_configured(config: GRPOConfig) -> None:
    assert set(config.advantage_terms) == options(group_advantages)
    of_the_batch = {"normaliser", "weights"}
    assert set(config.loss_terms) == options(grpo_loss) - of_the_batch
    assert set(config.correction_terms) == options(importance_weights)


def test_each_knob_of_the_loss_changes_what_the_loss_is_told(config: GRPOConfig) -> None:
    knobs: dict[str, Any] = {
        "kl_coef": 0.5,
        "kl_estimator": "k1",
        "ratio": "sequence",
        "normalise": "token",
    }
    for name, value in knobs.items():
        assert config.loss_terms | {name: value} == replace(config, **{name: value}).loss_terms
        assert config.loss_terms[name] != value


def test_both_bounds_clip_and_none_does_not(config: GRPOConfig) -> None:
    assert config.loss_terms["clip"] is None
    assert replace(config, clip_low=0.2, clip_high=0.28).loss_terms["clip"] == (0.2, 0.28)


def test_eq_6_takes_its_knobs(config: GRPOConfig) -> None:
    changed = replace(config, advantage_eps=0.5, unbiased_std=False, advantage_scale="none")
    assert changed.advantage_terms == {"eps": 0.5, "unbiased": False, "scale": "none"}


def test_a_correction_takes_its_knobs(config: GRPOConfig) -> None:
    assert not config.corrects_rollouts
    changed = replace(config, rollout_correction="mask", rollout_threshold=3.0)
    assert changed.corrects_rollouts
    assert changed.correction_terms == {"correction": "mask", "threshold": 3.0}
