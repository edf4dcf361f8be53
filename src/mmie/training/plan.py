"""Which samples form which step: decided before training, from the schedule and the seed alone.

So the same steps come out whatever the number of processes or the micro-batch size, and a resumed
run goes on at the next one. A sampler that draws while it trains would need its state saved, and
would deal out other batches to another number of processes.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Protocol


class Schedule(Protocol):
    """epoch → sample indices, a pure function of its arguments.

    Attributes:
        by_difficulty: whether it asks which samples are easy; the warmed-up model then answers
            them all first.
    """

    @property
    def by_difficulty(self) -> bool: ...

    def __call__(
        self, epoch: int, *, samples: int, seed: int, easy: Sequence[bool] | None
    ) -> list[int]: ...


def plan_steps(
    schedule: Schedule,
    *,
    samples: int,
    epochs: float,
    batch_size: int,
    seed: int,
    easy: Sequence[bool] | None = None,
) -> list[list[int]]:
    """The sample indices of every optimizer step.

    Epochs follow each other without a seam: a step may hold the end of one and the beginning of the
    next, so that no sample is dropped at the end of each. A fractional last epoch takes that share
    of its samples. Only the rest at the very end, smaller than a batch, is left out, as all steps
    must have the same number of micro-batches on every process.

    Args:
        schedule: gives each epoch's indices in order.
        samples: size of the training set.
        epochs: may be fractional.
        batch_size: samples of a step over all processes.
        seed: of the order.
        easy: which samples the warmed-up model answers rightly, for schedules that ask.
    """
    stream: list[int] = []
    for epoch in range(math.ceil(epochs)):
        indices = schedule(epoch, samples=samples, seed=seed, easy=easy)
        share = min(1.0, epochs - epoch)
        stream += indices[: round(share * len(indices))]
    starts = range(0, len(stream) - batch_size + 1, batch_size)
    return [stream[start : start + batch_size] for start in starts]


@dataclass(frozen=True)
class MicroBatch:
    """What one process forwards at once.

    Attributes:
        items: the samples.
        step: the optimizer step at which these samples come up; with several updates per group, the
            first of them.
        weight: factor of this micro-batch's mean loss, so that the mean over micro-batches and
            processes is the mean over the step.
        whole: all samples that this process has in the step; empty stands for ``items``.
        start: where ``items`` begin in ``whole``.
        update: which of the updates with the same samples, from 0.
        updates: how many there are.
    """

    items: Sequence[Any]
    step: int
    weight: float
    whole: Sequence[Any] = ()
    start: int = 0
    update: int = 0
    updates: int = 1

    @property
    def opens_group(self) -> bool:
        """Whether it is the first with these samples.

        Nothing that was computed before matters to it but the adapter.
        """
        return self.start == 0 and self.update == 0

    @property
    def closes_step(self) -> bool:
        """Whether the optimizer steps after it."""
        return self.start + len(self.items) >= len(self.whole or self.items)


class StepLoader:
    """Micro-batches of one process over all steps, in order.

    Args:
        items: the training samples.
        plan: sample indices of each step.
        sizes: what each sample weighs in the step's mean (response tokens for SFT, 1 for GRPO).
        micro_batch_size: samples of a micro-batch.
        updates: optimizer steps in a row with the same samples.
        rank: this process.
        world_size: number of processes.
    """

    def __init__(
        self,
        items: Sequence[Any],
        plan: Sequence[Sequence[int]],
        *,
        sizes: Sequence[int],
        micro_batch_size: int,
        updates: int = 1,
        rank: int = 0,
        world_size: int = 1,
    ) -> None:
        self.items = items
        self.plan = plan
        self.sizes = sizes
        self.micro_batch_size = micro_batch_size
        self.updates = updates
        self.rank = rank
        self.world_size = world_size
        at_once = micro_batch_size * world_size  # the configuration's checks make steps a multiple
        self.accumulate = len(plan[0]) // at_once if plan else 1
        self.first_step = 0

    def __len__(self) -> int:
        return len(self.plan) * self.updates * self.accumulate

    def __iter__(self) -> Iterator[MicroBatch]:
        for step in range(self.first_step, len(self.plan) * self.updates):
            yield from self._micro_batches(*divmod(step, self.updates))

    def _micro_batches(self, group: int, update: int) -> Iterator[MicroBatch]:
        indices, width = self.plan[group], self.micro_batch_size
        total = sum(self.sizes[index] for index in indices)
        # The micro-batches of a step are dealt out in turn: process p of W takes number t·W + p in
        # its turn t. Each is made of the same samples whatever W is, with the same padding.
        starts = [(turn * self.world_size + self.rank) * width for turn in range(self.accumulate)]
        own = [index for start in starts for index in indices[start : start + width]]
        whole = [self.items[index] for index in own]
        for start in range(0, len(own), width):
            share = sum(self.sizes[index] for index in own[start : start + width]) / total
            yield MicroBatch(
                whole[start : start + width],
                step=group * self.updates,
                # Lightning divides by the number of micro-batches and DDP by that of processes;
                # multiplied by both, each micro-batch counts by its share of the step's tokens.
                weight=share * self.accumulate * self.world_size,
                whole=whole,
                start=start,
                update=update,
                updates=self.updates,
            )

    def state_dict(self) -> dict[str, Any]:
        """Empty, as the position is the trainer's step.

        Lightning takes a loader that has this method for a resumable one.
        """
        return {}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Nothing to load; see ``state_dict``."""
