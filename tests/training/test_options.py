"""What the later variants of GRPO change in a step: forward passes, responses drawn, the ratio."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch

from helpers.training_runs import (
    WordTask,
    end_early,
    grpo_config,
    length_reward,
    loop_config,
    train_grpo,
)
from mmie.training.actor import Actor
from mmie.training.grpo import GRPOModule
from mmie.training.plan import MicroBatch, StepLoader


def module_of(policy: Any, reward: Any = length_reward, **options: Any) -> Any:
    module = GRPOModule(policy, WordTask(), reward, grpo_config(**options), steps=4, seed=0)
    module.log = module.log_dict = lambda *args, **kwargs: None  # type: ignore[method-assign]
    return module


def counted(policy: Any, monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """A list of the number of prompts in every pass that computes log-probabilities."""
    passes: list[int] = []
    logps = policy.logps

    def count(prompts: Any, *args: Any, **kwargs: Any) -> Any:
        passes.append(len(prompts.ids))
        return logps(prompts, *args, **kwargs)

    monkeypatch.setattr(policy, "logps", count)
    return passes


def first_text(
    response: str, predicted: Any, gold: Any, answer: str, gold_answer: str
) -> dict[str, float]:
    """Differs in the groups whose gold is short only."""
    return {"reward": float(len(response)) if len(gold_answer) < 5 else 1.0}


def test_groups_of_equal_rewards_cost_no_forward_without_kl(
    make_policy: Any, examples: list[Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    policy = end_early(make_policy("qwen"))
    passes = counted(policy, monkeypatch)
    assert [len(example.gold) for example in examples[:4]] == [1, 2, 3, 1]
    for options, expected in (({}, [4, 4]), ({"kl_coef": 0.0}, [2])):
        passes.clear()
        module = module_of(policy, first_text, **options)
        module.training_step(MicroBatch(examples[:4], step=0, weight=1.0), 0).backward()
        assert passes == expected


def test_a_step_without_any_signal_moves_nothing_and_still_has_gradients_to_share(
    make_policy: Any, examples: list[Any]
) -> None:
    policy = end_early(make_policy("llava"))
    module = module_of(policy, lambda *_: {"reward": 1.0}, kl_coef=0.0)
    loss = module.training_step(MicroBatch(examples[:2], step=0, weight=1.0), 0)
    loss.backward()
    assert float(loss.detach()) == 0
    assert all(value.grad is not None and not value.grad.any() for value in policy.trainable())


def test_left_out_groups_change_neither_loss_nor_gradient(
    make_policy: Any, examples: list[Any]
) -> None:
    """Compared with a KL term that is too small to matter, with which every group is computed."""
    policy = end_early(make_policy("qwen")).double()
    losses, gradients = [], []
    for kl_coef in (0.0, 1e-30):
        policy.zero_grad()
        module = module_of(policy, first_text, kl_coef=kl_coef)
        loss = module.training_step(MicroBatch(examples[:4], step=0, weight=1.0), 0)
        loss.backward()
        losses.append(loss.detach())
        gradients.append(torch.cat([value.grad.flatten() for value in policy.trainable()]))
    torch.testing.assert_close(*losses, rtol=0, atol=1e-12)
    torch.testing.assert_close(*gradients, rtol=1e-9, atol=1e-12)
    assert gradients[0].norm() > 1e-4


def test_groups_of_equal_rewards_are_drawn_again_up_to_a_bound(
    make_policy: Any, examples: list[Any]
) -> None:
    policy = end_early(make_policy("qwen"))
    calls: list[str] = []

    def reward(
        response: str, predicted: Any, gold: Any, answer: str, gold_answer: str
    ) -> dict[str, float]:
        """Differs between all responses to "red", and never between those to other samples."""
        calls.append(gold_answer)
        return {"reward": float(len(calls)) if gold_answer == "red" else 1.0}

    actor = Actor(policy, WordTask(), reward, grpo_config(resamples=2), seed=0)
    rollouts = actor.roll_out(examples[:2], step=5)
    assert [calls.count(example) for example in ("red", "heart boat")] == [3, 9]
    once = Actor(policy, WordTask(), reward, grpo_config(), seed=0).roll_out(examples[:2], step=5)
    assert rollouts.texts[:3] == once.texts[:3]
    assert rollouts.texts[3:] != once.texts[3:]


def test_old_log_probabilities_are_those_of_the_rollout(
    make_policy: Any, examples: list[Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    """At the second update of a group the ratio is not 1: the policy has moved since it sampled."""
    policy = end_early(make_policy("qwen"))
    ratios: list[float] = []

    def loss(
        logps: Any, old_logps: Any, ref_logps: Any, advantages: Any, mask: Any, **_: Any
    ) -> Any:
        difference = torch.where(mask, (logps - old_logps).exp() - 1, 0.0)
        ratios.append(float(difference.abs().max().detach()))
        return (advantages.unsqueeze(1) * torch.where(mask, logps, 0.0)).mean()

    monkeypatch.setattr("mmie.training.grpo.grpo_loss", loss)
    module = module_of(policy, updates_per_group=2)
    optimizer = torch.optim.SGD(policy.trainable(), lr=3.0)
    plan = [[0, 1], [2, 3]]
    texts = []
    for batch in StepLoader(examples, plan, sizes=[1] * 8, micro_batch_size=2, updates=2):
        optimizer.zero_grad()
        module.training_step(batch, 0).backward()
        optimizer.step()
        texts.append(module.last_rollouts.texts)
    assert ratios[0] < 1e-5
    assert ratios[2] < 1e-5
    assert min(ratios[1], ratios[3]) > 1e-3
    assert texts[0] is texts[1]
    assert texts[1] != texts[2]


def test_several_updates_per_group_train_through_the_loop(
    make_policy: Any, examples: list[Any], tmp_path: Path
) -> None:
    policy = end_early(make_policy("qwen"))
    config = grpo_config(updates_per_group=2, clip_low=0.2, clip_high=0.28)
    best = train_grpo(
        policy, examples, tmp_path, epochs=1, config=config, loop=loop_config(validations=4)
    )
    assert [step for step, _ in best.history] == [1, 2, 3, 4]
    rows = [line.split(",") for line in (tmp_path / "metrics.csv").read_text().splitlines()[1:]]
    assert [step for step, name, _ in rows if name == "train/loss"] == ["0", "1", "2", "3"]
