"""The paradigms that a run does not train itself, from runs recorded before."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping
from dataclasses import asdict
from pathlib import Path

from mmie.errors import InputError
from mmie.reporting.backbones import name_of
from mmie.reporting.published import Published, Row, published
from mmie.reporting.runs import Run, load_runs
from mmie.results import Comparison, Results
from mmie.significance import paired_randomisation

log = logging.getLogger(__name__)


def recorded_beside(results: Results, place: Path) -> dict[str, Run]:
    """The recorded runs that stand beside the own rows of a run that has the whole method.

    What cannot be read is named and left out, because a finished run must not fail by it.

    Args:
        results: of the run.
        place: a folder of recorded runs, or one results file.

    Returns:
        System → the run that has it, for each system of the task's first table that ``results``
        lacks. Only runs of the same profile, model, decoding, measures and test samples count. The
        run with the same seed comes before the others, and of several with one seed the newest.
    """
    if results.method not in results.analysis:
        return {}
    runs = [run for run in _readable(place) if _alike(run.results, results)]
    runs.sort(key=lambda run: run.results.date, reverse=True)
    runs.sort(key=lambda run: (run.seed != results.seed, run.seed))
    found: dict[str, Run] = {}
    for row in _rows(results):
        for run in runs:
            if run.experiment in row.experiments and _comparable(run.results, row.system, results):
                found.setdefault(row.system, run)
    return {system: run for system, run in found.items() if system not in results.systems}


def _readable(place: Path) -> Iterator[Run]:
    """The runs in the place; one line for each file that cannot be read."""
    if not place.exists():
        _left_out(f"{place}: there is no such file or folder")
        return
    for path in sorted(place.rglob("results.json")) or [place]:
        try:
            yield from load_runs([path])
        except InputError as error:
            _left_out(str(error))


def _left_out(reason: str) -> None:
    log.warning("report.recorded: %s; the last table goes without it", reason)


def _rows(results: Results) -> list[Row]:
    """The rows of the task's first table, and of those with the same systems on other data.

    The table of the experiment comes first.
    """
    tables = published(results.task)
    alike = [table for table in tables if _systems(table) == _systems(tables[0])]
    alike.sort(key=lambda table: not any(_gives(results, row) for row in table.rows))
    return [row for table in alike for row in table.rows]


def _systems(table: Published) -> set[str]:
    return {row.system for row in table.rows}


def _gives(results: Results, row: Row) -> bool:
    return results.experiment in row.experiments


def _alike(one: Results, other: Results) -> bool:
    same = (one.task, one.profile) == (other.task, other.profile)
    models = {name_of(each.settings.model, profile=each.profile) for each in (one, other)}
    decoded = one.settings.evaluation == other.settings.evaluation
    return same and decoded and len(models) == 1 and bool(one.text_only) == bool(other.text_only)


def _comparable(recorded: Results, system: str, results: Results) -> bool:
    """Whether the system has the measures of the run's method, on the same test samples."""
    theirs, own = recorded.analysis.get(system), results.analysis[results.method]
    if theirs is None or theirs.ids != own.ids:
        return False
    measure = results.main_measure
    golds = [[count.gold for count in one.counts.get(measure, ())] for one in (theirs, own)]
    measures = recorded.systems.get(system, {}).keys(), results.systems[results.method].keys()
    return golds[0] == golds[1] and measures[0] == measures[1]


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
