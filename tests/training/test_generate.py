"""Responses to examples, each with random numbers of its own."""

from __future__ import annotations

from typing import Any

import pytest
import torch

from helpers.training_runs import WordTask, end_early
from mmie.models import sampling as sampling_module
from mmie.serving.local import uniforms
from mmie.training.generate import Sampling, respond, respond_often


def test_numbers_belong_to_their_key() -> None:
    sampling = Sampling(1.0, 5)
    together = uniforms(["a", "b", "c"], group_size=2, sampling=sampling)
    assert (together.shape, together.dtype) == ((6, 5), torch.float64)
    assert torch.equal(uniforms(["b"], group_size=2, sampling=sampling), together[2:4])
    assert together.unique().numel() == 30
    assert ((together >= 0) & (together < 1)).all()


def test_responses_do_not_depend_on_the_batch(make_policy: Any, examples: list[Any]) -> None:
    policy, task, sampling = end_early(make_policy("qwen")), WordTask(), Sampling(1.0, 6)
    state, done = torch.get_rng_state(), []
    options = {"sampling": sampling, "seed": 0}
    whole = respond(policy, task, examples, batch_size=8, progress=done.append, **options)
    parts = respond(policy, task, examples, batch_size=3, progress=done.append, **options)
    turned = respond(policy, task, examples[::-1], batch_size=3, **options)
    assert whole == parts == turned[::-1]
    assert done == [8, 3, 3, 2]
    assert len(set(whole)) > 5
    assert {response.truncated for response in whole} == {True, False}
    assert respond(policy, task, examples, sampling=sampling, batch_size=8, seed=1) != whole
    assert torch.equal(torch.get_rng_state(), state)


def test_no_examples(make_policy: Any) -> None:
    options = {"sampling": Sampling(0.0, 3), "batch_size": 2, "seed": 0}
    assert respond(make_policy("llava"), WordTask(), [], **options) == []


def test_several_responses_are_the_same_however_they_are_decoded(
    make_policy: Any, examples: list[Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    prefilled = []
    prefill = sampling_module.prefill

    def noting(model: Any, prompts: Any) -> Any:
        prefilled.append(len(prompts.ids))
        return prefill(model, prompts)

    monkeypatch.setattr(sampling_module, "prefill", noting)
    policy, task, sampling = end_early(make_policy("qwen")), WordTask(), Sampling(1.0, 6)

    def draw(samples: int, side_by_side: int, seed: int = 0) -> list[list[str]]:
        options = {"samples": samples, "side_by_side": side_by_side, "seed": seed}
        return respond_often(policy, task, examples[:3], sampling=sampling, **options)

    seven = draw(7, 100)
    assert [len(row) for row in seven] == [7, 7, 7]
    assert all(len(set(row)) > 3 for row in seven)
    assert len({row[1] for row in seven}) == 3
    assert draw(7, 2) == draw(7, 5) == draw(7, 21) == seven
    assert draw(3, 4) == [row[:3] for row in seven]
    assert draw(7, 100, seed=1) != seven
    assert prefilled == [3] * 6  # each prompt once, whatever is decoded side by side
    single = respond(policy, task, examples[:3], sampling=sampling, batch_size=2, seed=0)
    assert [response.text for response in single] == [row[0] for row in seven]
