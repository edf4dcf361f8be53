"""The numbers of one GRPO step, by hand."""

from __future__ import annotations

from math import exp, sqrt
from pathlib import Path

import pytest
import torch

from mmie.models.batch import Completions
from mmie.training.rollouts import Rollouts, measure
from mmie.types import Example, Picture

REWARDS = [1.0, 0.0, 0.5, 0.5]


@pytest.fixture
def rollouts() -> Rollouts:
    examples = [Example("a", "one", (Picture(Path("a.png")),), ()), Example("b", "two", (), ())]
    parts = [{"reward": reward, "r_q": reward / 2, "invalid": float(reward == 0)} for reward in REWARDS]
    return Rollouts(3, examples, ["w", "x", "y", "z"], parts, 2)


def test_rows(rollouts: Rollouts) -> None:
    assert rollouts.rewards.tolist() == [[1.0, 0.0], [0.5, 0.5]]
    rows = rollouts.rows()
    assert [(row["id"], row["text"], row["response"], row["reward"]) for row in rows] == [
        ("a", "one", "w", 1.0), ("a", "one", "x", 0.0), ("b", "two", "y", 0.5), ("b", "two", "z", 0.5),
    ]  # fmt: skip
    assert rows[1] == {"step": 3, "id": "a", "image": ["a.png"], "text": "one", "response": "x", "reward": 0.0, "r_q": 0.0, "invalid": 1.0}


def test_measure_counts_the_responses_own_tokens_alone(rollouts: Rollouts) -> None:
    mask = torch.tensor([[1, 0], [1, 1], [1, 0], [1, 1]]).bool()
    junk = torch.where(mask, 0.0, 99.0)
    logps, ref_logps, sampled = -1.0 + junk, -1.5 - junk, -1.25 - junk
    sampled[1, 1] = -0.25
    responses = Completions(torch.zeros(4, 2, dtype=torch.long), mask, sampled, torch.ones(4, dtype=torch.bool))
    found = {name: float(value) for name, value in measure(rollouts, responses, logps, ref_logps).items()}
    assert found == pytest.approx(
        {
            "train/r_q": 0.25, "train/invalid": 0.25, "train/reward_std": sqrt(0.5) / 2, "train/zero_variance_groups": 0.5,
            "train/kl": exp(-0.5) + 0.5 - 1, "train/length_mean": 1.5, "train/length_max": 2, "train/sampling_logp_gap": 0.75,
        }
    )  # fmt: skip
