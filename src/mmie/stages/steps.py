"""Which samples each step of a training takes, decided before it begins."""

from __future__ import annotations

from collections.abc import Sequence

from mmie.config import node
from mmie.errors import InputError
from mmie.stages.context import Context
from mmie.stages.due import due_stages
from mmie.stages.samples import Samples
from mmie.training.plan import Schedule, plan_steps
from mmie.training.schedules.uniform import Uniform


def check_steps(context: Context, samples: Samples) -> None:
    """Refuses trainings with too few samples for one step, before the teacher is paid.

    The filters may still leave too few chains, and what a schedule by difficulty takes is not yet
    known.

    Raises:
        InputError: a training has no step even with all of its samples.
    """
    config, due = context.config, due_stages(context.config)
    if config.sft and "sft" in due:
        planned_steps(
            Uniform(),
            key="sft.batch_size",
            batch_size=config.sft.batch_size,
            samples=samples.count("sft"),
            epochs=config.sft.epochs,
            seed=config.seed,
        )
    schedule = node(config.schedule)
    if config.grpo and "grpo" in due and not schedule.by_difficulty:
        planned_steps(
            schedule,
            key="grpo.prompts_per_step",
            batch_size=config.grpo.prompts_per_step,
            samples=samples.count("grpo"),
            epochs=config.grpo.epochs,
            seed=config.seed,
        )


def planned_steps(
    schedule: Schedule,
    *,
    key: str,
    batch_size: int,
    samples: int,
    epochs: float,
    seed: int,
    easy: Sequence[bool] | None = None,
) -> list[list[int]]:
    """``plan_steps``, but at least one step.

    Raises:
        InputError: there are too few samples; begins with ``key``, which set the batch size.
    """
    plan = plan_steps(
        schedule, samples=samples, epochs=epochs, batch_size=batch_size, seed=seed, easy=easy
    )
    if not plan:
        there = f"{samples} samples × {epochs} epochs"
        raise InputError(f"{key}={batch_size} is more than {there}: not one step; make it smaller")
    return plan
