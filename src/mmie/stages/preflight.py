"""What is checked before a run costs time or money."""

from __future__ import annotations

from mmie.config import RunConfig, node
from mmie.errors import InputError
from mmie.stages import deliver
from mmie.stages.context import Context
from mmie.stages.due import due_stages
from mmie.stages.gpu import sees_gpu
from mmie.stages.report import report_folder

WITHOUT_MODEL = {"data", "divide", "distil", "filter", "plan"}


def check(context: Context) -> None:
    """Builds every part of the configuration, so that a wrong argument of one is refused now.

    Raises:
        InputError: a part cannot be built, parts contradict each other, what the stages predict
            and export need is not there, a folder cannot be made, there is no GPU although one is
            asked for, or the base is quantised.
    """
    config = context.config
    for part in (config.reward, config.teacher, config.cot.chains, *config.filter.values()):
        node(part)
    _check_schedule(config)
    deliver.check(context)
    if "report" in config.stages and not context.follower:
        report_folder(config)
    if due_stages(config) - WITHOUT_MODEL:
        _check_gpu(config)
        _check_base(config)
        context.rollout.check(context.use)


def _check_schedule(config: RunConfig) -> None:
    by_difficulty = node(config.schedule).by_difficulty
    if config.grpo is not None and config.sft is None and by_difficulty:
        what = "it asks the warmed-up model which samples are easy, and sft is none"
        raise InputError(f"schedule: {what}; use schedule=all_mixed")


def _check_base(config: RunConfig) -> None:
    from mmie.models.base_settings import refuse_quantised  # it loads torch

    refuse_quantised(config.model["path"])


def _check_gpu(config: RunConfig) -> None:
    trainer = config.trainer
    gpu_only = trainer.precision == "16-mixed" or trainer.strategy == "deepspeed_zero2"
    needs_gpu = trainer.accelerator == "gpu" or (trainer.accelerator == "auto" and gpu_only)
    if needs_gpu and not sees_gpu():
        what = f"trainer.accelerator={trainer.accelerator}: torch sees no GPU"
        raise InputError(f"{what}; take trainer=cpu, or install a torch build that fits the driver")
