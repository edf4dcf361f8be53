"""What a training step does besides its loss: modes, rewards, metrics, optimizer, checkpoints."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import pytorch_lightning as pl
import torch

from helpers.training_runs import (
    WordTask,
    demonstrations,
    end_early,
    grpo_config,
    length_reward,
    loop_config,
    sft_config,
    train_grpo,
    train_sft,
)
from mmie.models.adapters import POLICY
from mmie.settings import ALL_AT_ONCE
from mmie.training.grpo import GRPOModule
from mmie.training.plan import MicroBatch
from mmie.training.rollouts import Rollouts
from mmie.training.sft import SFTModule


class Watch(pl.Callback):
    """Notes the mode of the policy at the end of each micro-batch."""

    def __init__(self) -> None:
        self.modes: set[bool] = set()

    def on_train_batch_end(self, trainer: Any, module: Any, *_: Any) -> None:
        self.modes.add(module.policy.training)


def test_dropout_is_live_in_sft_and_off_in_grpo(
    make_policy: Any, examples: list[Any], tmp_path: Path
) -> None:
    sft, grpo = Watch(), Watch()
    policy = make_policy("qwen", dropout=0.1)
    train_sft(policy, examples, tmp_path, epochs=1, callbacks=[sft])
    assert sft.modes == {True}
    assert not policy.training
    policy.add_reference()
    train_grpo(policy.train(), examples, tmp_path, epochs=1, callbacks=[grpo])
    assert grpo.modes == {False}


def test_all_passes_of_a_grpo_step_are_of_one_policy(make_policy: Any, examples: list[Any]) -> None:
    """With dropout in one of them, the log-probabilities of sampling and update would differ."""
    policy = end_early(make_policy("qwen", dropout=0.5))
    module = quiet(GRPOModule(policy, WordTask(), length_reward, grpo_config(), steps=1, seed=0))
    logged: dict[str, Any] = {}
    module.log = lambda name, value, **_: logged.update({name: value})
    policy.train()
    batch = MicroBatch(examples[:3], step=0, weight=1.0)
    module.on_train_batch_start(batch, 0)
    module.training_step(batch, 0)
    assert 0 < logged["train/sampling_logp_gap"] < 1e-5


def test_recomputed_layers_change_nothing_in_sft_not_even_dropout(
    make_policy: Any, examples: list[Any]
) -> None:
    gradients, calls = [], []
    for checkpointing in (False, True):
        policy = make_policy("qwen", dropout=0.5)
        memory = replace(
            ALL_AT_ONCE,
            micro_responses=None,
            recompute_layers=checkpointing,
            logits_chunk=3 if checkpointing else None,
        )
        module = quiet(SFTModule(policy, sft_config(), steps=1, memory=memory))
        layer = policy.backbone.model.model.language_model.layers[1].mlp
        layer.register_forward_pre_hook(lambda *_, run=checkpointing: calls.append(run))
        module.on_fit_start()
        batch = MicroBatch(demonstrations(policy, examples)[:4], step=0, weight=1.0)
        torch.manual_seed(3)
        module.training_step(batch, 0).backward()
        gradients.append(torch.cat([value.grad.flatten() for value in policy.trainable()]))
        module.on_train_end()
    assert calls == [False, True, True]
    torch.testing.assert_close(gradients[0], gradients[1], rtol=1e-4, atol=1e-6)


def quiet(module: Any) -> Any:
    module.log = module.log_dict = lambda *args, **options: None
    return module


def judged(policy: Any, texts: list[str], finished: list[bool], examples: list[Any]) -> Any:
    module = GRPOModule(policy, WordTask(), tell, grpo_config(group_size=2), steps=1, seed=0)
    responses = policy.completions_of([policy.response_ids(text) for text in texts])
    texts = policy.text(responses)
    parts = module.actor.rewards(examples, texts, finished)
    return Rollouts(7, examples, [None] * len(examples), responses, texts, parts, 2)


def tell(response: str, predicted: Any, gold: Any, answer: str, gold_answer: str) -> dict[str, Any]:
    return {
        "reward": float(len(response)),
        "seen": (response, predicted, gold, answer, gold_answer),
    }


def test_every_response_is_judged_against_its_own_example(
    make_policy: Any, examples: list[Any]
) -> None:
    texts = ["red", "blue star", "ring", ""]
    rollouts = judged(make_policy("qwen"), texts, [True] * 4, examples[:2])
    assert [part["seen"] for part in rollouts.parts] == [
        ("red", ("red",), ("red",), "red", "red"),
        ("blue star", ("blue", "star"), ("red",), "blue star", "red"),
        ("ring", ("ring",), ("heart", "boat"), "ring", "heart boat"),
        ("", None, ("heart", "boat"), "", "heart boat"),
    ]
    assert [part["invalid"] for part in rollouts.parts] == [0, 0, 0, 1]
    assert [part["truncated"] for part in rollouts.parts] == [0, 0, 0, 0]
    assert rollouts.rewards.tolist() == [[3, 9], [4, 0]]


def test_a_response_cut_at_the_limit_is_invalid_whatever_it_says(
    make_policy: Any, examples: list[Any]
) -> None:
    rollouts = judged(make_policy("llava"), ["red", "red"], [True, False], examples[:1])
    assert [part["seen"][:2] for part in rollouts.parts] == [("red", ("red",)), ("", None)]
    assert [part["truncated"] for part in rollouts.parts] == [0, 1]
    assert [part["invalid"] for part in rollouts.parts] == [0, 1]
    rows = rollouts.rows(torch.tensor([[0.5, -0.5]]))
    assert [(row["response"], row["advantage"]) for row in rows] == [("red", 0.5), ("red", -0.5)]
    assert [(row["step"], row["id"]) for row in rows] == [(7, "train-0")] * 2


def test_learning_rate_rises_and_falls(make_policy: Any) -> None:
    """Ten steps, a fifth of them warm-up: 1/2, 1, then in eighths down to 1/8 at the last one."""
    module = SFTModule(
        make_policy("qwen"), sft_config(lr=1.0, warmup_ratio=0.2, weight_decay=0.3), steps=10
    )
    parts = module.configure_optimizers()
    optimizer, scheduler = parts["optimizer"], parts["lr_scheduler"]["scheduler"]
    rates = []
    for _ in range(10):
        rates.append(optimizer.param_groups[0]["lr"])
        optimizer.step()
        scheduler.step()
    assert rates == pytest.approx([0.5, 1, 1, 7 / 8, 6 / 8, 5 / 8, 4 / 8, 3 / 8, 2 / 8, 1 / 8])
    assert parts["lr_scheduler"]["interval"] == "step"
    assert optimizer.param_groups[0]["weight_decay"] == 0.3
    held = [value for group in optimizer.param_groups for value in group["params"]]
    assert [id(value) for value in held] == [id(value) for value in module.policy.trainable()]


def test_a_checkpoint_holds_the_adapter_alone(
    make_policy: Any, examples: list[Any], tmp_path: Path
) -> None:
    policy = make_policy("qwen")
    policy.add_reference()
    train_grpo(policy, examples, tmp_path, epochs=1, loop=loop_config(checkpoint_every=1))
    assert [path.name for path in tmp_path.glob("*.ckpt")] == ["step-1.ckpt"]
    saved = torch.load(tmp_path / "step-1.ckpt", weights_only=False)
    assert len(saved["state_dict"]) == 28
    assert all(f".{POLICY}." in name for name in saved["state_dict"])
    assert (tmp_path / "step-1.ckpt").stat().st_size < 600_000
