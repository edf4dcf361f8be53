"""The systems of a run: the rows of its table of results."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from mmie.artifacts import Artifact
from mmie.config import SFTConfig
from mmie.stages.context import Context
from mmie.tasks.task import Task


@dataclass(frozen=True)
class System:
    """Something that answers samples.

    Attributes:
        name: as in the tables.
        task: the task with the system's way of responding.
        adapter: the training whose adapter answers; None for the base, or for a teacher.
    """

    name: str
    task: Task
    adapter: Artifact | None


def systems(context: Context, sft: Artifact | None, grpo: Artifact | None) -> list[System]:
    """The systems that the run evaluates, in the order of the table.

    Args:
        context: the run.
        sft: the finished warm-up, or None if there is none.
        grpo: the finished GRPO, or None if there is none.
    """
    config, task = context.config, context.reasoned
    rows = []
    if "base" in config.zero_shot.systems:
        rows.append(System("zero-shot", context.direct, None))
    if sft is not None and config.sft is not None:
        rows.append(_after_sft(context, config.sft, sft))
    if grpo is not None:
        rows.append(System(task.method if sft else "Only-RL", task, grpo))
    return rows


def warmed_up(context: Context, sft: Artifact) -> System:
    """The system that GRPO starts from."""
    return System(context.reasoned.warmed_up, context.reasoned, sft)


def _after_sft(context: Context, config: SFTConfig, sft: Artifact) -> System:
    """SFT before GRPO is a warm-up. The paper's CoT-SFT is trained longer and stands alone."""
    if config.response == "direct":
        return System("SFT", context.direct, sft)
    if context.config.grpo is None:
        return System(context.reasoned.chains_learned, context.reasoned, sft)
    return warmed_up(context, sft)


@contextmanager
def answering(context: Context, system: System) -> Iterator[None]:
    """Inside, the policy is the system's model: the base, or the base with the system's adapter."""
    _ = context.engine  # which is opened while the adapter is on
    if system.adapter is None:
        with context.policy.base():
            yield
        return
    context.policy.read_adapter(system.adapter.folder / "adapter")
    yield
