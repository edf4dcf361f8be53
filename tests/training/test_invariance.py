"""Loss and gradient of a step do not depend on how it is divided."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
import torch
from torch import Tensor

from helpers.training_runs import (
    WordTask,
    demonstrations,
    end_early,
    grpo_config,
    length_reward,
    sft_config,
)
from mmie.settings import ALL_AT_ONCE, MemoryConfig
from mmie.training.grpo import GRPOModule
from mmie.training.plan import StepLoader
from mmie.training.sft import SFTModule

STEP = [6, 0, 2, 1]
LAYOUTS = [(4, 1), (2, 1), (1, 1), (2, 2), (1, 2), (1, 4)]  # micro-batch size, processes
SMALLEST = [(1, 1), (1, 2)]


def measured(
    module: Any, items: list[Any], sizes: list[int], *, micro: int, world: int
) -> tuple[Tensor, Tensor]:
    """Loss and gradient as Lightning and DDP average them: over micro-batches, then processes."""
    losses, gradients = [], []
    for rank in range(world):
        place = {"rank": rank, "world_size": world}
        loader = StepLoader(items, [STEP], sizes=sizes, micro_batch_size=micro, **place)
        module.policy.zero_grad()
        for index, batch in enumerate(loader):
            loss = module.training_step(batch, index) / loader.accumulate
            loss.backward()
            losses.append(loss.detach())
        gradients.append(torch.cat([value.grad.flatten() for value in module.policy.trainable()]))
    return torch.stack(losses).sum() / world, torch.stack(gradients).mean(0)


def quiet(module: Any) -> Any:
    module.log = module.log_dict = lambda *args, **options: None
    return module


def check(
    module: Any, items: list[Any], sizes: list[int], layouts: list[tuple[int, int]] = LAYOUTS
) -> None:
    quiet(module)
    loss, gradient = measured(module, items, sizes, micro=4, world=1)
    assert loss != 0
    assert gradient.norm() > 1e-3
    for micro, world in layouts:
        other, moved = measured(module, items, sizes, micro=micro, world=world)
        torch.testing.assert_close(other, loss, rtol=1e-6, atol=0)
        assert (moved - gradient).norm() < 1e-6 * gradient.norm()


@pytest.mark.parametrize("kind", ["qwen", "llava"])
def test_sft_step(make_policy: Any, examples: list[Any], kind: str) -> None:
    policy = make_policy(kind).double()
    items = demonstrations(policy, examples)
    sizes = [len(item.response_ids) for item in items]
    assert len({sizes[index] for index in STEP}) > 2
    check(SFTModule(policy, sft_config(), steps=1), items, sizes)


def warmed_up(policy: Any) -> Any:
    """A policy that has moved away from its reference."""
    policy = end_early(policy).double()
    policy.add_reference()
    with torch.no_grad():
        for value in policy.trainable():
            value.add_(0.05)
    return policy


def grpo_module(policy: Any, *, memory: MemoryConfig = ALL_AT_ONCE, **options: Any) -> Any:
    policy.cache_gb = options.pop("cache_gb", None)
    config = grpo_config(**options)
    return quiet(
        GRPOModule(policy, WordTask(), length_reward, config, steps=1, seed=3, memory=memory)
    )


IN_PARTS = replace(ALL_AT_ONCE, micro_responses=2)
LEAN = replace(ALL_AT_ONCE, micro_responses=2, recompute_layers=True, logits_chunk=7)


OPTIONS: dict[str, dict[str, Any]] = {
    "paper": {},
    "responses in chunks": {"memory": IN_PARTS},
    "layers and logits in parts": {"memory": LEAN},
    "responses sampled one by one": {"cache_gb": 1e-9},
    "Dr. GRPO": {"advantage_scale": "none", "normalise": "constant"},
    "GSPO, clipped": {"ratio": "sequence", "clip_low": 3e-4, "clip_high": 4e-4},
    "groups drawn again": {"resamples": 2},
    "no KL": {"kl_coef": 0.0},
}


@pytest.mark.parametrize(
    ("kind", "options"),
    [("llava", {}), ("llava", {"memory": LEAN})]
    + [("qwen", options) for options in OPTIONS.values()],
    ids=["llava", "llava, layers and logits in parts", *OPTIONS],
)
def test_grpo_step(
    make_policy: Any, examples: list[Any], kind: str, options: dict[str, Any]
) -> None:
    policy = warmed_up(make_policy(kind))
    module = grpo_module(policy, **options)
    check(module, examples, [1] * len(examples), SMALLEST if options else LAYOUTS)
    measured(module, examples, [1] * len(examples), micro=4, world=1)
    assert module.last_rollouts is not None
    assert {part["truncated"] for part in module.last_rollouts.parts} == {0.0, 1.0}
    differing = module.last_rollouts.rewards.std(1) > 0
    assert differing.sum() >= len(differing) - 1


@pytest.mark.parametrize("micro", [1, 2])
def test_the_token_mean_is_over_the_whole_step(
    make_policy: Any, examples: list[Any], micro: int
) -> None:
    policy = warmed_up(make_policy("qwen"))
    module = grpo_module(policy, normalise="token")
    whole_loss, whole_gradient = measured(module, examples, [1] * 8, micro=4, world=1)
    loss, gradient = measured(module, examples, [1] * 8, micro=micro, world=1)
    torch.testing.assert_close(loss, whole_loss, rtol=1e-6, atol=0)
    torch.testing.assert_close(gradient, whole_gradient, rtol=1e-6, atol=1e-9)
    per_response, _ = measured(grpo_module(policy), examples, [1] * 8, micro=4, world=1)
    assert not torch.allclose(whole_loss, per_response, rtol=1e-3)


def test_chunks_of_responses_change_nothing(make_policy: Any, examples: list[Any]) -> None:
    policy = warmed_up(make_policy("llava"))
    module = grpo_module(policy, memory=ALL_AT_ONCE)
    whole_loss, whole_gradient = measured(module, examples, [1] * 8, micro=4, world=1)
    for size in (1, 5, 100):
        module = grpo_module(policy, memory=replace(ALL_AT_ONCE, micro_responses=size))
        loss, gradient = measured(module, examples, [1] * 8, micro=4, world=1)
        torch.testing.assert_close(loss, whole_loss, rtol=1e-9, atol=0)
        torch.testing.assert_close(gradient, whole_gradient, rtol=1e-9, atol=1e-12)
