"""The rollouts of one GRPO step and their metrics, by hand."""

from __future__ import annotations

from math import exp, sqrt
from pathlib import Path

import pytest
import torch

from mmie.models.backbone import Prompt
from mmie.models.batch import Completions
from mmie.training.measured import micro_batch_metrics
from mmie.training.rollouts import Rollouts
from mmie.types import Example, Picture

REWARDS = [1.0, 0.0, 0.5, 0.5]
UNCORRECTED = {"correction": "none", "threshold": 2.0}


@pytest.fixture
def rollouts() -> Rollouts:
    examples = [Example("a", "one", (Picture(Path("a.png")),), ()), Example("b", "two", (), ())]
    parts = [
        {"reward": reward, "r_q": reward / 2, "invalid": float(reward == 0)} for reward in REWARDS
    ]
    mask = torch.tensor([[1, 0], [1, 1], [1, 0], [1, 1]]).bool()
    sampled = torch.tensor([[-1.25, 9], [-1.25, -0.25], [-1.25, 9], [-1.25, -1.25]])
    responses = Completions(
        torch.arange(8).view(4, 2), mask, sampled, torch.tensor([True, False, True, True])
    )
    prompts = [
        Prompt(torch.tensor([number]), torch.zeros(1, 1), torch.empty(0, 4)) for number in range(2)
    ]
    return Rollouts(3, examples, prompts, responses, ["w", "x", "y", "z"], parts, 2)


def test_rows(rollouts: Rollouts) -> None:
    assert rollouts.rewards.tolist() == [[1.0, 0.0], [0.5, 0.5]]
    rows = rollouts.rows(torch.tensor([[0.7, -0.7], [0.0, 0.0]]))
    assert [(row["id"], row["text"], row["response"], row["reward"]) for row in rows] == [
        ("a", "one", "w", 1.0),
        ("a", "one", "x", 0.0),
        ("b", "two", "y", 0.5),
        ("b", "two", "z", 0.5),
    ]
    assert rows[1] == {
        "step": 3,
        "id": "a",
        "image": ["a.png"],
        "text": "one",
        "response": "x",
        "reward": 0.0,
        "r_q": 0.0,
        "invalid": 1.0,
        "advantage": pytest.approx(-0.7),
    }


def test_metrics_count_only_the_tokens_of_responses(rollouts: Rollouts) -> None:
    junk = torch.where(rollouts.responses.mask, 0.0, 99.0)
    metrics = micro_batch_metrics(
        rollouts, -1.0 + junk, -1.5 - junk, sampled=range(2), correction=UNCORRECTED
    )
    # log ratios of the six tokens
    ratios = [exp(gap) for gap in (0.25, 0.25, -0.75, 0.25, 0.25, 0.25)]
    expected = {
        "train/reward": 0.5,
        "train/r_q": 0.25,
        "train/invalid": 0.25,
        "train/reward_std": sqrt(0.5) / 2,
        "train/zero_variance_groups": 0.5,
        "train/kl": exp(-0.5) + 0.5 - 1,
        "train/length_mean": 1.5,
        "train/length_max": 2,
        "train/sampling_logp_gap": 0.75,
        "train/sampling_logp_gap_mean": 2 / 6,
        "train/effective_sample_size": sum(ratios) ** 2 / 6 / sum(ratio**2 for ratio in ratios),
        "train/corrected_tokens": 0,
    }
    assert metrics == pytest.approx(expected)


def test_metrics_without_a_reference_after_an_update(rollouts: Rollouts) -> None:
    metrics = micro_batch_metrics(
        rollouts, torch.zeros(4, 2), None, sampled=None, correction=UNCORRECTED
    )
    assert "train/kl" not in metrics
    assert "train/sampling_logp_gap" not in metrics
    assert "train/effective_sample_size" not in metrics


def test_the_gap_to_the_rollout_is_that_of_computed_groups(rollouts: Rollouts) -> None:
    logps = rollouts.responses.logps + torch.tensor([[0.25], [0.0], [9.0], [9.0]])
    truncate = {"correction": "truncate", "threshold": 1.2}  # e^0.25 is 1.28
    for sampled, gap, mean, share in (([0], 0.25, 0.25 / 3, 1 / 3), ([], 0.0, 0.0, 0.0)):
        metrics = micro_batch_metrics(rollouts, logps, None, sampled=sampled, correction=truncate)
        assert metrics["train/sampling_logp_gap"] == pytest.approx(gap)
        assert metrics["train/sampling_logp_gap_mean"] == pytest.approx(mean)
        assert metrics["train/corrected_tokens"] == pytest.approx(share)
    assert metrics["train/effective_sample_size"] == 1


def test_some_of_the_examples(rollouts: Rollouts) -> None:
    second = rollouts.select([1])
    assert second.texts == ["y", "z"]
    assert second.rewards.tolist() == [[0.5, 0.5]]
    assert [example.id for example in second.examples] == ["b"]
    assert second.responses.tokens.tolist() == [[4, 5], [6, 7]]
    assert rollouts.select([0]).responses.finished.tolist() == [True, False]
    assert (int(rollouts.tokens), int(second.tokens)) == (6, 3)


def test_examples_are_replaced_in_their_places(rollouts: Rollouts) -> None:
    long = Completions(
        torch.full((2, 3), 9),
        torch.tensor([[1, 1, 1], [1, 0, 0]]).bool(),
        torch.zeros(2, 3),
        torch.tensor([True, True]),
    )
    fresh = [
        {"reward": 2.0, "r_q": 1.0, "invalid": 0.0},
        {"reward": 0.0, "r_q": 0.0, "invalid": 0.0},
    ]
    other = Rollouts(3, rollouts.examples[:1], rollouts.prompts[:1], long, ["p", "q"], fresh, 2)
    both = rollouts.with_replaced([0], other)
    assert both.texts == ["p", "q", "y", "z"]
    assert both.rewards.tolist() == [[2.0, 0.0], [0.5, 0.5]]
    assert both.responses.mask.tolist() == [[1, 1, 1], [1, 0, 0], [1, 0, 0], [1, 1, 0]]
    assert [example.id for example in both.examples] == ["a", "b"]
