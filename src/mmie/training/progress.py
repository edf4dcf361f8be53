"""How far a training has come, counted in updates."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from typing import Any, Protocol

import pytorch_lightning as pl
from pytorch_lightning.callbacks import Callback

from mmie.training.callbacks import BestAdapter

# The first of them that is logged. With one update per group, GRPO's loss is the weighted KL alone
# (docs/metrics.md), so the reward says more. The loss of SFT is that of the last micro-batch.
MEASURES = {"train/reward": "reward", "train/loss": "loss"}


class Progress(Protocol):
    """Shows the progress while its context is open; see ``mmie.stages.progress.progress``."""

    def __call__(
        self, description: str, total: int, note: Callable[[], str], *, done: int
    ) -> AbstractContextManager[Callable[[int], None]]: ...


class CountedUpdates(Callback):
    """Counts the updates, and notes how good the policy is.

    Args:
        best: holds the F1 of each validation. As a callback it comes before this one.

    Attributes:
        note: the last reward or loss and the last validation F1, as far as they are known.
        advance: is told how many updates were made since its last call.
    """

    def __init__(self, best: BestAdapter) -> None:
        self.note = ""
        self.advance: Callable[[int], None] = lambda updates: None
        self._best = best
        self._counted = 0

    def on_train_start(self, trainer: pl.Trainer, pl_module: Any) -> None:
        self._counted = trainer.global_step

    def on_train_batch_end(self, trainer: pl.Trainer, *others: Any) -> None:
        step = trainer.global_step
        if step == self._counted:
            return  # a micro-batch after which no update is made yet
        self.note = ", ".join(self._measured(trainer))
        self.advance(step - self._counted)
        self._counted = step

    def _measured(self, trainer: pl.Trainer) -> Iterator[str]:
        logged = trainer.callback_metrics
        for name in [name for name in MEASURES if name in logged][:1]:
            yield f"{MEASURES[name]} {logged[name]:.3g}"
        for _, f1 in self._best.history[-1:]:
            yield f"validation F1 {f1:.3g}"
