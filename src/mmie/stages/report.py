"""Stage report: the ``Results`` of a run, its tables on the terminal, and the files beside it.

``collect`` writes tables and figures of several runs.
"""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from dataclasses import asdict
from datetime import UTC, datetime
from itertools import pairwise
from pathlib import Path
from typing import Any

from mmie.artifacts import Artifact, commit, fingerprint, versions
from mmie.config import RunConfig, shipped
from mmie.files import disk_errors, make_folder, slug
from mmie.hardware import hardware
from mmie.json_types import from_json
from mmie.reporting.published import paper_row
from mmie.reporting.recorded import recorded_beside
from mmie.reporting.runs import Run, load_runs
from mmie.reporting.terminal import summary
from mmie.results import (
    Analysis,
    Comparison,
    DifficultyPart,
    Results,
    Scores,
    Settings,
    StageRecord,
    Vision,
    Voting,
)
from mmie.settings import TRAININGS
from mmie.significance import paired_randomisation
from mmie.stages.analysis import by_difficulty
from mmie.stages.answers import copy_answers
from mmie.stages.asking import cost_of
from mmie.stages.context import Context


def results_of(
    context: Context, evaluated: Mapping[str, Artifact], *, command: str = ""
) -> Results:
    """Everything that ``results.json`` holds.

    Args:
        context: the run, after its last stage.
        evaluated: system → its evaluation, weakest paradigm first.
        command: what was typed.
    """
    config, task = context.config, context.reasoned
    main = task.selection_metric
    systems = {name: stage.load("metrics.json") for name, stage in evaluated.items()}
    analysis = {name: stage.load("analysis.json") for name, stage in evaluated.items()}
    movable = _movable(asdict(config), config.artifacts)
    settings = from_json(Settings, movable)
    parts = from_json(dict[str, Analysis], analysis)
    divided = by_difficulty(analysis, task.warmed_up)
    return Results(
        experiment=config.experiment,
        task=task.name,
        profile=config.profile,
        seed=config.seed,
        commit=commit(),
        key=fingerprint(config=config),
        command=command,
        date=datetime.now(UTC).isoformat(timespec="seconds"),
        versions=versions(),
        hardware=hardware(),
        main_measure=main,
        unit=task.unit,
        method=task.method,
        warmed_up=task.warmed_up,
        stages=from_json(dict[str, StageRecord], context.stages),
        systems=from_json(dict[str, dict[str, Scores]], systems),
        comparisons=_comparisons(parts, main),
        cost=cost_of(context, evaluated),
        chains=_chains(context),
        vision=from_json(Vision, context.vision),
        notes=context.notes,
        voting=from_json(dict[str, Voting], context.voting),
        paper=paper_of(config, task.name, settings),
        config=movable,
        analysis=parts,
        by_difficulty=from_json(dict[str, DifficultyPart], divided),
    )


def paper_of(config: RunConfig, task: str, settings: Settings) -> dict[str, Any] | None:
    """The paper's row, if the run is the method of that row.

    ``+experiment=jmere_r1 grpo=none`` trains something else, and the row's numbers beside it would
    be read as its own.
    """
    row = paper_row(config.experiment, task, settings, profile=config.profile)
    if row is None:
        return None
    published = shipped(f"+experiment={config.experiment}", f"profile={config.profile}")
    return row if _method(config) == _method(published) else None


def _method(config: RunConfig) -> tuple[Any, ...]:
    """What tells one row of a table from the others."""
    response = config.sft and config.sft.response
    trained = config.grpo is not None
    parts = (config.filter, config.reward, config.schedule, config.sft_share)
    return response, trained, *parts


def report(context: Context, results: Results, evaluated: Mapping[str, Artifact]) -> None:
    """Prints the tables of the run and copies its predictions and training curves to its folder."""
    for part in summary(results, _recorded(context, results)):
        context.console.print(part)
    with disk_errors(context.output):
        folder = context.output / "predictions"
        folder.mkdir(parents=True, exist_ok=True)
        for name, stage in evaluated.items():
            target = folder / f"{slug(name)}.jsonl"
            copy_answers(stage.folder / "predictions.jsonl", target, context.source.images)
        _copy_curves(context)


def _recorded(context: Context, results: Results) -> dict[str, Run]:
    folder = context.config.report.recorded
    return recorded_beside(results, Path(folder)) if folder else {}


def collect(config: RunConfig, output: Path, *own: Path) -> Path:
    """Writes one page of the runs in ``report.runs`` and of ``own`` results, and returns its path.

    It loads neither model nor data.

    Raises:
        InputError: one of the runs cannot be read, or the folder cannot be written.
    """
    from mmie.reporting.page import write_page  # it loads matplotlib, which no other run needs

    folder = report_folder(config) or output / "report"
    runs = load_runs([*own, *config.report.sources])
    return write_page(runs, folder)


def report_folder(config: RunConfig) -> Path | None:
    """The folder that the configuration names, which is made; None if it names none.

    Raises:
        InputError: it cannot be made.
    """
    named = config.report.folder
    return make_folder(Path(named), key="report.folder") if named else None


def _copy_curves(context: Context) -> None:
    """``metrics/<stage>.csv`` and ``rollouts.jsonl``, as the training stages wrote them."""
    for name in TRAININGS:
        artifact = context.artifact(name)
        targets = {"metrics.csv": f"metrics/{name}.csv", "rollouts.jsonl": "rollouts.jsonl"}
        for source, target in targets.items():
            if artifact is not None and (artifact.folder / source).is_file():
                (context.output / target).parent.mkdir(exist_ok=True)
                shutil.copyfile(artifact.folder / source, context.output / target)


def _comparisons(analysis: Mapping[str, Analysis], measure: str) -> tuple[Comparison, ...]:
    """Each system against the one before it."""
    made = []
    for second, first in pairwise(analysis):
        sides = [analysis[name].counts[measure] for name in (first, second)]
        test = paired_randomisation(*sides)
        made.append(Comparison(first=first, second=second, measure=measure, **asdict(test)))
    return tuple(made)


def _chains(context: Context) -> dict[str, int]:
    """Candidates left by each filter, in order, and the samples with one left (Figure 7)."""
    filtered = context.artifact("filter")
    if filtered is None:
        return {}
    counts = filtered.load("counts.json")
    return {**{row["stage"]: row["candidates"] for row in counts}, "samples": counts[-1]["samples"]}


def _movable(value: Any, artifacts: str) -> Any:
    """The configuration with ``artifacts`` for the place where this run keeps them."""
    if isinstance(value, dict):
        return {key: _movable(entry, artifacts) for key, entry in value.items()}
    if isinstance(value, (list, tuple)):
        return [_movable(entry, artifacts) for entry in value]
    inside = isinstance(value, str) and (value == artifacts or value.startswith(f"{artifacts}/"))
    return f"artifacts{value.removeprefix(artifacts)}" if inside else value
