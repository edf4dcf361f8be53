"""The whole method against its first stage, from hand-made analyses."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from mmie.reporting.breakdown import breakdowns
from mmie.reporting.runs import load_runs
from mmie.reporting.table import Table

Write = Callable[..., Path]
Scores = Callable[..., dict[str, Any]]


def of_runs(tmp_path: Path) -> dict[str, Table]:
    return {table.name: table for table in breakdowns(load_runs([tmp_path / "runs"]))}


def counts(correct: int, predicted: int, gold: int) -> dict[str, float]:
    shares = {"precision": 0.5, "recall": 0.5, "f1": 0.5}  # tables compute them from the counts
    return {**shares, "correct": correct, "predicted": predicted, "gold": gold}


def relations(**labels: tuple[int, int, int]) -> dict[str, Any]:
    return {"relation": {label: counts(*found) for label, found in labels.items()}}


@pytest.fixture
def two_seeds(write_run: Write, scores: Scores) -> None:
    """Relation "peer": warm-up 2 right of 8 predicted and 10 gold, whole method 9 of 10 and 10.

    "race" is only gold, and the method never sees it.
    """
    systems = {
        "warm-up": {"quintuple": scores(2, 8, 12)},
        "JMERE-R1": {"quintuple": scores(9, 10, 12)},
    }
    for seed, warm, whole in ((0, (1, 4, 5), (4, 5, 5)), (1, (1, 4, 5), (5, 5, 5))):
        warm_up = {**relations(race=(0, 0, 1), peer=warm), "entity type": {"per": counts(1, 1, 1)}}
        analysis = {
            "warm-up": {"breakdown": warm_up},
            "JMERE-R1": {"breakdown": relations(peer=whole)},
        }
        write_run("jmere_r1", systems, seed=seed, analysis=analysis)


@pytest.mark.usefixtures("two_seeds")
def test_counts_are_added_up_over_seeds(tmp_path: Path) -> None:
    table = of_runs(tmp_path)["toy-jmere-breakdown-relation"]
    assert table.header == ("", "gold", "F1 warm-up", "F1 JMERE-R1", "Δ F1")
    assert table.rows == [
        ["all, quintuple", "24", "20.0", "81.8", "+61.8"],
        ["peer", "10", "22.2", "90.0", "+67.8"],
        ["race", "2", "0.0", "0.0", "+0.0"],
    ]
    assert table.title == "JMERE: breakdown, relation (toy profile)"
    assert table.caption.startswith("JMERE-R1 after its warm-up, experiment jmere_r1, seeds 0, 1;")
    assert {run.seed for value in table.values for run in value.runs} == {0, 1}


@pytest.mark.usefixtures("two_seeds")
def test_every_group_has_a_table(tmp_path: Path) -> None:
    found = of_runs(tmp_path)
    names = ("breakdown-relation", "breakdown-entity-type")
    assert list(found) == [f"toy-jmere-{name}" for name in names]
    row = ["per", "2", "100.0", "0.0", "−100.0"]
    assert found["toy-jmere-breakdown-entity-type"].rows[1] == row


def test_a_label_may_be_empty(tmp_path: Path, write_run: Write) -> None:
    analysis = {"stage 1": {}, "MORE-R1": {"breakdown": relations(**{"": (1, 2, 2)})}}
    write_run("more_r1", {"stage 1": {}, "MORE-R1": {}}, task="more", analysis=analysis)
    assert of_runs(tmp_path)["toy-more-breakdown-relation"].rows[0][:2] == ["–", "2"]


def test_the_methods_own_experiment_comes_first_then_any(tmp_path: Path, write_run: Write) -> None:
    analysis = {"warm-up": {"breakdown": relations(peer=(1, 1, 1))}, "JMERE-R1": {}}
    write_run("default", {}, analysis=analysis)
    write_run("ablation_no_filter", {}, analysis={"JMERE-R1": {}})  # no warm-up in it
    assert "experiment default" in of_runs(tmp_path)["toy-jmere-breakdown-relation"].caption
    write_run("jmere_r1", {}, analysis=analysis)
    assert "experiment jmere_r1" in of_runs(tmp_path)["toy-jmere-breakdown-relation"].caption


def test_runs_without_an_analysis_have_none(tmp_path: Path, write_run: Write) -> None:
    write_run("jmere_r1", {"warm-up": {}, "JMERE-R1": {}})
    assert of_runs(tmp_path) == {}
