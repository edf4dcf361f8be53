"""Responses whose sampler and trainer differ: what is measured, and what a correction changes."""

from __future__ import annotations

import csv
import math
from copy import deepcopy
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

from helpers.training_runs import (
    WordTask,
    end_early,
    grpo_config,
    length_reward,
    train_grpo,
)
from mmie.losses import grpo_loss
from mmie.training.actor import Actor
from mmie.training.grpo import GRPOModule
from mmie.training.plan import MicroBatch, StepLoader

GAPS = ("sampling_logp_gap", "sampling_logp_gap_mean", "effective_sample_size", "corrected_tokens")


def module_of(policy: Any, **options: Any) -> Any:
    config = grpo_config(kl_coef=0.0, **options)
    module: Any = GRPOModule(policy, WordTask(), length_reward, config, steps=4, seed=0)
    module.logged = {}
    module.log = lambda name, value, **_: module.logged.update({name: value})
    module.log_dict = lambda *args, **kwargs: None
    return module


def with_ratio(module: Any, ratio: float) -> Any:
    """Lets the sampler record smaller log-probabilities, so that each token weighs ``ratio``."""
    roll_out = module.actor.roll_out

    def shifted(examples: Any, *, step: int) -> Any:
        rollouts = roll_out(examples, step=step)
        logps = rollouts.responses.logps - math.log(ratio)
        return replace(rollouts, responses=replace(rollouts.responses, logps=logps))

    module.actor.roll_out = shifted
    return module


def gradient(policy: Any, examples: list[Any], *, ratio: float, **options: Any) -> Tensor:
    policy.zero_grad()
    module = with_ratio(module_of(policy, **options), ratio)
    module.training_step(MicroBatch(examples[:3], step=0, weight=1.0), 0).backward()
    return torch.cat([value.grad.flatten() for value in policy.trainable()])


def test_the_local_sampler_agrees_with_the_trainer(
    make_policy: Any, examples: list[Any], tmp_path: Path
) -> None:
    """The gap of a float32 training on the CPU is that of rounding, and nothing is corrected."""
    train_grpo(end_early(make_policy("qwen")), examples, tmp_path, epochs=2)
    with (tmp_path / "metrics.csv").open(encoding="utf-8") as file:
        rows = [(row["name"].removeprefix("train/"), row["value"]) for row in csv.DictReader(file)]
    columns = {name: [float(value) for key, value in rows if key == name] for name in GAPS}
    assert [len(values) for values in columns.values()] == [4] * 4
    largest, mean, size, corrected = columns.values()
    assert 0 < max(mean) < max(largest) < 1e-5
    assert min(size) == pytest.approx(1, abs=1e-6)
    assert corrected == [0] * 4


def test_without_a_correction_the_samplers_probabilities_change_nothing(
    make_policy: Any, examples: list[Any]
) -> None:
    policy = end_early(make_policy("qwen"))
    assert torch.equal(gradient(policy, examples, ratio=1.0), gradient(policy, examples, ratio=4.0))


FACTORS = [
    # correction, ratio π_old / π_rollout of every token, the weight that follows
    ("truncate", 1.5, 1.5),
    ("truncate", 4.0, 2.0),
    ("truncate", 0.25, 0.25),
    ("mask", 1.5, 1.5),
    ("mask", 4.0, 0.0),
    ("mask", 0.25, 0.0),
]


def test_the_gradient_is_weighted(make_policy: Any, examples: list[Any]) -> None:
    policy = end_early(make_policy("qwen"))
    plain = gradient(policy, examples, ratio=1.0)
    assert plain.norm() > 1e-4
    for correction, ratio, factor in FACTORS:
        weighted = gradient(policy, examples, ratio=ratio, rollout_correction=correction)
        assert (weighted - factor * plain).norm() <= 1e-4 * plain.norm(), (correction, ratio)


def test_a_sampler_in_bfloat16_is_measured_and_corrected(
    make_policy: Any, examples: list[Any]
) -> None:
    """A second engine that disagrees: the same model, rounded. No ratio is as large as C."""
    policy = end_early(make_policy("qwen"))
    gradients = []
    for correction in ("none", "truncate"):
        policy.zero_grad()
        module = module_of(policy, rollout_correction=correction)
        rounded = deepcopy(policy).bfloat16()
        module.actor = Actor(rounded, WordTask(), length_reward, module.grpo, seed=0)
        module.training_step(MicroBatch(examples, step=0, weight=1.0), 0).backward()
        gradients.append(torch.cat([value.grad.flatten() for value in policy.trainable()]))
        gaps = [float(module.logged[f"train/{name}"]) for name in GAPS]
        largest, mean, size, corrected = gaps
        assert 1e-3 < mean < largest < 0.2
        assert 0.99 < size < 1 - 1e-6
        assert corrected == 0
    difference = (gradients[0] - gradients[1]).norm() / gradients[0].norm()
    assert 1e-4 < difference < 0.2


def test_the_share_of_corrected_tokens(make_policy: Any, examples: list[Any]) -> None:
    policy = end_early(make_policy("qwen"))
    cases = [("none", 4.0, 0), ("truncate", 4.0, 1), ("truncate", 0.25, 0), ("mask", 0.25, 1)]
    for correction, ratio, share in cases:
        module = with_ratio(module_of(policy, rollout_correction=correction), ratio)
        module.training_step(MicroBatch(examples[:2], step=0, weight=1.0), 0)
        assert module.logged["train/corrected_tokens"] == share
        assert module.logged["train/sampling_logp_gap_mean"] == pytest.approx(math.log(4), rel=1e-3)
        size = 0 if correction == "mask" else 1
        assert module.logged["train/effective_sample_size"] == pytest.approx(size, abs=1e-5)


def test_with_several_updates_the_ratio_begins_at_the_trainers_policy(
    make_policy: Any, examples: list[Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The weights hold the way from the sampler to π_old, the ratio only that from there to π."""
    policy = end_early(make_policy("qwen"))
    calls: list[tuple[Tensor, Tensor, Tensor]] = []

    def noted(logps: Tensor, old_logps: Tensor, *args: Any, **options: Any) -> Tensor:
        calls.append((logps.detach(), old_logps, options["weights"]))
        return grpo_loss(logps, old_logps, *args, **options)

    monkeypatch.setattr("mmie.training.grpo.grpo_loss", noted)
    module = with_ratio(module_of(policy, updates_per_group=2, rollout_correction="truncate"), 1.5)
    optimizer = torch.optim.SGD(policy.trainable(), lr=3.0)
    loader = StepLoader(
        examples, [[0, 1, 2, 3], [4, 5, 6, 7]], sizes=[1] * 8, micro_batch_size=2, updates=2
    )
    for batch in loader:
        module.training_step(batch, 0).backward()
        if batch.closes_step:
            optimizer.step()
            optimizer.zero_grad()
    assert len(calls) == 8
    for first, second in ((0, 2), (1, 3), (4, 6), (5, 7)):
        assert torch.equal(calls[first][0], calls[first][1])
        assert torch.equal(calls[second][1], calls[first][1])
        assert torch.equal(calls[second][2], calls[first][2])
        assert (calls[second][0] - calls[second][1]).abs().max() > 1e-3
