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


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("missing", None, "missing: there is no such file or folder"),
        ("empty/notes.txt", "none", "empty: no results.json there"),
        ("broken/results.json", '{"a":', "results.json: cannot be read as the results of a run"),
        ("other/results.json", '{"a": 1}', "results.json: not the results of a run"),
    ],
)
def test_what_cannot_be_read_costs_a_finished_run_no_more_than_these_rows(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, name: str, content: str | None, message: str
) -> None:
    place = tmp_path / name
    if content is not None:
        place.parent.mkdir()
        place.write_text(content, encoding="utf-8")
        place = place.parent
    assert recorded_beside(OWN, place) == {}
    (line,) = caplog.messages
    assert line.startswith("report.recorded: ")
    assert message in line
    assert line.endswith("the last table goes without it")


def test_a_broken_file_leaves_the_others(folder: Path) -> None:
    (folder / "only_rl" / "results.json").write_text("{", encoding="utf-8")
    assert [*recorded_beside(OWN, folder)] == ["SFT"]


def test_one_file_may_be_named(folder: Path) -> None:
    assert [*recorded_beside(OWN, folder / "only_rl" / "results.json")] == ["Only-RL"]


@pytest.mark.parametrize(
    "change",
    [
        {"analysis": {"SFT": replace(ANALYSIS, counts={"entity": (Counts(1, 2, 2),)})}},
        {"analysis": {"SFT": replace(ANALYSIS, counts={"quintuple": (Counts(1, 2, 3),)})}},
        {"analysis": {"SFT": replace(ANALYSIS, counts={"quintuple": (Counts(1, 2, 2),) * 2})}},
        {"systems": {}},
        {"systems": {"SFT": {"test/quintuple": SCORES, "test/quintuple_strict": SCORES}}},
        {"notes": {"text_only": "every picture is blank"}},
        {"task": "mner"},
        {"config": {"evaluation": {"temperature": 0.0}}},
        {"config": {"evaluation": {"max_new_tokens": 8}}},
    ],
)
def test_what_is_not_measured_alike_does_not_stand_beside(
    tmp_path: Path, change: dict[str, Any]
) -> None:
    write_results(tmp_path / "results.json", of("SFT", "sft"))
    assert [*recorded_beside(OWN, tmp_path)] == ["SFT"]
    write_results(tmp_path / "results.json", of("SFT", "sft", **change))
    assert recorded_beside(OWN, tmp_path) == {}


def test_of_two_runs_the_newest_stands_there(folder: Path) -> None:
    again = folder / "again"
    again.mkdir()
    for day, newest in (("2026-11-22", "again"), ("2026-11-20", "sft-0")):
        date = f"{day}T10:00:00+00:00"
        write_results(again / "results.json", of("SFT", "sft", date=date))
        assert recorded_beside(OWN, folder)["SFT"].path.parent.name == newest


def test_the_rows_are_those_of_the_experiment_s_own_table(tmp_path: Path) -> None:
    about = {"task": "mner", "method": "MNER-R1", "main_measure": "entity"}
    counts = replace(ANALYSIS, counts={"entity": (Counts(1, 2, 2),)})

    def run(system: str, experiment: str) -> Results:
        systems, analysis = {system: {"test/entity": SCORES}}, {system: counts}
        return of(system, experiment, systems=systems, analysis=analysis, **about)

    for name in ("mner_sft", "mner15_sft"):
        (tmp_path / name).mkdir()
        write_results(tmp_path / name / "results.json", run("SFT", name))
    for name in ("mner_r1", "mner15_r1"):
        found = recorded_beside(run("MNER-R1", name), tmp_path)
        assert found["SFT"].experiment == name.replace("_r1", "_sft")


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


def test_a_row_has_the_scores_of_its_own_system(tmp_path: Path) -> None:
    weak = replace(SCORES, f1=0.1, ci95=(0.0, 0.2))
    systems = {"zero-shot": {"test/quintuple": weak}, "SFT": {"test/quintuple": SCORES}}
    write_results(tmp_path / "results.json", of("SFT", "sft", systems=systems))
    table = score_table(replace(OWN, systems={"JMERE-R1": {"test/quintuple": weak}}), {})
    own = [str(cell) for cell in table.columns[-1].cells]
    table = score_table(OWN, recorded_beside(OWN, tmp_path))
    shown = [str(cell) for cell in table.columns[-1].cells]
    assert shown[1] == shown[0] != own[0]  # OWN has the same scores as the recorded SFT
