"""Lightning's logger for wandb, changed so that a failure does not end the training."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from pytorch_lightning.loggers import WandbLogger

from mmie.training.optional import Attempt


class WandbLog(WandbLogger):
    """Curves and tables of rollouts of one stage; after a failed call it logs nothing more.

    Args:
        run: the wandb run.
        stage: prefix of the metrics' names.
    """

    def __init__(self, run: Any, *, stage: str) -> None:
        super().__init__(experiment=run, prefix=stage)
        self.lost = False

    def log_metrics(self, metrics: Mapping[str, float], step: int | None = None) -> None:
        """As Lightning's own logger does, until a call fails."""
        if self.lost:
            return
        with self._attempt() as attempt:
            super().log_metrics(metrics, step)
        self.lost = attempt.failed

    def log_rollouts(self, rows: Sequence[Mapping[str, Any]], *, step: int) -> None:
        """Logs a table of rollouts with their pictures; numbers stay numbers, for sorting."""
        if self.lost:
            return
        with self._attempt() as attempt:
            self.experiment.log({"rollouts": _table(rows), "trainer/global_step": step})
        self.lost = attempt.failed

    @staticmethod
    def _attempt() -> Attempt:
        return Attempt("wandb", otherwise="the rest of this stage is not logged there")


def _table(rows: Sequence[Mapping[str, Any]]) -> Any:
    import wandb

    columns: list[Any] = [*rows[0]]
    table = wandb.Table(columns=columns)
    for row in rows:
        pictures = [wandb.Image(path) for path in row["image"] if isinstance(path, str)]
        cells = {name: _number_or_text(value) for name, value in row.items()}
        cells["image"] = pictures[0] if pictures else None
        table.add_data(*(cells[name] for name in columns))
    return table


def _number_or_text(value: Any) -> Any:
    return value if isinstance(value, (int, float)) else str(value)
