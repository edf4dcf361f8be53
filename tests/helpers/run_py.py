"""``python run.py`` inside the tests' own process."""

from __future__ import annotations

import csv
import runpy
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


def in_process(monkeypatch: pytest.MonkeyPatch, folder: Path, *arguments: str) -> int:
    """The exit status of ``python run.py`` with the pipeline that is in ``sys.modules``."""
    monkeypatch.setattr(sys, "argv", ["run.py", *arguments, f"hydra.sweep.dir={folder}"])
    try:
        runpy.run_path(str(ROOT / "run.py"), run_name="__main__")
    except SystemExit as end:
        return int(str(end.code))
    return 0


def summary(folder: Path) -> list[dict[str, str]]:
    with (folder / "summary.csv").open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def picked(folder: Path, *columns: str) -> list[tuple[str, ...]]:
    return [tuple(row[column] for column in columns) for row in summary(folder)]
