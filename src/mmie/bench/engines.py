"""One engine in a process of its own.

``python -m mmie.bench.engines ENGINE WORK GRPO MEMORY`` prints its figures as one line of JSON.
WORK, and GRPO and MEMORY, which are shipped values of these two nodes, are JSON, too. They are
handed in because the libraries that read ``conf/`` would count towards the peak memory of our
engine and not of TRL's.
"""

from __future__ import annotations

import json
import random
import sys
import tempfile
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from mmie.bench.meters import peak_mib
from mmie.bench.policies import FixedLength, Repeated
from mmie.bench.probes import probe
from mmie.bench.work import Work
from mmie.models.policy import Policy
from mmie.models.qwen2_5_vl import Qwen25VL
from mmie.settings import ALL_AT_ONCE, GRPOConfig, MemoryConfig
from mmie.training.grpo import GRPOModule
from mmie.training.plan import MicroBatch
from mmie.types import Example, Picture


class TextTask:
    """The prompt is the example's text, and every response is a valid answer."""

    def prompt(self, example: Example) -> str:
        return example.text

    def parse(self, response: str) -> str:
        return response

    def answer_of(self, response: str) -> str:
        return response

    def gold_answer(self, example: Example) -> str:
        return ""


def grpo_config(work: Work, shipped: Mapping[str, Any]) -> GRPOConfig:
    """The shipped values of GRPO, with those of the work in their places.

    Args:
        work: gives what all engines share: G, length limit, temperature, KL weight, learning rate.
        shipped: every value of the ``grpo`` node.
    """
    of_work = {
        "group_size": work.group_size,
        "max_new_tokens": work.new_tokens,
        "temperature": work.temperature,
        "kl_coef": work.kl_coef,
        "lr": work.lr,
    }
    return GRPOConfig(**{**shipped, **of_work})


def run_ours(
    work: Work, kind: type[Policy], shipped: Mapping[str, Any], memory: MemoryConfig
) -> dict[str, Any]:
    """Times ``GRPOModule.training_step`` with backward pass and optimizer.

    Args:
        work: what a step consists of.
        kind: ``FixedLength`` or ``Repeated``.
        shipped: every value of the ``grpo`` node.
        memory: what the step holds at once.
    """
    torch.manual_seed(0)
    backbone = Qwen25VL(work.model, dtype=work.dtype)
    policy = kind(backbone, rank=work.rank, alpha=2 * work.rank)
    policy.add_reference()
    policy.cache_gb = memory.cache_gb
    module = make_module(policy, grpo_config(work, shipped), memory=memory).to(work.device)
    optimizer = torch.optim.AdamW(policy.trainable(), lr=work.lr)
    forwards = _count_vision_forwards(policy)
    with tempfile.TemporaryDirectory() as folder:
        pictures = [Picture(path) for path in work.draw_pictures(Path(folder))]
        steps = []
        for start in range(0, len(pictures), work.prompts):
            examples = _examples(work, pictures[start : start + work.prompts])
            steps.append(_timed_step(module, optimizer, examples, work))
        peak = peak_mib()  # before the probes, which need memory of their own
        vision_forwards = len(forwards) / len(pictures)
        rollouts = module.last_rollouts
        assert rollouts is not None
        with work.autocast():
            probed = probe(policy, module, rollouts, work)
        return {
            "steps": steps[work.warmup :],
            "peak_mib": peak,
            "vision_forwards_per_image": vision_forwards,
            "prompt_tokens": len(rollouts.prompts[0].ids),
            **probed,
        }


def make_module(
    policy: Policy,
    config: GRPOConfig,
    *,
    kind: type[GRPOModule] = GRPOModule,
    memory: MemoryConfig = ALL_AT_ONCE,
) -> GRPOModule:
    """A module with random rewards, which logs nothing and needs no trainer."""
    rewards = random.Random(0)
    task: Any = TextTask()

    def random_reward(*_: Any) -> dict[str, float]:
        return {"reward": rewards.random()}

    module = kind(policy, task, random_reward, config, steps=1, seed=0, memory=memory)
    module.log = module.log_dict = _log_nothing  # type: ignore[method-assign]
    return module


def _log_nothing(*args: Any, **options: Any) -> None:
    """There is no trainer to log to."""


def _examples(work: Work, pictures: list[Picture]) -> list[Example]:
    return [
        Example(str(number), work.text, (picture,), "") for number, picture in enumerate(pictures)
    ]


def _timed_step(
    module: GRPOModule, optimizer: Any, examples: list[Example], work: Work
) -> dict[str, float]:
    """Seconds of one step and of its phases."""
    start = time.perf_counter()
    batch = MicroBatch(examples, step=0, weight=1.0)
    module.on_train_batch_start(batch, 0)
    with work.autocast():
        loss = module.training_step(batch, 0)
    with module.phase("update"):
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    seconds = {**module.phase_seconds, "step": time.perf_counter() - start}
    module.phase_seconds.clear()
    return seconds


def _count_vision_forwards(policy: Policy) -> list[Any]:
    """A list that grows by one with every picture that goes through the vision tower."""
    seen: list[Any] = []
    compute = policy.backbone.vision_features

    def counting(picture: Any) -> Tensor:
        seen.append(None)
        return compute(picture)

    policy.backbone.vision_features = counting  # type: ignore[method-assign]
    return seen


def main() -> None:
    engine, work_json, grpo_json, memory_json = sys.argv[1:]
    work = Work(**json.loads(work_json))
    torch.set_num_threads(work.threads)
    if engine == "trl":
        from mmie.bench.trl_peer import run_trl

        figures = run_trl(work)
    else:
        kind = Repeated if engine == "repeated" else FixedLength
        memory = MemoryConfig(**json.loads(memory_json))
        figures = run_ours(work, kind, json.loads(grpo_json), memory)
    print(json.dumps(figures))


if __name__ == "__main__":
    main()
