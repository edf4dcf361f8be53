"""Layers computed again in the backward pass, and logits in chunks."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from typing import Any

import pytest
import torch
from torch import nn

from mmie.losses import token_logps
from mmie.models.recompute import head_logps, recomputed_layers
from mmie.settings import ALL_AT_ONCE

LEAN = replace(ALL_AT_ONCE, micro_responses=2, recompute_layers=True, logits_chunk=3)


@pytest.mark.parametrize("chunk", [None, 1, 4, 12, 50])
def test_chunks_of_logits_change_nothing(chunk: int | None) -> None:
    torch.manual_seed(0)
    head, tokens = nn.Linear(5, 9, bias=False), torch.randint(0, 9, (3, 4))
    hidden = torch.randn(3, 4, 5, requires_grad=True)
    expected = token_logps(head(hidden), tokens, temperature=0.7)
    (gradient,) = torch.autograd.grad(expected.square().sum(), hidden)
    logps = head_logps(head, hidden, tokens, temperature=0.7, chunk=chunk)
    torch.testing.assert_close(logps, expected)
    torch.testing.assert_close(torch.autograd.grad(logps.square().sum(), hidden)[0], gradient)


def test_no_more_logits_than_a_chunk_are_made_at_once() -> None:
    head, rows = nn.Linear(5, 9, bias=False), []
    head.register_forward_hook(lambda module, inputs, logits: rows.append(len(logits)))
    hidden = torch.randn(3, 4, 5, requires_grad=True)
    logps = head_logps(head, hidden, torch.zeros(3, 4, dtype=torch.long), temperature=1.0, chunk=5)
    assert rows == [5, 5, 2]
    logps.sum().backward()
    assert Counter(rows) == {5: 4, 2: 2}  # each is made again in the backward pass


def test_chunks_draw_the_same_dropout_again() -> None:
    """``lora.targets`` may name the head, and then SFT has dropout in it."""
    torch.manual_seed(0)
    head, tokens = nn.Sequential(nn.Dropout(0.5), nn.Linear(5, 9)), torch.randint(0, 9, (3, 4))
    hidden = torch.randn(3, 4, 5, requires_grad=True)
    torch.manual_seed(1)
    logps = head_logps(head, hidden, tokens, temperature=1.0, chunk=5)
    torch.manual_seed(1)
    parts = zip(hidden.flatten(0, 1).split(5), tokens.flatten().split(5), strict=True)
    expected = torch.cat([token_logps(head(part), of, temperature=1.0) for part, of in parts])
    (gradient,) = torch.autograd.grad(logps.sum(), hidden)
    torch.testing.assert_close(gradient, torch.autograd.grad(expected.sum(), hidden)[0])


def test_layers_are_computed_again_and_are_their_own_afterwards(
    make_policy: Any, pictures: list[Any]
) -> None:
    policy = make_policy("qwen")
    layers = policy.backbone.model.model.language_model.layers
    calls: list[int] = []
    for layer in layers:
        layer.mlp.register_forward_pre_hook(lambda module, inputs: calls.append(inputs[0].shape[0]))
    batch = policy.batch([policy.encode("x", pictures[:1])])
    given = policy.completions_of([[100, 200], [100, 201, 202], [100, 203]])
    logps = policy.logps(batch, given, temperature=1.0, memory=LEAN)
    assert Counter(calls) == {1: 2 * len(layers), 2: len(layers)}  # the prompt and parts of 2 and 1
    logps.sum().backward()
    assert Counter(calls) == {1: 4 * len(layers), 2: 2 * len(layers)}
    assert all("forward" not in vars(layer) for layer in layers)


def test_nothing_is_prepared_where_no_gradient_is_kept(make_policy: Any) -> None:
    model = make_policy("llava").model
    layers = model.get_base_model().get_decoder().layers
    with torch.no_grad(), recomputed_layers(model, active=True):
        assert all("forward" not in vars(layer) for layer in layers)
    with recomputed_layers(model, active=True):
        assert all("forward" in vars(layer) for layer in layers)
    assert all("forward" not in vars(layer) for layer in layers)


def test_layers_are_their_own_after_an_error(make_policy: Any) -> None:
    model = make_policy("qwen").model
    with pytest.raises(KeyError), recomputed_layers(model, active=True):
        raise KeyError
    layers = model.get_base_model().get_decoder().layers
    assert all("forward" not in vars(layer) for layer in layers)
