"""Which samples each step of a training takes, decided before it begins."""

from __future__ import annotations

from collections.abc import Sequence
from math import ceil

from mmie.config import RunConfig, node
from mmie.errors import InputError
from mmie.stages.context import Context
from mmie.stages.due import due_stages
from mmie.stages.samples import Samples
from mmie.training.plan import Schedule, plan_steps
from mmie.training.schedules.uniform import Uniform


def check_steps(context: Context, samples: Samples) -> None:
    """Refuses trainings with too few samples for one step, before the teacher is paid.

    The filters may still leave too few chains, and the warmed-up model may find too few samples
    hard for a schedule by difficulty.

    Raises:
        InputError: a training has no step even with all of its samples, or whatever is easy.
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
    if config.grpo and "grpo" in due:
        schedule, count = node(config.schedule), samples.count("grpo")
        planned_steps(
            schedule,
            key="grpo.prompts_per_step",
            batch_size=config.grpo.prompts_per_step,
            samples=count,
            epochs=config.grpo.epochs,
            seed=config.seed,
            easy=_best_division(schedule, config, count) if schedule.by_difficulty else None,
        )


def _best_division(schedule: Schedule, config: RunConfig, samples: int) -> list[bool]:
    """Which samples would be easy if the warmed-up model left as many steps as it can.

    Nobody knows what it will answer. So this tries few and many easy ones; all of them are of no
    use to a schedule that mixes easy samples with hard ones.
    """
    assert config.grpo is not None
    divisions = []
    for easy in sorted({0, 1, samples // 2, samples - 1}):
        division = [index < easy for index in range(samples)]
        divisions.append(division)
    epochs = range(ceil(config.grpo.epochs))

    def taken(division: list[bool]) -> int:
        return sum(
            len(schedule(epoch, samples=samples, seed=config.seed, easy=division))
            for epoch in epochs
        )

    return max(divisions, key=taken)


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
        if easy is not None:
            hard = len(easy) - sum(easy)
            there = f"what the schedule takes of {samples} samples ({hard} hard) × {epochs} epochs"
        raise InputError(f"{key}={batch_size} is more than {there}: not one step; make it smaller")
    return plan
