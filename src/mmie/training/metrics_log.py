"""metrics.csv: one line a value (step, name, value), appended as it comes and cut back to the resume point after a kill."""

from __future__ import annotations

import csv
import re
from argparse import Namespace
from pathlib import Path
from typing import Any

from pytorch_lightning.loggers.logger import Logger
from pytorch_lightning.utilities import rank_zero_only

ROW = re.compile(r'\d{1,18},[^",]+,-?(\d[\d.e+-]*|nan|inf)', re.ASCII)


class MetricsLog(Logger):
    """A Lightning logger that writes ``metrics.csv`` in long form.

    Args:
        path: the file; an existing one is continued.
    """

    def __init__(self, path: Path) -> None:
        super().__init__()
        self.path = path

    @property
    def name(self) -> str:
        return "metrics"

    @property
    def version(self) -> str:
        return "0"

    @rank_zero_only
    def start_at(self, step: int) -> None:
        """Keeps what ``step`` finished steps have written and drops the rest: later rows and a torn last line."""
        kept: list[list[str]] = []
        if self.path.exists():
            text = self.path.read_text(encoding="utf-8", errors="replace").replace("\0", "")
            rows = csv.reader(text.splitlines(), quoting=csv.QUOTE_NONE)
            kept = [row for row in rows if _is_metric(row) and _steps_done(row) <= step]
        with self.path.open("w", encoding="utf-8", newline="") as file:
            csv.writer(file).writerows([["step", "name", "value"], *kept])

    @rank_zero_only
    def log_metrics(self, metrics: dict[str, float], step: int | None = None) -> None:
        with self.path.open("a", encoding="utf-8", newline="") as file:
            rows = [
                [step or 0, name, f"{float(value):.9g}"]
                for name, value in sorted(metrics.items())
                if name != "epoch"
            ]
            csv.writer(file).writerows(rows)

    def log_hyperparams(
        self, params: dict[str, Any] | Namespace, *args: Any, **kwargs: Any
    ) -> None:
        """The configuration stands beside the file in results.json."""


def _steps_done(row: list[str]) -> int:
    """When the row was written: a step's own metrics are numbered from 0, validations by the steps before them."""
    return int(row[0]) + (not row[1].startswith("val/"))


def _is_metric(row: list[str]) -> bool:
    """Whether the row is whole: step, name, value; a damaged line is dropped."""
    return len(row) == 3 and ROW.fullmatch(",".join(row)) is not None
