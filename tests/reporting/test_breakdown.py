"""The full system against its warm-up: relations, types, errors and direction, from hand-made analyses."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from mmie.errors import InputError
from mmie.reporting.breakdown import breakdowns
from mmie.reporting.runs import load_runs
from mmie.reporting.table import Table

Write = Callable[..., Path]
Scores = Callable[..., dict[str, Any]]


def of_runs(tmp_path: Path) -> dict[str, Table]:
    return {table.name: table for table in breakdowns(load_runs([tmp_path / "runs"]), "toy")}


def counts(correct: int, predicted: int, gold: int) -> dict[str, int]:
    return {"correct": correct, "predicted": predicted, "gold": gold}


@pytest.fixture
def two_seeds(write_run: Write, scores: Scores) -> None:
    """Relation "peer": warm-up 2 of 8 predicted and 10 gold, full system 9 of 10 and 10; "race": only gold and only once."""
    models = {
        "warm-up": {"quintuple": scores(2, 8, 12)},
        "JMERE-R1": {"quintuple": scores(9, 10, 12)},
    }
    for seed, warm, full in ((0, (1, 4, 5), (4, 5, 5)), (1, (1, 4, 5), (5, 5, 5))):
        analysis = {
            "zero-shot": {"errors": {"missed": 99}},
            "warm-up": {
                "per_relation": {"race": counts(0, 0, 1), "peer": counts(*warm)},
                "errors": {"missed": 3 + seed, "wrong type": 0},
                "direction_blind": counts(4, 8, 12),
                "per_type": {"per": counts(1, 1, 1)},
            },
            "JMERE-R1": {
                "per_relation": {"peer": counts(*full)},
                "errors": {"missed": 2, "truncated": 1},
                "direction_blind": counts(9, 10, 12),
            },
        }
        write_run("jmere_r1", models, seed=seed, analysis=analysis)


@pytest.mark.usefixtures("two_seeds")
def test_relations_are_pooled_over_seeds(tmp_path: Path) -> None:
    table = of_runs(tmp_path)["toy-jmere-per-relation"]
    assert table.header == (
        "",
        "gold",
        "P warm-up",
        "P JMERE-R1",
        "R warm-up",
        "R JMERE-R1",
        "F1 warm-up",
        "F1 JMERE-R1",
        "Δ F1",
    )
    assert table.rows == (
        ("peer", "10", "25.0", "90.0", "20.0", "90.0", "22.2", "90.0", "+67.8"),
        ("race", "2", "0.0", "0.0", "0.0", "0.0", "0.0", "0.0", "+0.0"),
    )
    assert table.caption.startswith("JMERE-R1 after its warm-up, experiment jmere_r1, seeds 0, 1;")
    assert {run.seed for value in table.values for run in value.runs} == {0, 1}


@pytest.mark.usefixtures("two_seeds")
def test_types_errors_and_direction(tmp_path: Path) -> None:
    found = of_runs(tmp_path)
    assert list(found) == [
        "toy-jmere-per-relation",
        "toy-jmere-per-type",
        "toy-jmere-errors",
        "toy-jmere-direction-blind",
    ]
    assert found["toy-jmere-per-type"].rows == (
        ("per", "2", "100.0", "0.0", "100.0", "0.0", "100.0", "0.0", "−100.0"),
    )
    assert found["toy-jmere-errors"].rows == (
        ("missed", "3.5", "2.0", "−1.5"),
        ("wrong type", "0.0", "0.0", "+0.0"),
        ("truncated", "0.0", "1.0", "+1.0"),
    )
    assert found["toy-jmere-direction-blind"].rows == (
        ("warm-up", "20.0", "40.0", "+20.0"),
        ("JMERE-R1", "81.8", "81.8", "+0.0"),
    )


def test_one_seed_has_whole_errors_and_more_no_direction(tmp_path: Path, write_run: Write) -> None:
    analysis = {
        "stage 1": {"errors": {"missed": 7}},
        "MORE-R1": {"errors": {"missed": 4}, "per_relation": {"": counts(1, 2, 2)}},
    }
    write_run("more_r1", {"stage 1": {}, "MORE-R1": {}}, task="more", analysis=analysis)
    found = of_runs(tmp_path)
    assert list(found) == ["toy-more-per-relation", "toy-more-errors"]
    assert found["toy-more-errors"].rows == (("missed", "7", "4", "−3"),)
    assert found["toy-more-per-relation"].rows[0][:2] == ("–", "2")


def test_the_full_system_comes_first_then_any(tmp_path: Path, write_run: Write) -> None:
    analysis = {"warm-up": {"errors": {"missed": 1}}, "JMERE-R1": {"errors": {"missed": 1}}}
    write_run("default", {}, analysis=analysis)
    write_run("ablation_no_filter", {}, analysis={"JMERE-R1": {}})  # no warm-up in it
    assert "experiment default" in of_runs(tmp_path)["toy-jmere-errors"].caption
    write_run("jmere_r1", {}, analysis=analysis)
    assert "experiment jmere_r1" in of_runs(tmp_path)["toy-jmere-errors"].caption


def test_older_results_have_none(tmp_path: Path, write_run: Write, scores: Scores) -> None:
    write_run(
        "jmere_r1",
        {"warm-up": {"quintuple": scores(1, 2, 2)}, "JMERE-R1": {"quintuple": scores(1, 2, 2)}},
    )
    assert of_runs(tmp_path) == {}


@pytest.mark.parametrize(
    ("part", "message"),
    [
        ({"errors": [3]}, r"JMERE-R1\.errors is \[3\] and no mapping"),
        ({"errors": {"missed": -1}}, r"errors\.missed is -1 and no count"),
        ({"per_relation": {"peer": 3}}, r"per_relation\.peer is 3 and no mapping"),
        (
            {"per_type": {"per": {"correct": 1, "predicted": "2", "gold": 1}}},
            r'per_type\.per\.predicted is "2" and no count',
        ),
        ({"direction_blind": {"correct": 1}}, r"direction_blind\.predicted is missing"),
    ],
)
def test_garbage_is_named(
    tmp_path: Path, write_run: Write, scores: Scores, part: dict[str, Any], message: str
) -> None:
    models = {"warm-up": {"quintuple": scores(1, 2, 2)}, "JMERE-R1": {"quintuple": scores(1, 2, 2)}}
    write_run("jmere_r1", models, analysis={"warm-up": {}, "JMERE-R1": part})
    with pytest.raises(
        InputError, match=rf"results\.json: no results of a run, analysis\..*{message}"
    ):
        of_runs(tmp_path)
