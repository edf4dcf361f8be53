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


UNEQUAL = {"config": grpo_config(kl_coef=0.0, resamples=1), "reward": short_on_one_rank}
TRAININGS = {
    "SFT": (train_sft, {}),
    "GRPO": (train_grpo, {}),
    "Only-RL": (train_grpo, {}),
    "token mean": (train_grpo, {"config": grpo_config(normalise="token")}),
    "unequal work": (train_grpo, UNEQUAL),
}


@pytest.mark.slow
@pytest.mark.parametrize("name", TRAININGS)
def test_two_processes_equal_one(
    name: str,
    make_policy: Any,
    examples: list[Any],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    train, options = TRAININGS[name]
    states = []
    for folder, trainer in ((tmp_path / "one", TRAINER), (tmp_path / "two", TWO)):
        monkeypatch.setattr(training_runs, "TRAINER", trainer)
        folder.mkdir()
        policy = end_early(make_policy("qwen"))
        if name != "Only-RL":
            policy.add_reference()
        loop = loop_config(checkpoint_every=3)
        train(policy, examples, folder, epochs=2, micro=1, loop=loop, **options)
        states.append(torch.load(folder / "step-3.ckpt", weights_only=False)["state_dict"])
    assert len(states[0]) == 28
    for key, value in states[0].items():
        torch.testing.assert_close(states[1][key], value, rtol=1e-4, atol=1e-6)
