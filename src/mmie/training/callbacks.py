"""What happens after an optimizer step: validation, keeping the best adapter, rollout rows.

The resume point comes last, see ``resume.py``.
"""

from __future__ import annotations

import json
import signal
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytorch_lightning as pl
from torch import Tensor

from mmie import stopping
from mmie.files import read_and_repair_jsonl, write_text
from mmie.training.wandb_log import WandbLog


def _stepped(trainer: pl.Trainer, batch_idx: int) -> bool:
    return (batch_idx + 1) % trainer.accumulate_grad_batches == 0


class OwnSignals(pl.Callback):
    """Takes Lightning's handler of SIGTERM off again, see ``mmie.stopping``.

    It is made before the training begins, when the handler is still the run's.
    """

    def __init__(self) -> None:
        self.handler = signal.getsignal(signal.SIGTERM)

    def on_train_start(self, trainer: pl.Trainer, module: Any) -> None:
        """By now Lightning has put its handler on and started the other processes."""
        if threading.current_thread() is threading.main_thread():
            signal.signal(signal.SIGTERM, self.handler)
        stopping.adopt(getattr(trainer.strategy.launcher, "procs", []))

    def on_train_batch_start(
        self, trainer: pl.Trainer, module: Any, batch: Any, batch_idx: int
    ) -> None:
        stopping.raise_if_stopped()


class BestAdapter(pl.Callback):
    """Validates every so many steps and keeps the adapter with the highest F1; a tie keeps the earlier one.

    Args:
        validate: F1 (0..1) of the present policy on the validation split.
        steps: optimizer steps in all; the last one is always validated.
        validations: how many times, evenly spread.
    """

    def __init__(self, validate: Callable[[], float], *, steps: int, validations: int) -> None:
        self.validate = validate
        self.at = {
            round(steps * (turn + 1) / max(1, validations)) for turn in range(max(1, validations))
        }
        self.f1 = -1.0
        self.step = 0
        self.adapter: dict[str, Tensor] = {}
        self.history: list[tuple[int, float]] = []

    def on_train_batch_end(
        self, trainer: pl.Trainer, module: Any, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        if not _stepped(trainer, batch_idx) or trainer.global_step not in self.at:
            return
        f1 = self.validate()
        self.history.append((trainer.global_step, f1))
        for logger in trainer.loggers:
            logger.log_metrics({"val/f1": f1}, step=trainer.global_step)
        if f1 > self.f1:
            self.f1, self.step, self.adapter = (
                f1,
                trainer.global_step,
                module.policy.adapter_state(),
            )

    def state_dict(self) -> dict[str, Any]:
        return {"f1": self.f1, "step": self.step, "adapter": self.adapter, "history": self.history}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        self.f1, self.step = state_dict["f1"], state_dict["step"]
        self.adapter, self.history = state_dict["adapter"], state_dict["history"]


class RolloutRows(pl.Callback):
    """Appends rollouts to ``rollouts.jsonl`` and hands them to loggers that show tables.

    Args:
        path: the file.
        every: steps between two recorded steps; 0 records none.
        kept: responses recorded of such a step.
    """

    def __init__(self, path: Path, *, every: int, kept: int) -> None:
        self.path = path
        self.every = every
        self.kept = kept

    def on_train_start(self, trainer: pl.Trainer, module: Any) -> None:
        """Drops rows of steps that a killed run did after its resume point: they come again."""
        if self.path.exists() and trainer.is_global_zero:
            rows = read_and_repair_jsonl(self.path, keys=["step"])
            kept = [row for row in rows if row["step"] < trainer.global_step]
            write_text(self.path, "".join(map(_line, kept)))

    def on_train_batch_end(
        self, trainer: pl.Trainer, module: Any, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        rollouts = module.last_rollouts
        if (
            not self.every
            or not batch.opens_group
            or rollouts.step % self.every
            or not trainer.is_global_zero
        ):
            return
        rows = rollouts.rows(module.advantages(rollouts))[: self.kept]
        with self.path.open("a", encoding="utf-8") as file:
            file.writelines(map(_line, rows))
        for logger in trainer.loggers:
            if isinstance(logger, WandbLog):
                logger.log_rollouts(rows, step=trainer.global_step)


def _line(row: dict[str, Any]) -> str:
    return json.dumps(row, ensure_ascii=False) + "\n"
