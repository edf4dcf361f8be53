"""Costs of stages, from those of their passes."""

from __future__ import annotations

from dataclasses import replace

import pytest

from helpers.configured import run_config
from mmie.costs import Pass, Shape, Speed, backward, decoding, forward, hours, sequence
from mmie.distil.estimate import Asked, dollars, tile_tokens
from mmie.planning.stage_costs import answering_cost, grpo_cost, sft_cost
from mmie.settings import ALL_AT_ONCE, MemoryConfig

SIZES = {"layers": 1, "hidden": 4, "heads": 2, "kv_heads": 1, "head_size": 3, "inner": 5}
ONE = Shape(**SIZES, vocabulary=10, rank=1, value_bytes=2)
LEAN = replace(ALL_AT_ONCE, micro_responses=2, recompute_layers=True, logits_chunk=256)


def test_sft_learns_whole_rows() -> None:
    cost = sft_cost(ONE, [[0, 1], [1, 1]], [(10, 2), (20, 3)], ALL_AT_ONCE)
    assert (cost.prompt_tokens, cost.response_tokens) == (10 + 3 * 20, 2 + 3 * 3)
    rows = [sequence(12, logits=2), *3 * [sequence(23, logits=3)]]
    assert cost.flops == sum(forward(ONE, row) + backward(ONE, row) for row in rows)


@pytest.mark.parametrize(("memory", "layers", "logits"), [(ALL_AT_ONCE, 0, 0), (LEAN, 1, 1)])
def test_grpo_samples_then_learns(memory: MemoryConfig, layers: int, logits: int) -> None:
    config = run_config("grpo.group_size=3", "grpo.prompts_per_step=2", "grpo.micro_prompts=1").grpo
    assert config is not None
    cost = grpo_cost(ONE, [[0, 0]], [10], response=4, config=config, memory=memory, processes=1)
    assert (cost.prompt_tokens, cost.response_tokens) == (20, 2 * 3 * 4)
    prompt = sequence(10, logits=1)
    group = Pass(3 * 4, 3 * (4 * 10 + 10), 3 * 4)
    again = layers * sum(forward(ONE, Pass(run.tokens, run.seen, 0)) for run in (prompt, group))
    again += logits * forward(ONE, Pass(0, 0, group.logits))
    twice = 2 * sum(forward(ONE, run) for run in (prompt, group))  # reference and policy
    update = twice + backward(ONE, prompt) + backward(ONE, group) + again
    assert cost.passes.flops == 2 * (forward(ONE, prompt) + update)
    one = decoding(ONE, prompt=10, response=4, side_by_side=2 * 3)
    assert (cost.decoding.flops, cost.decoding.bytes) == (6 * one.flops, 6 * one.bytes)


def test_passes_and_decoding_take_their_time_in_turn() -> None:
    cost = answering_cost(ONE, [10], [4], side_by_side=2)
    speed = Speed(peak=1e6, bandwidth=1e3, peak_share=0.5, bandwidth_share=0.5)
    assert cost.hours(speed) == hours(cost.passes, speed) + hours(cost.decoding, speed)


@pytest.mark.parametrize(
    ("size", "tokens"),
    [((1024, 1024), 765), ((2048, 4096), 1105), ((90, 80), 255), ((513, 400), 425)],
)
def test_tiles_are_counted_as_published(size: tuple[int, int], tokens: int) -> None:
    """The first two are OpenAI's own examples."""
    assert tile_tokens(size, base=85, tile=170) == tokens


def test_dollars() -> None:
    asked = [Asked(requests=2, prompt_tokens=1_000_000, answer_tokens=500_000)]
    assert dollars(asked, {"input": 2.5, "output": 10.0}) == 7.5
    assert dollars(asked, None) is None
