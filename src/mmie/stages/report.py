"""Stage report: the table on the terminal, ``results.json`` and what lies beside it."""

from __future__ import annotations

import json
import shutil
from dataclasses import asdict
from datetime import UTC, datetime
from itertools import pairwise
from pathlib import Path
from typing import Any

from rich.box import SIMPLE_HEAD
from rich.table import Table

from mmie.artifacts import commit, fingerprint, versions
from mmie.display import plain_text
from mmie.files import disk_errors, slug, write_json
from mmie.reporting.backbones import paper_row
from mmie.significance import paired_randomisation
from mmie.stages.analysis import by_difficulty
from mmie.stages.answers import copy_answers
from mmie.stages.context import Context
from mmie.stages.evaluate import SUFFIXES, analysed, metrics
from mmie.stages.stage import COLLECTIVE


def report(context: Context, evaluated: dict[str, Path]) -> None:
    """Prints one row a model and what the models differ by, and puts their predictions and training curves beside the results.

    Args:
        context: the run.
        evaluated: model name → evaluation folder, weakest paradigm first.
    """
    if not evaluated:
        return
    context.console.print(
        score_table(context, {name: metrics(folder) for name, folder in evaluated.items()})
    )
    for found in comparisons(context, evaluated):
        context.console.print(
            f"{found['first']} − {found['second']}: {100 * found['difference']:+.1f} F1, p = {found['p']:.2g} (paired randomisation)"
        )
    divided = by_difficulty(
        {name: analysed(folder) for name, folder in evaluated.items()}, context.reasoned.warmed_up
    )
    if divided:
        context.console.print(difficulty_table(divided))
    with disk_errors(context.output):
        (context.output / "predictions").mkdir(parents=True, exist_ok=True)
        images = context.source.images
        for name, folder in evaluated.items():
            target = context.output / "predictions" / f"{slug(name)}.jsonl"
            copy_answers(folder / "predictions.jsonl", target, images)
        shutil.copyfile(target, context.output / "predictions.jsonl")
        _keep_curves(context)


def _keep_curves(context: Context) -> None:
    """``metrics/<stage>.csv`` and ``rollouts.jsonl``, as the learning stages wrote them."""
    for name in (name for name in COLLECTIVE if name in context.stages):
        folder = context.store.path(name, context.stages[name]["key"])
        for source, target in (
            ("metrics.csv", f"metrics/{name}.csv"),
            ("rollouts.jsonl", "rollouts.jsonl"),
        ):
            if (folder / source).is_file():
                (context.output / target).parent.mkdir(exist_ok=True)
                shutil.copyfile(folder / source, context.output / target)


def comparisons(context: Context, evaluated: dict[str, Path]) -> list[dict[str, Any]]:
    """Each model against the one before it: difference in the task's main F1, and p of the paired randomisation test."""
    measure = context.reasoned.selection_metric
    counts = {
        name: analysed(folder)["counts"].get(measure, []) for name, folder in evaluated.items()
    }
    return [
        {
            "first": later,
            "second": earlier,
            "measure": measure,
            **asdict(paired_randomisation(counts[later], counts[earlier])),
        }
        for earlier, later in pairwise(counts)
    ]


def score_table(context: Context, rows: dict[str, dict[str, dict[str, Any]]]) -> Table:
    title = f"Test set, {context.config.profile} profile, seed {context.config.seed}: % and the 95 % bootstrap interval of F1"
    table = Table(title=plain_text(title), title_justify="left", box=SIMPLE_HEAD, pad_edge=False)
    table.add_column("model", no_wrap=True)
    first = next(iter(rows.values()))
    measures = [measure for measure in first if not measure.endswith((*SUFFIXES.values(),))]
    for measure in measures:
        name = measure.removeprefix("test/")
        for column in (*(["Acc"] if "accuracy" in first[measure] else []), "P", "R", f"{name} F1"):
            table.add_column(plain_text(column), justify="right", no_wrap=True)
    for name, scores in rows.items():
        cells = [cell for measure in measures for cell in _cells(scores[measure])]
        table.add_row(plain_text(name), *map(plain_text, cells))
    return table


def difficulty_table(divided: dict[str, Any]) -> Table:
    """One row for each part and system: F1 of each measure, which is the accuracy for the measure of that name."""
    table = Table(
        title="Test samples by what the warmed-up model gets right (easy) and wrong (hard): F1 in %"
    )
    table.title_justify, table.box, table.pad_edge = "left", SIMPLE_HEAD, False
    measures = list(next(iter(divided["easy"]["systems"].values())))
    for column in ("part", "model", *measures):
        table.add_column(
            column, justify="left" if column in ("part", "model") else "right", no_wrap=True
        )
    for name, part in divided.items():
        for system, scores in part["systems"].items():
            cells = [f"{100 * scores[measure]['f1']:.1f}" for measure in measures]
            table.add_row(f"{name} ({part['samples']:,})", plain_text(system), *cells)
    return table


def _cells(score: dict[str, Any]) -> list[str]:
    low, high = score["ci95"]
    parts = [
        f"{100 * score[name]:.1f}" for name in ("accuracy", "precision", "recall") if name in score
    ]
    return [*parts, f"{100 * score['f1']:.1f} [{100 * low:.1f}, {100 * high:.1f}]"]


def write_results(context: Context, evaluated: dict[str, Path], *, command: str = "") -> Path:
    """Writes ``results.json``; ``metrics`` are those of the last model, ``models`` those of all; ``command`` is what was typed."""
    config = context.config
    models = {name: metrics(folder) for name, folder in evaluated.items()}
    printed = paper_row(config.paper, model=config.model, profile=config.profile, data=config.data)
    analyses = {name: analysed(folder) for name, folder in evaluated.items()}
    path = context.output / "results.json"
    write_json(
        path,
        {
            "command": command,
            "date": datetime.now(UTC).isoformat(timespec="seconds"),
            "experiment": config.experiment,
            "task": context.reasoned.name,
            "profile": config.profile,
            "seed": config.seed,
            "commit": commit(),
            "config_fingerprint": fingerprint(config=config),
            "versions": versions(),
            "stages": context.stages,
            "metrics": [*models.values()][-1] if models else {},
            "models": models,
            "comparisons": comparisons(context, evaluated),
            "chains": _chains(context),
            "vision": context.vision,
            "notes": context.notes,
            "voting": context.voting,
            "paper": printed,
            "config": _movable({**asdict(config), "paper": None}, config.artifacts),
            "analysis": analyses,
            "by_difficulty": by_difficulty(analyses, context.reasoned.warmed_up),
        },
    )
    return path


def _movable(value: Any, artifacts: str) -> Any:
    """The configuration with ``artifacts`` for the place where this run keeps them."""
    if isinstance(value, dict):
        return {key: _movable(entry, artifacts) for key, entry in value.items()}
    if isinstance(value, list):
        return [_movable(entry, artifacts) for entry in value]
    inside = isinstance(value, str) and (value == artifacts or value.startswith(f"{artifacts}/"))
    return f"artifacts{value.removeprefix(artifacts)}" if inside else value


def _chains(context: Context) -> dict[str, int]:
    """Candidates left by each filter, in order, and the samples that have one (JMERE-R1 Figure 7)."""
    if "filter" not in context.stages:
        return {}
    folder = context.store.path("filter", context.stages["filter"]["key"])
    counts = json.loads((folder / "counts.json").read_text(encoding="utf-8"))
    return {**{row["stage"]: row["candidates"] for row in counts}, "samples": counts[-1]["samples"]}
