"""The rows of recorded runs below the own ones of a run of the whole method."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from helpers.results import ANALYSIS, SCORES, results_of
from mmie.reporting.recorded import method_against, recorded_beside
from mmie.reporting.runs import Run
from mmie.reporting.terminal import score_table, summary
from mmie.results import Counts, Results, write_results

WRONG = replace(ANALYSIS, counts={"quintuple": (Counts(0, 2, 2),)})


def of(system: str, experiment: str, **more: Any) -> Results:
    fields: dict[str, Any] = {
        "experiment": experiment,
        "systems": {system: {"test/quintuple": SCORES}},
        "analysis": {system: ANALYSIS},
    }
    return results_of(**{**fields, **more})


OWN = of("JMERE-R1", "default")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Two seeds of SFT, one of Only-RL, and runs that must not stand beside OWN."""
    runs = {
        "sft-1": of("SFT", "sft", seed=1),
        "sft-0": of("SFT", "sft", analysis={"SFT": WRONG}),
        "only_rl": of("Only-RL", "only_rl", seed=3),
        "cot": of("CoT-SFT", "cot_sft", analysis={"CoT-SFT": replace(ANALYSIS, ids="b")}),
        "own": of("JMERE-R1", "jmere_r1"),
        "ablation": of("ablated", "ablation_no_filter"),
        "small": of("CoT-SFT", "cot_sft", profile="small"),
    }
    for name, results in runs.items():
        (tmp_path / name).mkdir()
        write_results(tmp_path / name / "results.json", results)
    return tmp_path


def test_the_same_seed_comes_first(folder: Path) -> None:
    found = recorded_beside(OWN, folder)
    assert {system: run.seed for system, run in found.items()} == {"SFT": 0, "Only-RL": 3}
    other = recorded_beside(replace(OWN, seed=1), folder)
    assert other["SFT"].seed == 1


def test_nothing_stands_beside_a_part_of_the_method(folder: Path) -> None:
    assert recorded_beside(of("CoT-SFT", "cot_sft"), folder) == {}
    assert recorded_beside(replace(OWN, profile="paper"), folder) == {}
    model = {"model": {"_target_": "X", "path": "Qwen/Qwen2.5-VL-7B-Instruct"}}
    assert recorded_beside(replace(OWN, config=model), folder) == {}


def test_there_need_not_be_recorded_runs(tmp_path: Path) -> None:
    assert recorded_beside(OWN, tmp_path / "missing") == {}


def test_the_method_is_compared_with_each() -> None:
    beside = {"SFT": Run(Path("x"), of("SFT", "sft", analysis={"SFT": WRONG}))}
    (made,) = method_against(OWN, beside)
    assert (made.first, made.second) == ("JMERE-R1", "SFT (recorded)")
    assert made.difference == pytest.approx(0.5)  # F1: 1 of 2 and 2 against 0
    assert made.p == 1.0  # one sample, both ways as large


def test_rows_have_an_asterisk_and_an_origin(folder: Path) -> None:
    beside = recorded_beside(OWN, folder)
    table = score_table(OWN, beside)
    assert [str(cell) for cell in table.columns[0].cells] == ["JMERE-R1", "SFT *", "Only-RL *"]
    assert str(table.caption) == (
        "* not trained by this run: recorded with seed 0, 3 at commit aaaaaaaaaa"
    )
    assert len([*summary(OWN, beside)]) == 3
