"""Small values of what results.json holds."""

from __future__ import annotations

from typing import Any

from mmie.results import (
    Analysis,
    Confused,
    Cost,
    Counts,
    Curve,
    Diversity,
    Results,
    Scores,
    Vision,
    Voting,
)

SCORES = Scores(precision=0.5, recall=0.5, f1=0.5, correct=1, predicted=2, gold=2, ci95=(0.4, 0.6))
ANALYSIS = Analysis(
    ids="a",
    counts={"quintuple": (Counts(1, 2, 2),)},
    right=(False,),
    errors={"missed": 1},
    confusion=(Confused("peer", "", 1),),
    breakdown={"relation": {"peer": SCORES}},
)
VOTING = Voting(
    k=(1, 2),
    curves={"quintuple": {"quintuple": Curve(f1=(0.4, 0.5), ci95=((0.3, 0.5), (0.4, 0.6)))}},
    by_label={"quintuple": {"peer": 0.5}},
    diversity=Diversity(distinct_answers=2.0, answer_entropy_bits=1.0, chain_distance=None),
)
# As JSON: an analysis of no test sample.
NO_ANALYSIS: dict[str, Any] = {
    "ids": "",
    "counts": {},
    "right": [],
    "errors": {},
    "confusion": [],
    "breakdown": {},
}


def results_of(**changes: Any) -> Results:
    """Results of a toy run with neither systems nor stages, with these fields changed."""
    whole: dict[str, Any] = {
        "experiment": "jmere_r1",
        "task": "jmere",
        "profile": "toy",
        "seed": 0,
        "commit": 40 * "a",
        "key": "c0",
        "command": "python run.py +experiment=jmere_r1",
        "date": "2026-11-21T10:00:00+00:00",
        "versions": {"python": "3.11.7"},
        "main_measure": "quintuple",
        "unit": "quintuples",
        "method": "JMERE-R1",
        "warmed_up": "warm-up",
        "stages": {},
        "systems": {},
        "comparisons": (),
        "cost": Cost(requests=None, tokens=None, dollars=None),
        "chains": {},
        "vision": Vision(computed=0, from_disk=0),
        "notes": {},
        "voting": {},
        "paper": None,
        "config": {},
        "analysis": {},
        "by_difficulty": {},
    }
    return Results(**{**whole, **changes})
