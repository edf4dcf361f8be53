"""Training that diverges, or broken weights, end with one line that names step and sample."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch

from helpers.adapters import adapter_hash
from helpers.training_runs import WordTask, grpo_config, sft_config, train_grpo, train_sft
from mmie.errors import NotFiniteError
from mmie.training.generate import Sampling, respond, respond_often


def poison(policy: Any, value: float) -> Any:
    """Writes the value into one row of the embeddings and of the head."""
    with torch.no_grad():
        for name, weight in policy.model.named_parameters():
            if "lm_head" in name or "embed_tokens" in name:
                weight[5] = value
    return policy


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
@pytest.mark.parametrize("temperature", [0.0, 1.0])
def test_logits_that_are_not_finite_name_the_sample(
    value: float, temperature: float, make_policy: Any, examples: list[Any]
) -> None:
    policy = poison(make_policy("qwen"), value)
    sampling = Sampling(temperature, 4)
    message = r"^a logit is not finite at sample train-0; lower the learning rate"
    with pytest.raises(NotFiniteError, match=message):
        respond(policy, WordTask(), examples[:2], sampling=sampling, batch_size=2, seed=0)
    with pytest.raises(NotFiniteError, match=message):
        respond_often(
            policy, WordTask(), examples[:2], samples=2, side_by_side=2, sampling=sampling, seed=0
        )


def test_grpo_names_step_and_sample(make_policy: Any, examples: list[Any], tmp_path: Path) -> None:
    policy = poison(make_policy("qwen"), float("nan"))
    with pytest.raises(NotFiniteError, match=r"^a logit is not finite at step 0, sample train-"):
        train_grpo(policy, examples, tmp_path, epochs=1)


def test_sft_names_step_and_sample(make_policy: Any, examples: list[Any], tmp_path: Path) -> None:
    policy = poison(make_policy("qwen"), float("nan"))
    with pytest.raises(NotFiniteError, match=r"^the loss is not finite at step 0, sample train-"):
        train_sft(policy, examples, tmp_path, epochs=1)


@pytest.mark.parametrize("train", [train_sft, train_grpo])
def test_a_learning_rate_that_explodes(
    train: Any, make_policy: Any, examples: list[Any], tmp_path: Path
) -> None:
    config = (sft_config if train is train_sft else grpo_config)(lr=1e30)
    with pytest.raises(NotFiniteError, match=r"not finite at step [1-3]"):
        train(make_policy("qwen"), examples, tmp_path, epochs=4, config=config)


def test_a_gradient_that_is_not_finite_never_reaches_the_adapter(
    make_policy: Any, examples: list[Any], tmp_path: Path
) -> None:
    policy = make_policy("qwen")
    policy.trainable()[0].register_hook(lambda gradient: gradient * float("nan"))
    before = adapter_hash(policy)
    with pytest.raises(NotFiniteError, match=r"^the gradient is not finite at step 0;"):
        train_sft(policy, examples, tmp_path, epochs=1)
    assert adapter_hash(policy) == before
