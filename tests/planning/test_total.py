"""The plans of a sweep's jobs together: what has one key is paid once."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from mmie.costs import Work
from mmie.errors import InputError
from mmie.files import write_json
from mmie.planning.limits import card_hours
from mmie.planning.result import Plan, StageCost
from mmie.planning.stage_costs import Cost
from mmie.planning.total import read_plan, total

CARD: dict[str, Any] = {"tflops": 1.0, "bandwidth": 1.0, "peak_share": 0.5, "bandwidth_share": 0.5}


def row(stage: str, key: str, flops: float, *, processes: int = 1) -> StageCost:
    cost = Cost(prompt_tokens=2, response_tokens=3, passes=Work(flops, 0))
    return StageCost(stage, 10, 5, key, cost, cost * 2, processes)


def asked(key: str, requests: int, dollars: float | None) -> dict[str, Any]:
    counts = {"requests": requests, "recorded": 1, "prompt_tokens": 7.0, "answer_tokens": 8.0}
    return {**counts, "key": key, "dollars": dollars, "dollars_at_most": None}


def job(grpo: str, *, distil: str = "d", peak: float = 1.0, dollars: float | None = 4.0) -> Plan:
    plan = Plan("jmere_r1", "toy", memory={"peak_gib": peak}, assumptions=["a", grpo])
    plan.teacher = {"model": "t", "purposes": {"distil": asked(distil, 6, dollars)}}
    plan.stages = [row("sft", "s", 1.8e15), row("grpo", grpo, 3.6e15)]
    plan.cards = {"A40": {**CARD, **card_hours(plan.stages, CARD), "fits": peak < 2}}
    return plan


def test_shared_stages_count_once() -> None:
    whole = total([job("g1"), job("g2", peak=3.0)])
    assert [(one.stage, one.samples, one.updates) for one in whole.stages] == [
        ("sft", 10, 5),
        ("grpo", 20, 10),
    ]
    assert whole.stages[1].expected.flops == 7.2e15
    # 1 TFLOP/s of which a half is reached: 1.8e15 FLOPs take an hour.
    assert whole.cards["A40"]["hours"] == pytest.approx(1 + 2 + 2)
    assert whole.cards["A40"]["hours_at_most"] == pytest.approx(2 * 5)
    assert not whole.cards["A40"]["fits"]
    assert whole.memory == {"peak_gib": 3.0}
    assert whole.teacher["purposes"]["distil"]["requests"] == 6
    assert whole.teacher["dollars"] == 4.0
    assert whole.assumptions == ["a", "g1", "g2"]


def test_other_requests_are_paid_again() -> None:
    whole = total([job("g1"), job("g2", distil="other")])
    assert whole.teacher["purposes"]["distil"]["requests"] == 12
    assert (whole.teacher["dollars"], whole.teacher["dollars_at_most"]) == (8.0, None)
    unknown = total([job("g1"), job("g2", distil="other", dollars=None)])
    assert unknown.teacher["dollars"] is None


def test_a_plan_comes_back_as_it_was_written(tmp_path: Path) -> None:
    plan = job("g1")
    write_json(tmp_path / "plan.json", plan.as_json())
    assert read_plan(tmp_path / "plan.json") == plan
    (tmp_path / "plan.json").write_text("{}")
    with pytest.raises(InputError, match=r"plan\.json: no plan can be read there"):
        read_plan(tmp_path / "plan.json")


def test_processes_share_the_hours() -> None:
    hours = card_hours([row("evaluate", "e", 1.8e15, processes=4)], CARD)
    assert (hours["hours"], hours["gpu_hours"]) == (pytest.approx(0.25), pytest.approx(1.0))
