"""What a plan needs of the machine: memory of the GPUs, hours, disk, and limits passed."""

from __future__ import annotations

import shutil
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from mmie.bench.memory import GIB, simulate
from mmie.costs import Shape, Speed
from mmie.data.source import SPLITS
from mmie.models.prompt_tokens import PromptTokens
from mmie.planning.result import Plan, StageCost
from mmie.stages.context import Context
from mmie.stages.samples import Samples

CUDA_GIB = 2.0  # what CUDA's context, NCCL and cuBLAS take; see ``mmie.bench.memory_command``
RECORD_LINE = 600  # bytes of a recorded answer besides its text
RESUME_BYTES = 12  # of a weight of the adapter in a resume point: itself and two moments
RESUME_POINTS = 2  # that are kept; see ``mmie.training.resume``


@dataclass(frozen=True)
class Longest:
    """The most tokens of a prompt, and of a response that the warm-up learns."""

    prompt: int
    target: int


def plan_memory(plan: Plan, context: Context, shape: Shape, longest: Longest) -> None:
    """Adds what each GPU needs, for the longest prompt and responses at the limit."""
    config = context.config
    trains = config.sft is not None or config.grpo is not None
    if not config.plan.memory or not trains or not plan.stages:
        return
    limit = config.grpo.max_new_tokens if config.grpo else longest.target
    with context.console.status("simulating the memory"):
        figures = simulate(config, prompt=longest.prompt, response=limit)
    answers = config.evaluation
    rows = max(answers.batch_size, answers.vote_rows if answers.samples > 1 else 1)
    tokens = longest.prompt + answers.max_new_tokens
    decoded = shape.rows_within(config.memory.cache_gb, tokens=tokens, rows=rows)
    prompts = answers.batch_size * longest.prompt if decoded < rows else 0
    figures["answers_gib"] = (decoded * tokens + prompts) * shape.cache_bytes / GIB
    fixed = figures["weights_gib"] + figures["optimizer_gib"]
    figures["peak_gib"] = max(figures["peak_gib"], fixed + figures["answers_gib"])
    plan.memory = figures
    lengths = f"a prompt of {longest.prompt:,} and responses of {limit:,} tokens, the longest"
    plan.assumptions.append(f"memory is that of {lengths}")


def plan_cards(plan: Plan, context: Context) -> None:
    """Adds the hours on each card, and a warning where its memory will not do."""
    assumed = context.config.plan
    shares = {name: getattr(assumed, name) for name in ("peak_share", "bandwidth_share")}
    for name, card in assumed.cards.items():
        row: dict[str, Any] = {**asdict(card), **shares}
        row |= card_hours(plan.stages, row)
        if plan.memory is not None:
            row["fits"] = _fits(plan, name, card.memory_gb * 1e9 / GIB)
        plan.cards[name] = row
    if not context.on_gpu:
        plan.assumptions.append("hours are those on a GPU; this configuration computes on the CPU")


def card_hours(stages: Sequence[StageCost], card: Mapping[str, Any]) -> dict[str, float]:
    """Hours of the stages one after the other, and those of all GPUs together.

    Args:
        stages: what is computed.
        card: its fields of ``CardConfig``, and the shares of them that are reached.
    """
    peak, bandwidth = card["tflops"] * 1e12, card["bandwidth"] * 1e9
    speed = Speed(peak, bandwidth, card["peak_share"], card["bandwidth_share"])
    expected = [(one.expected.hours(speed), one.processes) for one in stages]
    most = [(one.at_most.hours(speed), one.processes) for one in stages]
    return {
        "hours": sum(hours / processes for hours, processes in expected),
        "hours_at_most": sum(hours / processes for hours, processes in most),
        "gpu_hours": sum(hours for hours, _ in expected),
        "gpu_hours_at_most": sum(hours for hours, _ in most),
    }


def _fits(plan: Plan, name: str, there: float) -> bool:
    assert plan.memory is not None
    needed = plan.memory["peak_gib"] + CUDA_GIB
    if needed > there:
        remedy = "take memory=lean, a smaller memory.cache_gb or evaluation.batch_size"
        plan.warnings.append(
            f"{name}: {needed:.0f} GiB are needed and {there:.0f} are there; {remedy}"
        )
    return needed <= there


def warn_of_lengths(plan: Plan, context: Context, tokens: PromptTokens, longest: Longest) -> None:
    """Warns where a limit would cut responses, or where the model has too few positions."""
    config = context.config
    limits = {"evaluation.max_new_tokens": config.evaluation.max_new_tokens}
    if config.grpo is not None:
        limits["grpo.max_new_tokens"] = config.grpo.max_new_tokens
    for key, limit in limits.items():
        if longest.target > limit:
            what = f"the longest response that the warm-up learns has {longest.target:,} tokens"
            plan.warnings.append(f"{key}={limit}: {what} and would be cut; raise it")
    room = getattr(tokens.config.get_text_config(), "max_position_embeddings", None)
    needed = longest.prompt + max(limits.values())
    if room is not None and needed > room:
        what = f"the longest prompt and response have {needed:,} tokens"
        keys = " and ".join(limits)
        plan.warnings.append(f"{what}, and the model knows {room:,} positions; lower {keys}")


def plan_disk(
    plan: Plan, context: Context, samples: Samples, *, shape: Shape, tokens: PromptTokens
) -> None:
    """Adds the bytes that the run will write at most, and a warning where they are not free."""
    trainings = [one for one in plan.stages if one.stage in ("sft", "grpo")]
    purposes = plan.teacher.get("purposes", {}).values()
    answers = sum(one["answer_tokens"] for one in purposes) * context.config.plan.chars_per_token
    lines = sum(one["requests"] for one in purposes)
    resume = RESUME_POINTS * RESUME_BYTES * shape.adapter_weights
    features = bool(plan.stages) and context.config.vision.on_disk
    plan.disk = {
        "features of pictures": _features(context, samples, shape, tokens) if features else 0,
        "adapters": 4 * shape.adapter_weights * len(trainings),
        "resume points": resume if trainings else 0,
        "record": round(answers + lines * RECORD_LINE),
    }
    free, needed = shutil.disk_usage(context.store.root).free, sum(plan.disk.values())
    if needed > free:
        sizes = f"{needed / 1e9:.1f} GB are needed and {free / 1e9:.1f} GB are free"
        plan.warnings.append(f"artifacts={context.config.artifacts}: {sizes}; choose another")


def _features(context: Context, samples: Samples, shape: Shape, tokens: PromptTokens) -> int:
    folder = samples.data.folder
    examples = [example for split in SPLITS for example in context.examples(folder, split)]
    pictures = {picture for example in examples for picture in example.pictures}
    return sum(map(tokens.picture, pictures)) * shape.hidden * shape.value_bytes
