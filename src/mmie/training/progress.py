"""How far a training has come: a bar on a terminal, one line per minute elsewhere."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager, ExitStack
from typing import Any

import pytorch_lightning as pl
from pytorch_lightning.callbacks import Callback, RichProgressBar
from rich.progress import TextColumn

from mmie.training.callbacks import BestAdapter

SHOWN = {"train/loss": "loss", "train/reward": "reward"}

Counter = Callable[[int], None]
Progress = Callable[[str, int, Callable[[], str]], AbstractContextManager[Counter]]


class TrainingBar(RichProgressBar):
    """Counts micro-batches over the whole training, which to Lightning is one epoch."""

    def configure_columns(self, trainer: pl.Trainer) -> list[Any]:
        """Lightning's columns, with "training" in place of "Epoch 0/0"."""
        description, *others = super().configure_columns(trainer)
        return [TextColumn("training"), *others]


class TrainingLines(Callback):
    """``updates: 75 of 436 after 9 min; loss 0.743``: Lightning's bar is silent in a file.

    Args:
        validated: holds the F1 of every validation.
        progress: (description, total, note) → a context that yields what counts the updates; see
            ``mmie.stages.progress``.
    """

    def __init__(self, validated: BestAdapter, progress: Progress) -> None:
        self._validated = validated
        self._progress = progress
        self._shown = ExitStack()
        self._counted = 0

    def on_train_start(self, trainer: pl.Trainer, pl_module: Any) -> None:
        def note() -> str:
            metrics = trainer.callback_metrics
            parts = [f"{SHOWN[name]} {metrics[name]:.3g}" for name in SHOWN if name in metrics]
            parts += [f"validation F1 {f1:.3g}" for _, f1 in self._validated.history[-1:]]
            return ", ".join(parts)

        self._advance = self._shown.enter_context(self._progress("updates", pl_module.steps, note))
        self._count(trainer)  # those before a resume

    def on_train_batch_end(self, trainer: pl.Trainer, *others: Any) -> None:
        self._count(trainer)

    def on_train_end(self, trainer: pl.Trainer, pl_module: Any) -> None:
        self._shown.close()

    def on_exception(self, trainer: pl.Trainer, pl_module: Any, exception: BaseException) -> None:
        self._shown.close()

    def _count(self, trainer: pl.Trainer) -> None:
        made = trainer.global_step
        self._advance(made - self._counted)
        self._counted = made
