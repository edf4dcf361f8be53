"""The paradigms that a run does not train itself, from runs recorded before."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path

from mmie.reporting.backbones import name_of
from mmie.reporting.published import published
from mmie.reporting.runs import Run, load_runs
from mmie.results import Comparison, Results
from mmie.significance import paired_randomisation


def recorded_beside(results: Results, folder: Path) -> dict[str, Run]:
    """The recorded runs that stand beside the own rows of a run that has the whole method.

    Args:
        results: of the run.
        folder: of recorded runs; without it there is nothing to show.

    Returns:
        System → the run that has it, for each system of the task's first table that ``results``
        lacks. Only runs of the same profile, model and test samples count; the run with the same
        seed comes before the others.
    """
    known = results.analysis.get(results.method)
    tables = published(results.task)
    if known is None or not tables or not folder.is_dir():
        return {}
    runs = [run for run in load_runs([folder]) if _alike(run.results, results)]
    runs.sort(key=lambda run: (run.seed != results.seed, run.seed))
    found: dict[str, Run] = {}
    for row in tables[0].rows:
        for run in runs:
            fits = run.experiment in row.experiments and row.system in run.results.analysis
            if fits and run.results.analysis[row.system].ids == known.ids:
                found.setdefault(row.system, run)
    return {system: run for system, run in found.items() if system not in results.systems}


def _alike(one: Results, other: Results) -> bool:
    same = (one.task, one.profile) == (other.task, other.profile)
    models = {name_of(each.settings.model, profile=each.profile) for each in (one, other)}
    return same and len(models) == 1


def method_against(results: Results, recorded: Mapping[str, Run]) -> list[Comparison]:
    """The run's method against each recorded system, by the paired randomisation test."""
    method, measure = results.method, results.main_measure
    made = []
    for system, run in recorded.items():
        sides = (results.analysis[method], run.results.analysis[system])
        test = paired_randomisation(*(side.counts[measure] for side in sides))
        label = f"{system} (recorded)"
        pair = Comparison(first=method, second=label, measure=measure, **asdict(test))
        made.append(pair)
    return made
