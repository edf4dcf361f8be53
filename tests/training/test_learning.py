"""Whole small trainings through ``fit``: what moves, where to, and what must not."""

from __future__ import annotations

import csv
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

from helpers.adapters import adapter_hash
from helpers.training_runs import (
    WordTask,
    grpo_config,
    loop_config,
    sft_config,
    train_grpo,
    train_sft,
)
from mmie.models.adapters import POLICY, REFERENCE


def frozen(policy: Any) -> dict[str, Tensor]:
    return {
        name: value.clone()
        for name, value in policy.model.state_dict().items()
        if f".{POLICY}." not in name
    }


def column(folder: Path, name: str) -> list[float]:
    with (folder / "metrics.csv").open(encoding="utf-8", newline="") as file:
        return [float(row["value"]) for row in csv.DictReader(file) if row["name"] == name]


@pytest.mark.parametrize("kind", ["qwen", "llava"])
def test_sft_learns_a_tiny_set_and_leaves_the_base_alone(
    make_policy: Any, examples: list[Any], tmp_path: Path, kind: str
) -> None:
    policy = make_policy(kind)
    before, mark = frozen(policy), adapter_hash(policy)
    train_sft(policy, examples[:4], tmp_path, epochs=12, config=sft_config(lr=0.03))
    losses = column(tmp_path, "train/loss")
    assert len(losses) == 12
    assert losses[0] > 5
    assert losses[-1] < 0.5 * losses[0]
    assert adapter_hash(policy) != mark
    after = frozen(policy)
    assert before.keys() == after.keys()
    assert all(torch.equal(value, after[name]) for name, value in before.items())
    assert min(column(tmp_path, "train/gradient_norm")) > 0


def probability(policy: Any, examples: list[Any], word: str) -> float:
    """The mean probability that a response begins with the word."""
    token = policy.backbone.tokenizer(word, add_special_tokens=False)["input_ids"]
    assert len(token) == 1
    task = WordTask()
    prompts = [policy.encode(task.prompt(example), example.pictures) for example in examples]
    responses = policy.completions_of([token] * len(examples))
    logps = policy.logps(policy.batch(prompts), responses, temperature=1.0)
    return float(logps.detach().exp().mean())


def test_grpo_raises_what_is_rewarded_and_leaves_the_reference_alone(
    make_policy: Any, examples: list[Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    policy = make_policy("qwen")
    ids = policy.backbone.tokenizer.get_vocab()
    choice = {ids["heart"], ids["boat"], ids["star"], *policy.eos_ids}
    vocabulary = set(range(policy.model.config.get_text_config().vocab_size))
    monkeypatch.setattr(type(policy), "suppressed", sorted(vocabulary - choice))
    policy.add_reference()
    before, marks = frozen(policy), (adapter_hash(policy), adapter_hash(policy, REFERENCE))
    first = {word: probability(policy, examples, word) for word in ("heart", "boat", "star")}

    def reward(response: str, *_: Any) -> dict[str, float]:
        return {"reward": float(response.startswith("heart"))}

    config = grpo_config(lr=0.02, group_size=16, temperature=1.0, max_new_tokens=6, kl_coef=0.01)
    options = {"reward": reward, "config": config, "loop": loop_config(max_grad_norm=10.0)}
    train_grpo(policy, examples, tmp_path, epochs=4, **options)
    growth = {word: probability(policy, examples, word) / first[word] for word in first}
    assert growth["heart"] > 2
    assert growth["heart"] > 2 * max(growth["boat"], growth["star"])
    rewards = column(tmp_path, "train/reward")
    assert len(rewards) == 8
    assert sum(rewards[-3:]) > sum(rewards[:3])
    assert adapter_hash(policy, REFERENCE) == marks[1] == marks[0] != adapter_hash(policy)
    after = frozen(policy)
    assert all(torch.equal(value, after[name]) for name, value in before.items())
    assert column(tmp_path, "train/kl")[0] == pytest.approx(0, abs=1e-6)
    assert column(tmp_path, "train/kl")[-1] > 1e-4
    assert max(column(tmp_path, "train/sampling_logp_gap")) < 1e-4


def test_only_rl_keeps_near_the_base(make_policy: Any, examples: list[Any], tmp_path: Path) -> None:
    """Without a reference adapter the KL is that against the base.

    The fresh adapter here differs from it, so the KL is not zero at the first step.
    """
    policy = make_policy("llava")
    train_grpo(policy, examples, tmp_path, epochs=0.5, config=grpo_config(kl_coef=0.1))
    assert column(tmp_path, "train/kl")[0] > 1e-4


def test_equal_rewards_move_nothing_but_for_the_kl(
    make_policy: Any, examples: list[Any], tmp_path: Path
) -> None:
    policy = make_policy("qwen")
    policy.add_reference()
    mark = adapter_hash(policy)
    config = grpo_config(kl_coef=0.0)
    train_grpo(
        policy, examples, tmp_path, epochs=0.5, config=config, reward=lambda *_: {"reward": 1.0}
    )
    assert column(tmp_path, "train/zero_variance_groups") == [1.0]
    assert column(tmp_path, "train/gradient_norm") == [0.0]
    assert adapter_hash(policy) == mark
