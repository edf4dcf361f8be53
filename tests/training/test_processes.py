"""Two real processes train what one trains."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch

from helpers import training_runs
from helpers.training_runs import (
    TRAINER,
    end_early,
    grpo_config,
    loop_config,
    train_grpo,
    train_sft,
)

TWO = replace(TRAINER, devices=2, strategy="ddp_fork")


def short_on_one_rank(
    response: str, predicted: Any, gold: Any, answer: str, gold_answer: str
) -> dict[str, float]:
    """Rewards that differ in some groups only.

    So one process may have no gradient to compute while the other one has.
    """
    return {"reward": float(len(response)) if len(gold_answer) % 2 else 1.0}


@pytest.mark.slow
@pytest.mark.parametrize(
    ("train", "options"),
    [
        (train_sft, {}),
        (train_grpo, {}),
        (train_grpo, {"config": grpo_config(normalise="token")}),
        (
            train_grpo,
            {"config": grpo_config(kl_coef=0.0, resamples=1), "reward": short_on_one_rank},
        ),
    ],
    ids=["SFT", "GRPO", "token mean", "unequal work"],
)
def test_two_processes_equal_one(
    train: Any,
    options: dict[str, Any],
    make_policy: Any,
    examples: list[Any],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    states = []
    for name, trainer in {"one": TRAINER, "two": TWO}.items():
        monkeypatch.setattr(training_runs, "TRAINER", trainer)
        (tmp_path / name).mkdir()
        policy = end_early(make_policy("qwen"))
        policy.add_reference()
        train(
            policy,
            examples,
            tmp_path / name,
            epochs=2,
            micro=1,
            loop=loop_config(checkpoint_every=3),
            **options,
        )
        states.append(torch.load(tmp_path / name / "step-3.ckpt", weights_only=False)["state_dict"])
    assert len(states[0]) == 28
    for name, value in states[0].items():
        torch.testing.assert_close(states[1][name], value, rtol=1e-4, atol=1e-6)
