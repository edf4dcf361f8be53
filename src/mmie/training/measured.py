"""What a GRPO step leaves behind besides its loss: the seconds of its phases and its metrics.

It is apart from ``grpo.py`` so that the step there can be read against section 3.3 of the paper.
"""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor

from mmie.models.policy import Policy
from mmie.settings import LearningConfig
from mmie.training.module import AdapterModule
from mmie.training.plan import MicroBatch
from mmie.training.rollouts import LARGEST


class MeasuredModule(AdapterModule):
    """An ``AdapterModule`` that logs its metrics once per optimizer step, not per micro-batch.

    Args:
        policy, config, steps: see ``AdapterModule``.
    """

    def __init__(self, policy: Policy, config: LearningConfig, *, steps: int) -> None:
        super().__init__(policy, config, steps=steps)
        self.measured: dict[str, list[float]] = defaultdict(list)
        self.phase_seconds: dict[str, float] = defaultdict(float)

    @contextmanager
    def phase(self, name: str) -> Iterator[None]:
        """Adds the seconds of the ``with`` block to those of the named phase of this step."""
        start = time.perf_counter()
        yield
        self._clock(name, start)

    def _clock(self, name: str, start: float) -> None:
        if self.device.type == "cuda":
            # Kernels run asynchronously: without waiting, a phase would be charged for the
            # work of the one before.
            torch.cuda.synchronize(self.device)
        self.phase_seconds[name] += time.perf_counter() - start

    def note(self, batch: MicroBatch, loss: Tensor, measured: Mapping[str, float]) -> None:
        """Collects the metrics of a micro-batch and logs those of the step with its last one.

        A metric of the step is the mean over its micro-batches and processes; those in ``LARGEST``
        are the largest value instead.

        Args:
            batch: the micro-batch.
            loss: its weighted loss, a scalar.
            measured: its other metrics by name.
        """
        for name, value in {**measured, "train/loss": float(loss.detach())}.items():
            self.measured[name].append(value)
        if not batch.closes_step:
            return
        for name, values in self.measured.items():
            largest = name in LARGEST
            self.log(
                name,
                max(values) if largest else sum(values) / len(values),
                prog_bar=name == "train/reward",
                batch_size=1,
                sync_dist=True,
                reduce_fx="max" if largest else "mean",
            )
        self.measured.clear()

    def on_before_backward(self, loss: Tensor) -> None:
        self.backward_start = time.perf_counter()

    def on_after_backward(self) -> None:
        self._clock("backward", self.backward_start)

    def on_train_batch_end(self, outputs: Any, batch: MicroBatch, batch_idx: int) -> None:
        if batch.closes_step:
            seconds = {f"seconds/{name}": value for name, value in self.phase_seconds.items()}
            self.log_dict(seconds)
            self.phase_seconds.clear()
