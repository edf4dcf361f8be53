"""One GRPO step by phase, with its memory, and how far bfloat16 moves the log-probabilities."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
from torch.utils.flop_counter import FlopCounterMode

from mmie.bench.engines import make_module
from mmie.bench.gpu.card import matmul_tflops
from mmie.bench.gpu.model import device
from mmie.bench.gpu.notes import Notes
from mmie.bench.gpu.size import MEMORY, Size
from mmie.bench.gpu.work import autocast, make_examples, make_policy
from mmie.config import RunConfig
from mmie.models.policy import Policy
from mmie.training.grpo import GRPOModule
from mmie.training.plan import StepLoader
from mmie.training.rollouts import Rollouts
from mmie.types import Example

GIB = 2**30


class PhaseMemory(GRPOModule):
    """Notes the most memory that each phase of a step takes, weights included."""

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        self.peak_gib: dict[str, float] = {}

    @contextmanager
    def phase(self, name: str) -> Iterator[None]:
        start_peak()
        with super().phase(name):
            yield
        self.peak_gib[name] = max(self.peak_gib.get(name, 0.0), peak_gib())


def start_peak() -> None:
    """Forgets the peak so far."""
    if torch.cuda.is_available():
        torch.cuda.reset_peak_memory_stats()


def peak_gib() -> float:
    """The most GiB that tensors on the GPU took since ``start_peak``; 0 without a GPU."""
    return torch.cuda.max_memory_allocated() / GIB if torch.cuda.is_available() else 0.0


def run(size: Size, notes: Notes) -> None:
    """A step for each choice of ``memory``; one that does not fit leaves its error."""
    policy = make_policy(size.config())
    start_peak()
    notes.add(weights_gib=peak_gib(), matmul_tflops=matmul_tflops(size.product))
    optimizer = torch.optim.AdamW(policy.trainable(), lr=1e-6)
    with tempfile.TemporaryDirectory() as folder:
        examples = make_examples(policy, size, Path(folder))
        # Untimed: it starts the libraries and makes the optimizer's moments.
        short = size.config("memory=lean", "grpo.max_new_tokens=4", "grpo.prompts_per_step=1")
        Step(policy, short, optimizer, examples[:1]).run()
        for memory in MEMORY:
            step = Step(policy, size.config(f"memory={memory}"), optimizer, examples)
            try:
                step.run()
                notes.add(**{memory: step.figures()})
                if "bf16" not in notes.values:
                    notes.add(bf16=step.gaps)
            except torch.OutOfMemoryError as error:
                notes.add(**{memory: {"error": str(error).splitlines()[0]}})
            del step
            optimizer.zero_grad()
            if torch.cuda.is_available():
                torch.cuda.empty_cache()


class Step:
    """One GRPO step, as Lightning makes it.

    Args:
        policy: with its reference.
        config: ``grpo``, ``memory`` and the precision are used.
        optimizer: of the policy's adapter.
        examples: the prompts of the step.

    Attributes:
        gaps: see ``logp_gaps``.
    """

    def __init__(
        self, policy: Policy, config: RunConfig, optimizer: Any, examples: list[Example]
    ) -> None:
        assert config.grpo is not None
        policy.cache_gb = config.memory.cache_gb  # as a run loads it
        self.config, self.optimizer, self.examples = config, optimizer, examples
        self.clip, self.width = config.grpo.max_grad_norm, config.grpo.micro_prompts
        self.module: Any = make_module(
            policy, config.grpo, kind=PhaseMemory, memory=config.memory
        ).to(device())
        self.gaps: dict[str, float] = {}

    def run(self) -> None:
        """Rollout, reference and update of all prompts, then the optimizer."""
        batches = self._batches()
        for index, batch in enumerate(batches):
            self.module.on_train_batch_start(batch, index)
            with autocast(self.config):
                loss = self.module.training_step(batch, index)
            with self.module.phase("backward"):
                (loss / batches.accumulate).backward()
        self.gaps = self.logp_gaps()
        with self.module.phase("optimizer"):
            trained = self.module.policy.trainable()
            torch.nn.utils.clip_grad_norm_(trained, self.clip)
            self.optimizer.step()
            self.optimizer.zero_grad()

    def _batches(self) -> StepLoader:
        count = len(self.examples)
        return StepLoader(
            self.examples, [list(range(count))], sizes=[1] * count, micro_batch_size=self.width
        )

    @property
    def rollouts(self) -> Rollouts:
        return self.module.last_rollouts

    def figures(self) -> dict[str, Any]:
        """Seconds, memory, tokens and floating-point operations of the step."""
        seconds = dict(self.module.phase_seconds)
        update = seconds["update"] + seconds["backward"]
        flops = self.update_flops()
        return {
            "seconds": {**seconds, "step": sum(seconds.values())},
            "peak_gib": self.module.peak_gib,
            "prompt_tokens": len(self.rollouts.prompts[0].ids),
            "response_tokens": int(self.rollouts.tokens),
            "rollout_tokens_per_second": int(self.rollouts.tokens) / seconds["sample"],
            "update_flops": flops,
            "update_tflops": flops / update / 1e12,
        }

    def update_flops(self) -> int:
        """Operations of the policy's passes, with what is computed twice to save memory."""
        first = self.rollouts.select(range(self.width))
        with FlopCounterMode(display=False) as counter:
            with autocast(self.config):
                logps = self.module.logps(first, range(self.width))
            logps.sum().backward()
        self.optimizer.zero_grad()
        return counter.get_total_flops() * len(self.examples) // self.width

    @torch.no_grad()
    def logp_gaps(self) -> dict[str, float]:
        """Log-probabilities while decoding and in the update: how far they lie apart.

        Also the ratio of the two probabilities of a whole response, which would be 1 if the
        rounding were the same.
        """
        rollouts = self.rollouts
        mask, logps = rollouts.responses.mask, torch.zeros((), device=device())
        for place in range(len(rollouts.examples)):
            with autocast(self.config):
                logps = logps + self.module.logps(rollouts, [place])  # 0 in all other groups
        gaps = torch.where(mask, logps - rollouts.responses.logps, 0.0)
        return {
            "largest_logp_gap": float(gaps.abs().max()),
            "mean_logp_gap": float(gaps.abs().sum() / mask.sum()),
            "bias": float(gaps.sum() / mask.sum()),
            "largest_token_ratio": float(gaps.abs().max().exp()),
            "largest_response_ratio": float(gaps.sum(1).abs().max().exp()),
        }
