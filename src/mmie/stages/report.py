"""Stage report: the table on the terminal and ``results.json``."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

from rich.box import SIMPLE_HEAD
from rich.markup import escape
from rich.table import Table

from mmie.artifacts import commit, fingerprint, versions
from mmie.files import write_json
from mmie.stages.context import Context
from mmie.stages.evaluate import metrics


def report(context: Context, evaluated: dict[str, Path]) -> None:
    """Prints one row a model and puts the last one's predictions beside the results.

    Args:
        context: the run.
        evaluated: model name → evaluation folder, weakest paradigm first.
    """
    if not evaluated:
        return
    context.console.print(score_table(context, {name: metrics(folder) for name, folder in evaluated.items()}))
    shutil.copyfile([*evaluated.values()][-1] / "predictions.jsonl", context.output / "predictions.jsonl")


def score_table(context: Context, rows: dict[str, dict[str, dict[str, Any]]]) -> Table:
    title = f"Test set, {context.config.profile} profile, seed {context.config.seed}: % and the 95 % bootstrap interval of F1"
    table = Table(title=title, title_justify="left", box=SIMPLE_HEAD, pad_edge=False)
    table.add_column("model", no_wrap=True)
    measures = list(next(iter(rows.values())))
    first = next(iter(rows.values()))
    for measure in measures:
        name = measure.removeprefix("test/")
        for column in (*(["Acc"] if "accuracy" in first[measure] else []), "P", "R", f"{name} F1"):
            table.add_column(column, justify="right", no_wrap=True)
    for name, scores in rows.items():
        table.add_row(name, *(escape(cell) for measure in measures for cell in _cells(scores[measure])))
    return table


def _cells(score: dict[str, Any]) -> list[str]:
    low, high = score["ci95"]
    parts = [f"{100 * score[name]:.1f}" for name in ("accuracy", "precision", "recall") if name in score]
    return [*parts, f"{100 * score['f1']:.1f} [{100 * low:.1f}, {100 * high:.1f}]"]


def write_results(context: Context, evaluated: dict[str, Path]) -> Path:
    """Writes ``results.json``; ``metrics`` are those of the last model, ``models`` those of all."""
    config = context.config
    models = {name: metrics(folder) for name, folder in evaluated.items()}
    path = context.output / "results.json"
    write_json(path, {
        "experiment": config.experiment, "task": context.reasoned.name, "profile": config.profile, "seed": config.seed,
        "commit": commit(), "config_fingerprint": fingerprint(config=config), "versions": versions(),
        "stages": context.stages, "metrics": [*models.values()][-1] if models else {}, "models": models,
        "vision": context.vision, "notes": context.notes, "voting": context.voting, "paper": config.paper,
    })  # fmt: skip
    return path
