"""Responses to examples, each with random numbers of its own."""

from __future__ import annotations

from typing import Any

import torch

from mmie.training.generate import Sampling, respond, uniforms
from training_runs import WordTask, end_early


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
    whole = respond(policy, task, examples, sampling=sampling, batch_size=8, seed=0, progress=done.append)
    parts = respond(policy, task, examples, sampling=sampling, batch_size=3, seed=0, progress=done.append)
    turned = respond(policy, task, examples[::-1], sampling=sampling, batch_size=3, seed=0)
    assert whole == parts == turned[::-1]
    assert done == [8, 3, 3, 2]
    assert len(set(whole)) > 5
    assert {response.truncated for response in whole} == {True, False}
    assert respond(policy, task, examples, sampling=sampling, batch_size=8, seed=1) != whole
    assert torch.equal(torch.get_rng_state(), state)


def test_no_examples(make_policy: Any) -> None:
    assert respond(make_policy("llava"), WordTask(), [], sampling=Sampling(0.0, 3), batch_size=2, seed=0) == []
