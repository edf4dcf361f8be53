"""One engine in a process of its own.

``python -m mmie.bench.engines ENGINE WORK GRPO`` prints its figures as one line of JSON; WORK and
GRPO, the shipped values of the ``grpo`` node, are JSON too. They are handed in, as the libraries
that read ``conf/`` would count in the peak memory of this engine but not in that of another one.
"""

from __future__ import annotations

import json
import random
import resource
import sys
import tempfile
import time
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import Any

import torch
from torch import Tensor
from torch.utils.flop_counter import FlopCounterMode

from mmie.bench.work import Work
from mmie.models.batch import Completions, PromptBatch
from mmie.models.policy import Policy
from mmie.models.qwen2_5_vl import Qwen25VL
from mmie.models.rows import repeat_features, row_logps
from mmie.settings import GRPOConfig
from mmie.training.grpo import GRPOModule
from mmie.training.plan import MicroBatch
from mmie.types import Example, Picture


class FixedLength(Policy):
    """Never ends a response before the length limit."""

    @property
    def suppressed(self) -> list[int]:
        return sorted({*super().suppressed, *self.eos_ids})


class Repeated(FixedLength):
    """The same step as the field's trainers do it.

    Prompt and picture are computed once for each of the G responses, in every pass.
    """

    def sample(
        self,
        prompts: PromptBatch,
        uniforms: Tensor,
        *,
        temperature: float,
        side_by_side: int | None = None,
    ) -> Completions:
        repeated = self._repeated(prompts, len(uniforms) // len(prompts.ids))
        return super().sample(
            repeated, uniforms, temperature=temperature, side_by_side=side_by_side
        )

    def logps(
        self,
        prompts: PromptBatch,
        completions: Completions,
        *,
        temperature: float,
        micro_responses: int | None = None,
    ) -> Tensor:
        repeated = self._repeated(prompts, len(completions.tokens) // len(prompts.ids))
        return row_logps(self.model, repeated, completions, temperature=temperature)

    def encode(self, text: str, pictures: Any) -> Any:
        self.shown = [*getattr(self, "shown", []), *pictures]
        return super().encode(text, pictures)

    def _repeated(self, prompts: PromptBatch, group_size: int) -> PromptBatch:
        from mmie.data.pictures import open_picture

        rows = torch.arange(len(prompts.ids)).repeat_interleave(group_size)
        shown = [picture for picture in self.shown[-len(prompts.ids) :] for _ in range(group_size)]
        features = [
            self.backbone.vision_features(open_picture(picture, max_pixels=self.max_pixels))
            for picture in shown
        ]
        assert torch.allclose(torch.cat(features), repeat_features(prompts, group_size), atol=1e-4)
        return PromptBatch(
            prompts.ids[rows],
            prompts.mask[rows],
            prompts.positions[:, rows],
            prompts.next_position[rows],
            torch.cat(features),
            [length for length in prompts.image_lengths for _ in range(group_size)],
        )


class TextTask:
    """The prompt is the example's text; whatever is answered is an answer."""

    def prompt(self, example: Example) -> str:
        return example.text

    def parse(self, response: str) -> str:
        return response

    def answer_of(self, response: str) -> str:
        return response

    def gold_answer(self, example: Example) -> str:
        return ""


def grpo_config(work: Work, shipped: Mapping[str, Any]) -> GRPOConfig:
    """The shipped values of GRPO with those of the work in their places.

    Args:
        work: gives what all engines share: G, lengths, temperature, KL weight, learning rate.
        shipped: every value of the ``grpo`` node.
    """
    own = {
        "group_size": work.group_size,
        "max_new_tokens": work.new_tokens,
        "temperature": work.temperature,
        "kl_coef": work.kl_coef,
        "lr": work.lr,
    }
    return GRPOConfig(**{**shipped, **own})


def ours(work: Work, build: Callable[..., Policy], shipped: Mapping[str, Any]) -> dict[str, Any]:
    """Times ``GRPOModule.training_step``, backward pass and optimizer of each step."""
    torch.manual_seed(0)
    backbone = Qwen25VL(work.model)
    policy = build(backbone, rank=work.rank, alpha=2 * work.rank)
    policy.add_reference()
    rewards = random.Random(0)
    task: Any = TextTask()
    config = grpo_config(work, shipped)

    def by_chance(*_: Any) -> dict[str, float]:
        return {"reward": rewards.random()}

    module = GRPOModule(policy, task, by_chance, config, steps=1, seed=0)
    module.log = module.log_dict = _log_nothing  # type: ignore[method-assign]
    optimizer = torch.optim.AdamW(policy.trainable(), lr=work.lr)
    seen = _count_pictures(policy)
    with tempfile.TemporaryDirectory() as folder:
        paths = work.draw_pictures(Path(folder))
        steps = []
        for number in range(work.warmup + work.steps):
            pictures = [
                Picture(path) for path in paths[number * work.prompts : (number + 1) * work.prompts]
            ]
            steps.append(
                _step(
                    module,
                    optimizer,
                    [
                        Example(str(place), work.text, (shown,), "")
                        for place, shown in enumerate(pictures)
                    ],
                )
            )
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
        forwards = seen[0] / len(paths)
        assert module.last_rollouts is not None
        return {
            "steps": steps[work.warmup :],
            "peak_mib": peak,
            "vision_forwards_per_image": forwards,
            "prompt_tokens": len(module.last_rollouts.prompts[0].ids),
            **_beside(policy, module, work),
        }


def _log_nothing(*args: Any, **options: Any) -> None:
    """There is no trainer to log to."""


def _step(module: GRPOModule, optimizer: Any, examples: list[Example]) -> dict[str, float]:
    start = time.perf_counter()
    module.on_train_batch_start(None, 0)  # type: ignore[arg-type]
    loss = module.training_step(MicroBatch(examples, step=0, weight=1.0), 0)
    with module.phase("update"):
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    seconds = {**module.phase_seconds, "step": time.perf_counter() - start}
    module.phase_seconds.clear()
    return seconds


def _beside(policy: Policy, module: GRPOModule, work: Work) -> dict[str, Any]:
    """What is measured once, beside the timed steps.

    Log-probabilities against G repeated rows, FLOPs of one step, a decode step against the bare
    forward, the matmul rate.
    """
    rollouts = module.last_rollouts
    assert rollouts is not None
    prompts, responses = policy.batch(rollouts.prompts), rollouts.responses
    with torch.no_grad():
        apart = (
            (
                policy.logps(prompts, responses, temperature=work.temperature)
                - row_logps(policy.model, prompts, responses)
            )
            .abs()
            .max()
        )
    with FlopCounterMode(display=False) as counter:
        module.training_step(MicroBatch(rollouts.examples, step=0, weight=1.0), 0).backward()
    return {
        "max_abs_logp_difference": float(apart),
        "flops": counter.get_total_flops(),
        "matmul_flops_per_second": matmul_rate(),
        **decode_cost(policy, prompts, work),
    }


def decode_cost(policy: Policy, prompts: PromptBatch, work: Work) -> dict[str, float]:
    """Seconds of one decoding step of the rollout, and of the bare model forward.

    Both have the same batch and cache length.
    """
    from mmie.models.decode_cache import decode_cache
    from mmie.models.forward import as_model_positions
    from mmie.models.shared_prefix import prefill

    rows = work.prompts * work.group_size
    spans = {}
    for length in (1, work.new_tokens):  # the first token costs the prefill alone
        numbers = torch.rand(rows, length, dtype=torch.float64)
        spans[length] = min(
            _timed(partial(policy.sample, prompts, numbers, temperature=1.0)) for _ in range(3)
        )
    decode = (spans[work.new_tokens] - spans[1]) / max(1, work.new_tokens - 1)
    with torch.no_grad():
        owners = torch.arange(work.prompts).repeat_interleave(work.group_size)
        cache = decode_cache(
            prefill(policy.model, prompts)[0], owners, policy.model.config.get_text_config()
        )
        token = torch.full((rows, 1), 100)
        mask = torch.ones(rows, prompts.ids.shape[1], dtype=torch.long)
        place = prompts.next_position.repeat_interleave(work.group_size)[None, :, None].expand(
            len(prompts.positions), -1, -1
        )

        def forwards() -> None:
            nonlocal mask
            for turn in range(work.new_tokens - 1):
                mask = torch.cat([mask, mask[:, :1]], dim=1)
                policy.model(
                    input_ids=token,
                    attention_mask=mask,
                    position_ids=as_model_positions(place + turn),
                    cache=cache,
                    use_cache=True,
                )

        bare = _timed(forwards) / max(1, work.new_tokens - 1)
    return {
        "decode_step_seconds": decode,
        "bare_forward_seconds": bare,
        "prefill_seconds": spans[1],
    }


def matmul_rate(size: int = 1024) -> float:
    """Floating-point operations a second of a square float32 product, the best of some."""
    left, right = torch.rand(size, size), torch.rand(size, size)
    return 2 * size**3 / min(_timed(lambda: left @ right) for _ in range(20))


def _timed(run: Callable[[], Any]) -> float:
    start = time.perf_counter()
    run()
    return time.perf_counter() - start


def _count_pictures(policy: Policy) -> list[int]:
    seen = [0]
    compute = policy.backbone.vision_features

    def counting(picture: Any) -> Tensor:
        seen[0] += 1
        return compute(picture)

    policy.backbone.vision_features = counting  # type: ignore[method-assign]
    return seen


def main() -> None:
    work = Work(**json.loads(sys.argv[2]))
    torch.set_num_threads(work.threads)
    if sys.argv[1] == "trl":
        from mmie.bench.trl_peer import trl

        figures = trl(work)
    else:
        build = {"shared": FixedLength, "repeated": Repeated}[sys.argv[1]]
        figures = ours(work, build, json.loads(sys.argv[3]))
    print(json.dumps(figures))


if __name__ == "__main__":
    main()
