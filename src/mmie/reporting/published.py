"""What the papers print, row by row, and which run of ours stands beside it.

The numbers lie with their task, in ``mmie/tasks/<task>/published.yaml``.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from importlib import resources
from typing import NamedTuple

import yaml

from mmie.json_types import from_json
from mmie.reporting.backbones import QWEN


class Column(NamedTuple):
    """A column of a table: ``score`` ("f1") of ``measure`` ("quintuple")."""

    title: str
    measure: str
    score: str


@dataclass(frozen=True, kw_only=True)
class Row:
    """One row of a paper's table; the YAML file explains the keys."""

    label: str
    printed: tuple[float | None, ...]
    experiments: tuple[str, ...] = ()
    system: str = ""
    backbone: str = QWEN
    against: str = ""
    source: str = ""

    @property
    def bare(self) -> str:
        """The label without the model."""
        bare = self.label.removesuffix(f" ({self.backbone})")
        return self.system if bare == self.backbone else bare


@dataclass(frozen=True, kw_only=True)
class Published:
    """A paper's table.

    Attributes:
        columns: title → ``measure.score`` in results.json.
        compared: title of the column in which rows are compared.
        remarks: what is odd about the printed numbers.
        whose: what the columns of printed numbers are called.
    """

    name: str
    title: str
    source: str
    columns: dict[str, str]
    compared: str
    rows: tuple[Row, ...]
    remarks: tuple[str, ...] = ()
    whose: str = "paper"

    def column(self, title: str) -> Column:
        return Column(title, *self.columns[title].split("."))


@cache
def published(task: str) -> tuple[Published, ...]:
    """The papers' tables of a task; none for a task without any."""
    file = resources.files("mmie.tasks") / task / "published.yaml"
    if not task.isidentifier() or not file.is_file():
        return ()
    made: tuple[Published, ...] = from_json(
        tuple[Published, ...], yaml.safe_load(file.read_text(encoding="utf-8")), task
    )
    return made


def experiments(task: str) -> set[str]:
    """Those that give a row of one of these tables."""
    rows = [row for table in published(task) for row in table.rows]
    return {experiment for row in rows for experiment in row.experiments}
