"""Costs of passes, worked out by hand for a model of one layer, and counted by torch."""

from __future__ import annotations

import pytest
import torch
from torch.utils.flop_counter import FlopCounterMode

from mmie.costs import (
    Pass,
    Shape,
    Speed,
    Work,
    backward,
    decoding,
    forward,
    hours,
    learning,
    sequence,
)
from mmie.models.architecture import architecture, empty_model
from mmie.models.prompt_tokens import shape_of

# Maps of the layer: q 4·6, k and v 4·3 each, o 6·4, three of 4·5: 24 + 12 + 12 + 24 + 60 = 132.
# One adapter of rank 1: (4+6) + 2·(4+3) + (6+4) + 3·(4+5) = 61. The head: 4·10 = 40.
SIZES = {"layers": 1, "hidden": 4, "heads": 2, "kv_heads": 1, "head_size": 3, "inner": 5}
ONE = Shape(**SIZES, vocabulary=10, rank=1, value_bytes=2)


def test_weights_and_bytes() -> None:
    assert (ONE.layer_weights, ONE.adapter_weights, ONE.head_weights) == (132, 61, 40)
    assert ONE.read_bytes == 2 * (132 + 40) + 4 * 61
    assert ONE.cache_bytes == 2 * 3 * 2  # a key and a value of three numbers


def test_a_text_sees_itself_and_what_stands_before() -> None:
    assert sequence(3) == Pass(3, 1 + 2 + 3, 0)
    assert sequence(3, before=10, logits=3) == Pass(3, 11 + 12 + 13, 3)


def test_forward_and_backward() -> None:
    run = Pass(tokens=3, seen=6, logits=2)
    assert forward(ONE, run) == 2 * 3 * (132 + 61) + 4 * 6 * 6 + 2 * 2 * 40
    assert backward(ONE, run) == 2 * 3 * (132 + 2 * 61) + 8 * 6 * 6 + 2 * 2 * 40


def test_what_is_computed_again() -> None:
    run = Pass(tokens=3, seen=6, logits=2)
    once = forward(ONE, run) + backward(ONE, run)
    logits = 2 * 2 * 40
    layers = forward(ONE, run) - logits
    assert learning(ONE, run, layers_again=False, logits_again=False) == once
    assert learning(ONE, run, layers_again=True, logits_again=False) == once + layers
    assert learning(ONE, run, layers_again=True, logits_again=True) == once + layers + logits


def test_decoding_reads_the_model_once_per_step() -> None:
    work = decoding(ONE, prompt=10, response=3, side_by_side=4)
    assert work.flops == forward(ONE, Pass(3, 36, 3))
    assert work.bytes == 3 * ONE.read_bytes / 4 + 36 * ONE.cache_bytes


def test_hours_are_those_of_the_slower_side() -> None:
    speed = Speed(peak=1e12, bandwidth=1e11, peak_share=0.5, bandwidth_share=0.25)
    assert hours(Work(3.6e15, 0), speed) == pytest.approx(2)
    assert hours(Work(3.6e15, 3 * 3600 * 2.5e10), speed) == pytest.approx(3)
    assert Work(1, 2) + Work(3, 4) * 2 == Work(7, 10)


@pytest.mark.parametrize("path", ["Qwen/Qwen2.5-VL-7B-Instruct", "llava-hf/llava-1.5-7b-hf"])
def test_torch_counts_the_same(path: str) -> None:
    """On the meta device nothing is computed; torch counts the products by their shapes."""
    tokens = 64
    config = architecture(path)
    config._attn_implementation = "eager"
    model = empty_model(config)
    with FlopCounterMode(display=False) as counter, torch.no_grad():
        model(
            input_ids=torch.zeros(1, tokens, dtype=torch.long, device="meta"),
            position_ids=torch.zeros(1, tokens, dtype=torch.long, device="meta"),
        )
    shape = shape_of(config, rank=0, value_bytes=2)
    # Eager attention computes all pairs and masks those that a token must not see.
    ours = forward(shape, Pass(tokens, tokens * tokens, tokens))
    assert counter.get_total_flops() == pytest.approx(ours, rel=1e-3)
