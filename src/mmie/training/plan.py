"""Which samples form which step: decided before training, from the schedule and the seed alone.

So the same steps come out whatever the number of processes or the micro-batch size, and a resumed run goes on at the next one.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from typing import Any, Protocol


class Schedule(Protocol):
    """epoch → sample indices, a pure function of its arguments."""

    def __call__(self, epoch: int, *, samples: int, seed: int) -> list[int]: ...


def plan_steps(schedule: Schedule, *, samples: int, epochs: float, batch_size: int, seed: int) -> list[list[int]]:
    """The sample indices of every optimizer step.

    Epochs follow each other without a seam; a fractional last epoch takes that share of its samples; a rest smaller than
    a batch is left out.

    Args:
        schedule: gives each epoch's indices in order.
        samples: size of the training set.
        epochs: may be fractional.
        batch_size: samples a step over all processes.
        seed: of the order.
    """
    stream: list[int] = []
    for epoch in range(math.ceil(epochs)):
        indices = schedule(epoch, samples=samples, seed=seed)
        share = min(1.0, epochs - epoch)
        stream += indices[: round(share * len(indices))]
    return [stream[start : start + batch_size] for start in range(0, len(stream) - batch_size + 1, batch_size)]


class MicroBatch:
    """What one process forwards at once.

    Attributes:
        items: the samples.
        step: the optimizer step that they belong to.
        weight: factor of this micro-batch's mean loss, so that the mean over micro-batches and processes is the mean over the step.
    """

    def __init__(self, items: Sequence[Any], *, step: int, weight: float) -> None:
        self.items = items
        self.step = step
        self.weight = weight


class StepLoader:
    """Micro-batches of one process over all steps, in order.

    Args:
        items: the training samples.
        plan: sample indices a step.
        sizes: what each sample weighs in the step's mean (response tokens for SFT, 1 for GRPO).
        micro_batch_size: samples a micro-batch.
        rank: this process.
        world_size: number of processes.
    """

    def __init__(
        self, items: Sequence[Any], plan: Sequence[Sequence[int]], *, sizes: Sequence[int], micro_batch_size: int,
        rank: int = 0, world_size: int = 1,
    ) -> None:  # fmt: skip
        self.items = items
        self.plan = plan
        self.sizes = sizes
        self.micro_batch_size = micro_batch_size
        self.rank = rank
        self.world_size = world_size
        self.accumulate = len(plan[0]) // (micro_batch_size * world_size) if plan else 1
        self.first_step = 0

    def __len__(self) -> int:
        return len(self.plan) * self.accumulate

    def __iter__(self) -> Iterator[MicroBatch]:
        for step in range(self.first_step, len(self.plan)):
            yield from self._micro_batches(step)

    def _micro_batches(self, step: int) -> Iterator[MicroBatch]:
        indices, width = self.plan[step], self.micro_batch_size
        whole = sum(self.sizes[index] for index in indices)
        for turn in range(self.accumulate):
            start = (turn * self.world_size + self.rank) * width
            part = indices[start : start + width]
            share = sum(self.sizes[index] for index in part) / whole
            yield MicroBatch([self.items[index] for index in part], step=step, weight=share * self.accumulate * self.world_size)

    def state_dict(self) -> dict[str, Any]:
        """Empty: the position is the trainer's step. Lightning takes a loader that has this for a resumable one."""
        return {}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Nothing to load; see ``state_dict``."""
