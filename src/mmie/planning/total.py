"""The plan of a whole sweep: what several of its jobs share counts once."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from mmie.costs import Work
from mmie.errors import InputError
from mmie.files import parse_json
from mmie.planning.limits import card_hours
from mmie.planning.result import Plan, StageCost
from mmie.planning.stage_costs import Cost

COUNTS = ("requests", "recorded", "prompt_tokens", "answer_tokens")
MONEY = ("dollars", "dollars_at_most")


def read_plan(path: Path) -> Plan:
    """The plan that one job has written.

    Raises:
        InputError: it cannot be read.
    """
    try:
        values = parse_json(path.read_bytes())
        stages = [_row(row) for row in values.pop("stages")]
        return Plan(**values, stages=stages)
    except (OSError, ValueError, TypeError, LookupError) as error:
        raise InputError(f"{path}: no plan can be read there; plan the sweep again") from error


def _row(values: dict[str, Any]) -> StageCost:
    costs = {name: _cost(values[name]) for name in ("expected", "at_most")}
    return StageCost(**{**values, **costs})


def _cost(values: dict[str, Any]) -> Cost:
    work = {name: Work(**values[name]) for name in ("passes", "decoding")}
    return Cost(**{**values, **work})


def total(plans: Sequence[Plan]) -> Plan:
    """All jobs together. Stages of one key, and the requests of one, are made only once.

    The memory is that of the largest job. The disk is left out.

    Args:
        plans: of the jobs, at least one.
    """
    first = plans[0]
    whole = Plan(first.experiment, first.profile, disk={})
    once = _once(plans)
    whole.stages = _by_name(once)
    whole.teacher = _teacher([plan.teacher for plan in plans if plan.teacher])
    whole.memory = _largest([plan.memory for plan in plans if plan.memory is not None])
    for name, card in first.cards.items():
        fits = [plan.cards[name].get("fits") for plan in plans if plan.stages]
        verdict = {"fits": all(fits)} if fits and None not in fits else {}
        whole.cards[name] = {**card, **card_hours(once, card), **verdict}
    whole.finished = _union(plan.finished for plan in plans)
    whole.assumptions = _union(plan.assumptions for plan in plans)
    whole.warnings = _union(plan.warnings for plan in plans)
    return whole


def _once(plans: Sequence[Plan]) -> list[StageCost]:
    """Each stage of each key once, as the first job that has it plans it."""
    rows: dict[tuple[str, str], StageCost] = {}
    for plan in plans:
        for row in plan.stages:
            rows.setdefault((row.stage, row.key), row)
    return list(rows.values())


def _by_name(rows: Sequence[StageCost]) -> list[StageCost]:
    """One row for all stages of one name."""
    summed: dict[str, StageCost] = {}
    for row in rows:
        if row.stage in summed:
            other = summed[row.stage]
            row = replace(
                row,
                samples=row.samples + other.samples,
                updates=row.updates + other.updates,
                expected=row.expected + other.expected,
                at_most=row.at_most + other.at_most,
            )
        summed[row.stage] = row
    return list(summed.values())


def _teacher(teachers: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """Requests and dollars of all jobs; empty where no job asks for anything."""
    if not teachers:
        return {}
    once = {}
    for teacher in teachers:
        for purpose, asked in teacher["purposes"].items():
            once[purpose, asked["key"]] = asked
    purposes: dict[str, dict[str, Any]] = {}
    for (purpose, _), asked in once.items():
        so_far = purposes.setdefault(purpose, dict.fromkeys(COUNTS, 0))
        purposes[purpose] = {name: so_far[name] + asked[name] for name in COUNTS}
    money = {name: _sum([one[name] for one in once.values()]) for name in MONEY}
    models = _union([teacher["model"]] for teacher in teachers)
    return {"model": ", ".join(models), "purposes": purposes, **money}


def _sum(values: Sequence[float | None]) -> float | None:
    """None if one of the values is not known."""
    known = [value for value in values if value is not None]
    return sum(known) if len(known) == len(values) else None


def _largest(memories: Sequence[dict[str, float]]) -> dict[str, float] | None:
    """The memory of the job that needs most."""
    return max(memories, key=lambda memory: memory["peak_gib"], default=None)


def _union(lists: Iterable[Sequence[str]]) -> list[str]:
    """Every text once, in the order of its first appearance."""
    return list(dict.fromkeys(text for texts in lists for text in texts))
