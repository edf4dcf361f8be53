"""No name from a results file or a configuration leads out of the folder of its file."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from helpers.results import ANALYSIS, SCORES, results_of
from mmie.files import LONGEST_NAME, slug
from mmie.reporting.page import write_page
from mmie.reporting.runs import load_runs
from mmie.results import write_results
from mmie.stages.asking import record_path

HOSTILE = [
    "../../x",
    "/etc/x",
    "..",
    ".",
    "",
    "a/b",
    "a\0b",
    "\ud800",
    "x" * 1000,
    "模型",
    "a\nb",
    "C:\\x",
    "-",
    "~",
]


def test_usual_names_stay_readable() -> None:
    names = ("JMERE-R1", "stage 1", "zero-shot", "  A/B (c) ", "gpt-4o-2024-08-06")
    assert [slug(name) for name in names] == [
        "jmere-r1",
        "stage-1",
        "zero-shot",
        "a-b-c",
        "gpt-4o-2024-08-06",
    ]


@pytest.mark.parametrize("name", HOSTILE)
def test_a_slug_is_one_plain_part_of_a_path(tmp_path: Path, name: str) -> None:
    made = slug(name)
    assert made
    assert made.isascii()
    assert Path(made).name == made
    assert len(made) <= LONGEST_NAME + 20
    (tmp_path / made).touch()


def test_names_without_latin_letters_differ() -> None:
    assert len({slug("模型"), slug("型模"), slug(""), slug("x" * 1000), slug("x" * 1001)}) == 5


@pytest.mark.parametrize("key", ["profile", "experiment", "model"])
def test_a_report_writes_into_its_folder_alone(tmp_path: Path, key: str) -> None:
    run = tmp_path / "a" / "b" / "run"
    (run / "metrics").mkdir(parents=True)
    hostile = "../../../x"
    model = hostile if key == "model" else "JMERE-R1"
    scores = {"test/quintuple": SCORES}
    results = results_of(systems={model: scores}, analysis={model: ANALYSIS})
    changes = {key: hostile} if key != "model" else {}
    write_results(run / "results.json", replace(results, **changes))
    (run / "metrics" / "grpo.csv").write_text(
        "step,name,value\n0,train/reward,1\n1,train/reward,2\n"
    )
    before = {path for path in tmp_path.rglob("*") if path.is_file()}
    report = tmp_path / "a" / "b" / "c" / "d" / "report"
    write_page(load_runs([run]), report)
    written = {path for path in tmp_path.rglob("*") if path.is_file()} - before
    assert len(written) > 4
    assert all(path.is_relative_to(report) for path in written)


def test_a_record_that_has_been_paid_for_stays_in_use(tmp_path: Path) -> None:
    assert record_path(tmp_path, "org/GPT 4.1") == tmp_path / "org-gpt-4-1.jsonl"
    assert record_path(tmp_path / "none", "../x" * 100).parent == tmp_path / "none"
    (tmp_path / "org_GPT 4.1.jsonl").touch()
    assert record_path(tmp_path, "org/GPT 4.1") == tmp_path / "org_GPT 4.1.jsonl"
