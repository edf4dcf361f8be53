"""What happens after an optimizer step: validation, keeping the best adapter, recording rollouts.

The resume point is saved last, see ``resume.py``.
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


class OwnSignals(pl.Callback):
    """Restores the run's own handler of SIGTERM, which Lightning replaces; see ``mmie.stopping``.

    Create it before the training begins, while the handler is still that of the run.
    """

    def __init__(self) -> None:
        self.handler = signal.getsignal(signal.SIGTERM)

    def on_train_start(self, trainer: pl.Trainer, module: Any) -> None:
        """By now Lightning has installed its handler."""
        if threading.current_thread() is threading.main_thread():
            signal.signal(signal.SIGTERM, self.handler)

    def on_train_batch_start(
        self, trainer: pl.Trainer, module: Any, batch: Any, batch_idx: int
    ) -> None:
        stopping.raise_if_stopped()


class BestAdapter(pl.Callback):
    """Validates at evenly spaced steps and keeps the adapter with the highest F1.

    Of two equal adapters it keeps the earlier.

    Args:
        validate: F1 (0..1) of the current policy on the validation split.
        steps: number of optimizer steps; the last one is always validated.
        validations: how many times to validate.

    Attributes:
        validation_steps: the steps after which it validates.
        f1, step, adapter: the best so far.
        history: (step, F1) of every validation.
    """

    def __init__(self, validate: Callable[[], float], *, steps: int, validations: int) -> None:
        self.validate = validate
        times = max(1, validations)
        self.validation_steps = {round(steps * turn / times) for turn in range(1, times + 1)}
        self.f1 = -1.0
        self.step = 0
        self.adapter: dict[str, Tensor] = {}
        self.history: list[tuple[int, float]] = []

    def on_train_batch_end(
        self, trainer: pl.Trainer, module: Any, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        step = trainer.global_step
        optimizer_stepped = (batch_idx + 1) % trainer.accumulate_grad_batches == 0
        if not optimizer_stepped or step not in self.validation_steps:
            return
        f1 = self.validate()
        self.history.append((step, f1))
        for logger in trainer.loggers:
            logger.log_metrics({"val/f1": f1}, step=step)
        if f1 > self.f1:
            self.f1, self.step, self.adapter = f1, step, module.policy.adapter_state()

    def state_dict(self) -> dict[str, Any]:
        return {"f1": self.f1, "step": self.step, "adapter": self.adapter, "history": self.history}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        self.f1, self.step = state_dict["f1"], state_dict["step"]
        self.adapter, self.history = state_dict["adapter"], state_dict["history"]


class RolloutRows(pl.Callback):
    """Appends rollouts to ``rollouts.jsonl`` and hands them to loggers that show tables.

    Args:
        path: the file.
        every: steps from one recorded step to the next; 0 records none.
        per_step: how many responses of such a step are recorded.
    """

    def __init__(self, path: Path, *, every: int, per_step: int) -> None:
        self.path = path
        self.every = every
        self.per_step = per_step

    def on_train_start(self, trainer: pl.Trainer, module: Any) -> None:
        """Drops the rows that a killed run wrote after its resume point: they are written again."""
        if self.path.exists() and trainer.is_global_zero:
            rows = read_and_repair_jsonl(self.path, keys=["step"])
            earlier = [row for row in rows if row["step"] < trainer.global_step]
            write_text(self.path, "".join(map(_line, earlier)))

    def on_train_batch_end(
        self, trainer: pl.Trainer, module: Any, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        if not self.every or not batch.opens_group or not trainer.is_global_zero:
            return
        rollouts = module.last_rollouts
        if rollouts.step % self.every:
            return
        rows = rollouts.rows(module.advantages(rollouts))[: self.per_step]
        with self.path.open("a", encoding="utf-8") as file:
            file.writelines(map(_line, rows))
        for logger in trainer.loggers:
            if isinstance(logger, WandbLog):
                logger.log_rollouts(rows, step=trainer.global_step)


def _line(row: dict[str, Any]) -> str:
    return json.dumps(row, ensure_ascii=False) + "\n"
