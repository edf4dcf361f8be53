"""What is measured once, beside the timed steps: exactness, floating-point operations, decoding."""

from __future__ import annotations

from functools import partial
from typing import Any

import torch
from torch.utils.flop_counter import FlopCounterMode

from mmie.bench.meters import seconds_of
from mmie.bench.work import Work
from mmie.models.backbone import DTYPES
from mmie.models.batch import PromptBatch
from mmie.models.decode_cache import decode_cache
from mmie.models.forward import as_model_positions, response_positions
from mmie.models.policy import Policy
from mmie.models.rows import row_logps
from mmie.models.shared_prefix import prefill
from mmie.training.grpo import GRPOModule
from mmie.training.plan import MicroBatch
from mmie.training.rollouts import Rollouts

ANY_TOKEN = 100


def probe(policy: Policy, module: GRPOModule, rollouts: Rollouts, work: Work) -> dict[str, Any]:
    """All figures of this module by name."""
    prompts = policy.batch(rollouts.prompts)
    return {
        "max_abs_logp_difference": logp_difference(policy, prompts, rollouts, work),
        "flops": step_flops(module, rollouts),
        "matmul_flops_per_second": matmul_rate(work),
        **decode_cost(policy, prompts, work),
    }


@torch.no_grad()
def logp_difference(policy: Policy, prompts: PromptBatch, rollouts: Rollouts, work: Work) -> float:
    """The largest difference between the engine's log-probabilities and those of repeated rows."""
    responses = rollouts.responses
    shared = policy.logps(prompts, responses, temperature=work.temperature)
    rows = row_logps(policy.model, prompts, responses)
    return float((shared - rows).abs().max())


def step_flops(module: GRPOModule, rollouts: Rollouts) -> int:
    """Floating-point operations of one step, forward and backward."""
    policy = module.policy
    graphs, policy.cuda_graphs = policy.cuda_graphs, False  # what a graph repeats is not counted
    with FlopCounterMode(display=False) as counter:
        loss = module.training_step(MicroBatch(rollouts.examples, step=0, weight=1.0), 0)
        loss.backward()
    policy.cuda_graphs = graphs
    return counter.get_total_flops()


def decode_cost(policy: Policy, prompts: PromptBatch, work: Work) -> dict[str, float]:
    """Seconds of one decoding step of the rollout, and of the bare forward pass in it.

    Both have the same batch and the same cache length.
    """
    prefill_seconds = _sampling_seconds(policy, prompts, work, new_tokens=1)
    all_seconds = _sampling_seconds(policy, prompts, work, new_tokens=work.new_tokens)
    further_tokens = max(1, work.new_tokens - 1)
    return {
        "decode_step_seconds": (all_seconds - prefill_seconds) / further_tokens,
        "bare_forward_seconds": _bare_forward_seconds(policy, prompts, work) / further_tokens,
        "prefill_seconds": prefill_seconds,
    }


def _sampling_seconds(
    policy: Policy, prompts: PromptBatch, work: Work, *, new_tokens: int
) -> float:
    rows = work.prompts * work.group_size
    numbers = torch.rand(rows, new_tokens, dtype=torch.float64)
    run = partial(policy.sample, prompts, numbers, temperature=1.0)
    return min(seconds_of(run) for _ in range(3))


@torch.no_grad()
def _bare_forward_seconds(policy: Policy, prompts: PromptBatch, work: Work) -> float:
    """Seconds of all forward passes of decoding, without drawing tokens."""
    owners = torch.arange(work.prompts, device=work.device).repeat_interleave(work.group_size)
    prompt_cache, _ = prefill(policy.model, prompts)
    cache = decode_cache(prompt_cache, owners)
    token = torch.full((len(owners), 1), ANY_TOKEN, device=work.device)
    positions = response_positions(prompts, owners, work.new_tokens)
    prompt_length = prompts.ids.shape[1]
    mask = torch.ones_like(token).expand(-1, prompt_length + work.new_tokens)

    def forwards() -> None:
        for step in range(work.new_tokens - 1):
            policy.model(
                input_ids=token,
                attention_mask=mask[:, : prompt_length + step + 1],
                position_ids=as_model_positions(positions[:, :, step : step + 1]),
                cache=cache,
                use_cache=True,
            )

    return seconds_of(forwards)


def matmul_rate(work: Work) -> float:
    """Floating-point operations per second of a square product; the best of 20.

    It is in the type that the work computes in: float32, or bfloat16 if the base has that.
    """
    size = 8192 if work.device == "cuda" else 1024
    left = torch.rand(size, size, dtype=DTYPES[work.dtype], device=work.device)
    right = torch.rand(size, size, dtype=DTYPES[work.dtype], device=work.device)
    return 2 * size**3 / min(seconds_of(lambda: left @ right) for _ in range(20))
