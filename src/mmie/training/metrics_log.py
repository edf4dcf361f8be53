"""Writes metrics.csv, which has one line per value: step, name, value.

When a killed run is resumed, the file is cut back to the resume
point.
"""

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
        """Keeps the rows of the first ``step`` steps and drops later ones and damaged lines."""
        rows = [["step", "name", "value"]]
        if self.path.exists():
            text = self.path.read_text(encoding="utf-8", errors="replace").replace("\0", "")
            for row in csv.reader(text.splitlines(), quoting=csv.QUOTE_NONE):
                if _is_metric(row) and _steps_done(row) <= step:
                    rows.append(row)
        with self.path.open("w", encoding="utf-8", newline="") as file:
            csv.writer(file).writerows(rows)

    @rank_zero_only
    def log_metrics(self, metrics: dict[str, float], step: int | None = None) -> None:
        with self.path.open("a", encoding="utf-8", newline="") as file:
            writer = csv.writer(file)
            for name, value in sorted(metrics.items()):
                if name != "epoch":  # to Lightning the whole training is one epoch
                    writer.writerow([step or 0, name, f"{float(value):.9g}"])

    def log_hyperparams(
        self, params: dict[str, Any] | Namespace, *args: Any, **kwargs: Any
    ) -> None:
        """Does nothing: results.json has the configuration."""


def _steps_done(row: list[str]) -> int:
    """How many steps were done when the row was written.

    The metrics of a step are numbered from 0, a validation by the number of steps before it.
    """
    number, name, _ = row
    return int(number) if name.startswith("val/") else int(number) + 1


def _is_metric(row: list[str]) -> bool:
    """Whether the row is a whole one: step, name, value."""
    return len(row) == 3 and ROW.fullmatch(",".join(row)) is not None
