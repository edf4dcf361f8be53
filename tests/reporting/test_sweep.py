"""The table of a sweep, from jobs made by hand."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

from rich.console import Console

from helpers.results import SCORES, results_of
from helpers.sweeps import job
from mmie.reporting.sweep import (
    as_csv,
    as_markdown,
    best_of,
    load_jobs,
    score_table,
    short,
    varying,
)
from mmie.results import write_results

ENTITY = replace(SCORES, f1=0.25)


JOBS = [
    job(0, 0.5, test=0.25, alpha="0.123456", filter="[]"),
    job(1, None, error="ValueError: a|b", alpha="1e-5", filter="[]"),
    job(2, 0.625, test=0.5, alpha="0.123456", filter="[a,b]"),
    job(3, 0.625, test=0.75, alpha="1e-5", filter="[a,b]"),
]


def test_what_varies_is_found_and_the_earlier_of_equals_is_best() -> None:
    assert varying(JOBS) == ["alpha", "filter"]
    assert varying(JOBS[2:]) == ["alpha"]
    assert varying([JOBS[0], job(4, 0.1)]) == ["alpha", "filter"]
    best = best_of(JOBS)
    assert best is not None
    assert best.number == 2
    assert best_of([JOBS[1]]) is None
    assert best_of([job(0, 0.0)]) is not None


def test_markdown() -> None:
    assert (
        as_markdown(JOBS, figure=True)
        == """# A sweep of 4 jobs, 1 failed

The best job is chosen by validation F1; the test split chooses nothing.

Best: job 2, `alpha=0.123 filter=[a,b]`, validation F1 62.5 %.

![Validation F1 over what varies](sweep.svg)

| job | alpha | filter | validation F1 | test F1 | seconds | state |
| --- | ---: | ---: | ---: | ---: | ---: | ---: |
| 0 | 0.123 | [] | 50.0 | 25.0 [12.5, 37.5] | 12 | ok |
| 1 | 1e-5 | [] | – | – | 14 | failed |
| 2 | 0.123 | [a,b] | 62.5 | 50.0 [37.5, 62.5] | 14 | best |
| 3 | 1e-5 | [a,b] | 62.5 | 75.0 [62.5, 87.5] | 16 | ok |

## Failed

- job 1, `alpha=1e-5 filter=[]`: ValueError: a\\|b ([error.txt](1/error.txt))
"""
    )


def test_csv() -> None:
    ends = "validation_f1,test_f1,test_f1_low,test_f1_high,seconds,path,error"
    assert as_csv(JOBS[1:3]).splitlines() == [
        f"job,state,best,alpha,filter,{ends}",
        "1,failed,0,1e-5,[],,,,,13.5,1,ValueError: a|b",
        '2,ok,1,0.123456,"[a,b]",0.625,0.5,0.375,0.625,14.5,2,',
    ]


def test_without_values_and_failures_there_is_only_the_table() -> None:
    text = as_markdown([job(0, None), job(1, None)], figure=False)
    assert text.startswith("# A sweep of 2 jobs, 0 failed\n")
    assert "Best: job" not in text
    assert "sweep.svg" not in text
    assert "## Failed" not in text
    assert "| job | validation F1 | test F1 |" in text


def test_the_terminals_table_marks_the_best_and_the_failed(tmp_path: Path) -> None:
    console = Console(width=80, record=True, file=(tmp_path / "log").open("w"))
    console.print(score_table(JOBS))
    rows = [line.split() for line in console.export_text().splitlines()]
    assert ["1", "1e-5", "[]", "–", "–", "14", "failed"] in rows
    assert ["2", "0.123", "[a,b]", "62.5", "50.0", "[37.5,", "62.5]", "14", "best"] in rows
    console.file.close()


def test_numbers_are_cut_and_words_are_not() -> None:
    assert [short(value) for value in ("0.0012345", "16", "100000", "[a.b]", "2.0")] == [
        "0.00123",
        "16",
        "100000",
        "[a.b]",
        "2",
    ]


def test_notes_are_read_with_the_results_beside_them(tmp_path: Path) -> None:
    notes = tmp_path / "jobs"
    notes.mkdir()
    common = {"validation_f1": 0.5, "seconds": 1.0, "error": None}
    for number, folder in ((10, tmp_path / "10"), (9, Path("/elsewhere/9"))):
        note = {
            "job": number,
            "overrides": ["+experiment=sft", "filter=[a=b]"],
            "folder": str(folder),
            **common,
        }
        (notes / f"{number}.json").write_text(json.dumps(note))
    (tmp_path / "10").mkdir()
    measures = {"test/entity": ENTITY, "test/quintuple": SCORES}
    results = results_of(systems={"zero-shot": {"test/quintuple": ENTITY}, "SFT": measures})
    write_results(tmp_path / "10/results.json", results)
    first, second = load_jobs(tmp_path)
    assert (first.number, first.folder, first.test) == (9, "/elsewhere/9", None)
    assert (second.number, second.folder, second.test) == (10, "10", SCORES)
    assert second.overrides == {"experiment": "sft", "filter": "[a=b]"}
