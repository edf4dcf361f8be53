"""Which samples form which step: decided before training, from the schedule and the seed alone.

The steps are therefore the same for any number of processes and any micro-batch size, and a resumed
run simply continues with the next one. A sampler that draws while it trains would have to save its
state, and would form other batches for another number of processes.
"""

from __future__ import annotations

import math
import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

WINDOW = 50  # steps within which samples are grouped by length


class Schedule(Protocol):
    """epoch → sample indices, as a pure function of its arguments.

    Attributes:
        by_difficulty: whether the schedule needs to know which samples are easy. The warmed-up
            model then answers all of them first.
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

    A step may hold the end of one epoch and the beginning of the next, so that no epoch loses its
    last samples. A fractional last epoch takes that share of its samples. Only a rest smaller than
    a batch at the very end is left out, because all steps must have the same number of
    micro-batches on every process.

    Args:
        schedule: gives each epoch's indices in order.
        samples: size of the training set.
        epochs: may be fractional.
        batch_size: samples per step, over all processes.
        seed: decides the order.
        easy: which samples the warmed-up model answers correctly, for schedules that need it.
    """
    stream: list[int] = []
    for epoch in range(math.ceil(epochs)):
        indices = schedule(epoch, samples=samples, seed=seed, easy=easy)
        share = min(1.0, epochs - epoch)
        stream += indices[: round(share * len(indices))]
    starts = range(0, len(stream) - batch_size + 1, batch_size)
    return [stream[start : start + batch_size] for start in starts]


def group_by_length(
    plan: Sequence[Sequence[int]], *, lengths: Sequence[int], seed: int
) -> list[list[int]]:
    """The same samples in the same number of steps, with those of similar length in one step.

    Rows of one forward pass are padded to the longest, so rows of similar length cost less. Samples
    move within a window of ``WINDOW`` steps only, and the order of the steps in a window is random:
    each part of the training still sees short and long ones. Where a window holds several epochs, a
    sample occurs in it more than once, and its occurrences go to different steps as far as there
    are enough others.

    Args:
        plan: sample indices of each step, all steps of one size.
        lengths: of each sample, in any unit.
        seed: decides the order of the steps.
    """
    grouped: list[list[int]] = []
    for start in range(0, len(plan), WINDOW):
        window = plan[start : start + WINDOW]
        indices = [index for step in window for index in step]
        indices.sort(key=lambda index: lengths[index])  # equal lengths keep their random order
        steps = _steps_in_order(indices, size=len(window[0]))
        random.Random(f"lengths-{seed}-{start}").shuffle(steps)
        grouped += steps
    return grouped


def _steps_in_order(indices: Sequence[int], *, size: int) -> list[list[int]]:
    """Steps of neighbours; a sample that the step already has waits for the next one."""
    waiting, steps = [*indices], []
    while waiting:
        step = list(dict.fromkeys(waiting))[:size]
        for index in step:
            waiting.remove(index)
        while len(step) < size:  # fewer samples are left than a step holds
            step.append(waiting.pop(0))
        steps.append(step)
    return steps


@dataclass(frozen=True)
class MicroBatch:
    """What one process forwards at once.

    Attributes:
        items: the samples.
        step: the optimizer step in which these samples are used; with several updates per group,
            the first of them.
        weight: factor of this micro-batch's mean loss. With it the mean over micro-batches and
            processes is the mean over the step.
        step_items: all samples that this process has in the step; empty stands for ``items``.
        start: where ``items`` begin in ``step_items``.
        update: which of the updates with the same samples this is, from 0.
        updates: how many there are.
    """

    items: Sequence[Any]
    step: int
    weight: float
    step_items: Sequence[Any] = ()
    start: int = 0
    update: int = 0
    updates: int = 1

    @property
    def opens_group(self) -> bool:
        """Whether this is the first micro-batch with these samples.

        Of all that was computed before it needs only the adapter, so training can resume here.
        """
        return self.start == 0 and self.update == 0

    @property
    def closes_step(self) -> bool:
        """Whether the optimizer steps after this micro-batch."""
        return self.start + len(self.items) >= len(self.step_items or self.items)


class StepLoader:
    """Micro-batches of one process over all steps, in order.

    Args:
        items: the training samples.
        plan: sample indices of each step.
        sizes: weight of each sample in the step's mean (response tokens for SFT, 1 for GRPO).
        micro_batch_size: samples per micro-batch.
        updates: consecutive optimizer steps with the same samples.
        rank: number of this process.
        world_size: number of processes.

    Attributes:
        accumulate: micro-batches per step on this process.
        first_step: the optimizer step to begin with, after a resume.
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
        at_once = micro_batch_size * world_size  # steps are a multiple: the configuration checks it
        self.accumulate = len(plan[0]) // at_once if plan else 1
        self.first_step = 0

    def __len__(self) -> int:
        return len(self.plan) * self.updates * self.accumulate

    def __iter__(self) -> Iterator[MicroBatch]:
        for step in range(self.first_step, len(self.plan) * self.updates):
            place, update = divmod(step, self.updates)
            yield from self._micro_batches(place, update)

    def _micro_batches(self, place: int, update: int) -> Iterator[MicroBatch]:
        """The micro-batches of one entry of the plan on this process."""
        width = self.micro_batch_size
        own = self._own_indices(self.plan[place])
        step_items = [self.items[index] for index in own]
        total = sum(self.sizes[index] for index in self.plan[place])
        for start in range(0, len(own), width):
            share = sum(self.sizes[index] for index in own[start : start + width]) / total
            yield MicroBatch(
                step_items[start : start + width],
                step=place * self.updates,
                # Lightning divides by the number of micro-batches and DDP by that of processes.
                # Multiplied by both, each micro-batch counts by its share of the step's tokens.
                weight=share * self.accumulate * self.world_size,
                step_items=step_items,
                start=start,
                update=update,
                updates=self.updates,
            )

    def _own_indices(self, indices: Sequence[int]) -> list[int]:
        """The samples of a step that fall to this process.

        The step is cut into micro-batches first, and these are dealt out in turn: in its turn t
        process p of W takes number t·W + p. So every micro-batch holds the same samples with the
        same padding, whatever W is.
        """
        width = self.micro_batch_size
        own: list[int] = []
        for turn in range(self.accumulate):
            start = (turn * self.world_size + self.rank) * width
            own += indices[start : start + width]
        return own

    def state_dict(self) -> dict[str, Any]:
        """Empty: the position is the trainer's step.

        The method is there because Lightning calls a loader resumable only if it has one.
        """
        return {}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Does nothing; see ``state_dict``."""
