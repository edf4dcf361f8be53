"""What the papers print, row by row, and which run of ours stands beside it.

The numbers lie with their task, in ``mmie/tasks/<task>/published.yaml``.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from importlib import resources
from typing import Any, NamedTuple

import yaml

from mmie.json_types import from_json
from mmie.reporting.backbones import QWEN, name_of, on_paper_data
from mmie.results import Settings


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

    def scores(self, row: Row) -> dict[str, dict[str, float]]:
        """What the row prints: measure → score → value in 0..1; empty where it prints nothing."""
        scores: dict[str, dict[str, float]] = {}
        for title, value in zip(self.columns, row.printed, strict=True):
            if value is not None:
                column = self.column(title)
                scores.setdefault(column.measure, {})[column.score] = round(value / 100, 4)
        return scores


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


def paper_row(
    experiment: str, task: str, settings: Settings, *, profile: str
) -> dict[str, Any] | None:
    """The paper's row for an experiment and the run's own model; None where the paper has none.

    Of several rows it is the first one that this experiment gives best.

    Returns:
        ``source``, and measure → score → value in 0..1.
    """
    if not on_paper_data(profile, settings.data):
        return None
    backbone = name_of(settings.model, profile=profile)
    for table in published(task):
        for row in table.rows:
            best = (experiment, backbone) == (next(iter(row.experiments), ""), row.backbone)
            scores = table.scores(row) if best else {}
            if scores:
                return {"source": f"{table.source}; {backbone}", **scores}
    return None


def experiments(task: str) -> set[str]:
    """Those that give a row of one of these tables."""
    rows = [row for table in published(task) for row in table.rows]
    return {experiment for row in rows for experiment in row.experiments}
