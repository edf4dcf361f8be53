"""The part of a plan that is paid for: requests to the teacher."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, replace

from mmie.config import node
from mmie.distil.body import answer_limit
from mmie.distil.estimate import (
    Asked,
    Estimate,
    Sizes,
    dollars,
    estimate_distillation,
    recorded_tokens,
    tile_tokens,
)
from mmie.distil.record import Record
from mmie.distil.teacher import Request, Teacher
from mmie.models.prompt_tokens import picture_size
from mmie.planning.foresight import Foreseen
from mmie.planning.result import Plan
from mmie.settings import PlanConfig
from mmie.stages import keys
from mmie.stages.asking import record_path
from mmie.stages.context import Context
from mmie.stages.prepare import training_examples
from mmie.stages.samples import Samples
from mmie.stages.system import System
from mmie.tasks.responses import Direct
from mmie.types import Picture


def plan_teacher(plan: Plan, context: Context, samples: Samples, foreseen: Foreseen) -> float:
    """Adds the requests that are left; returns the expected tokens of a chain.

    Args:
        plan: takes the requests, their dollars and the assumptions.
        context, samples, foreseen: the run.
    """
    assumed, teacher = context.config.plan, node(context.config.teacher)
    path = record_path(context.store.root / "record", teacher.model)
    recorded = recorded_tokens(path, chars_per_token=assumed.chars_per_token)
    estimate = Estimate(
        teacher,
        Record(path) if path.is_file() else None,
        Sizes(assumed.chars_per_token, recorded, assumed.answer_tokens, _pictures(teacher.price)),
    )
    _count_distillation(plan, estimate, context, samples, foreseen)
    asks = {purpose: foreseen.distil.key for purpose in estimate.asked if foreseen.distil}
    # A chain is the first thing that is asked for, now and in the record.
    first = next(iter(estimate.asked), next(iter(recorded), ""))
    evaluation = _count_zero_shot(plan, estimate, context, samples, teacher)
    if estimate.asked:
        asks = {purpose: asks.get(purpose, evaluation) for purpose in estimate.asked}
        _note(plan, estimate, teacher, recorded, assumed, asks)
    left = estimate.asked.get(first)
    if left is not None and left.foretold:
        return left.answer_tokens / left.requests
    return recorded.get(first, float(assumed.answer_tokens))


def _count_distillation(
    plan: Plan, estimate: Estimate, context: Context, samples: Samples, foreseen: Foreseen
) -> None:
    distil = foreseen.distil
    if distil is None or plan.has("distil", ready=context.ready("distil", distil)):
        return
    config = context.config.cot
    examples = training_examples(context, samples, "sft")
    with context.progress("counting requests", len(examples) * config.candidates) as advance:
        estimate_distillation(
            examples,
            estimate,
            candidates=config.candidates,
            chains=node(config.chains),
            progress=advance,
        )


def _count_zero_shot(
    plan: Plan, estimate: Estimate, context: Context, samples: Samples, teacher: Teacher
) -> str:
    """Returns the key of the teacher's evaluation; empty without one."""
    config = context.config
    if "teacher" not in config.zero_shot.systems:
        return ""
    task = node(config.task, response=Direct(config.zero_shot.teacher_instruction))
    parts = keys.evaluate_teacher(context, System(teacher.model, task, None), samples.data)
    artifact = context.foreseen("evaluate", parts)
    ready = context.ready("evaluate", artifact)
    if not plan.has(f"evaluate {teacher.model}", ready=ready):
        for example in context.examples(samples.data.folder, "test"):
            estimate.ask(Request("answer", example, 0, task.prompt(example)))
    return artifact.key


def _note(
    plan: Plan,
    estimate: Estimate,
    teacher: Teacher,
    recorded: Mapping[str, float],
    assumed: PlanConfig,
    asks: Mapping[str, str],
) -> None:
    asked = list(estimate.asked.values())
    limit = answer_limit(teacher.parameters)

    def cost(counts: Sequence[Asked]) -> dict[str, float | None]:
        longest = [replace(one, answer_tokens=one.requests * int(limit or 0)) for one in counts]
        return {
            "dollars": dollars(counts, teacher.price),
            "dollars_at_most": dollars(longest, teacher.price) if limit else None,
        }

    purposes = {
        purpose: {**asdict(one), **cost([one]), "key": asks[purpose]}
        for purpose, one in estimate.asked.items()
    }
    plan.teacher = {"model": teacher.model, "purposes": purposes, **cost(asked)}
    guessed = {name for name, one in estimate.asked.items() if one.requests > one.foretold}
    unknown = ", ".join(name for name in estimate.asked if name in guessed - recorded.keys())
    if unknown:
        default = f"{assumed.answer_tokens} tokens"
        plan.assumptions.append(f"an answer of the teacher ({unknown}) has {default}")
    if guessed:
        counted = f"characters / {assumed.chars_per_token:g}"
        plan.assumptions.append(f"tokens of the teacher's texts are {counted}")
        plan.assumptions.append("every chain is usable, and all is asked about it")
    if teacher.parameters and teacher.price is None and limit:
        plan.warnings.append(
            f"teacher.prices: {teacher.model} is not listed, so the dollars are not known; add it"
        )


def _pictures(price: Mapping[str, float] | None) -> Callable[[Picture], int]:
    """Picture → tokens; 0 where nobody says what they are."""
    if price is None or "picture" not in price:
        return lambda picture: 0
    base, tile = int(price["picture"]), int(price["tile"])
    return lambda picture: tile_tokens(picture_size(picture), base=base, tile=tile)
