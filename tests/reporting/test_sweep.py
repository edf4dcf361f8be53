"""The table and the picture of a sweep, from jobs made by hand."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest
from matplotlib.colors import to_hex
from matplotlib.patches import Rectangle
from rich.console import Console

from helpers.results import SCORES, results_of
from mmie.reporting.sweep import (
    Job,
    as_csv,
    as_markdown,
    best_of,
    load_jobs,
    score_table,
    short,
    varying,
)
from mmie.reporting.sweep_plots import BEST, draw, heat_map, line, parallel
from mmie.results import write_results

ENTITY = replace(SCORES, f1=0.25)


def job(
    number: int,
    f1: float | None,
    *,
    test: float | None = None,
    error: str | None = None,
    **overrides: str,
) -> Job:
    values, folder = {"seed": "0", **overrides}, str(number)
    if test is None:
        return Job(number, values, f1, None, 12.5 + number, folder, error)
    scores = replace(SCORES, f1=test, ci95=(test - 0.125, test + 0.125))
    return Job(number, values, f1, scores, 12.5 + number, folder, error, "quintuple")


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

| job | alpha | filter | validation F1 | test quintuple F1 | seconds | state | folder |
| --- | ---: | ---: | ---: | ---: | ---: | ---: | ---: |
| 0 | 0.123 | [] | 50.0 | 25.0 [12.5, 37.5] | 12 | ok | 0 |
| 1 | 1e-5 | [] | – | – | 14 | failed | 1 |
| 2 | 0.123 | [a,b] | 62.5 | 50.0 [37.5, 62.5] | 14 | best | 2 |
| 3 | 1e-5 | [a,b] | 62.5 | 75.0 [62.5, 87.5] | 16 | ok | 3 |

## Failed

- job 1, `alpha=1e-5 filter=[]`: ValueError: a\\|b ([error.txt](1/error.txt))
"""
    )


def test_csv() -> None:
    ends = "validation_f1,test_f1,test_f1_low,test_f1_high,seconds,path,error"
    assert as_csv(JOBS[1:3]).splitlines() == [
        f"job,state,alpha,filter,{ends}",
        "1,failed,1e-5,[],,,,,13.5,1,ValueError: a|b",
        '2,best,0.123456,"[a,b]",0.625,0.5,0.375,0.625,14.5,2,',
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
    assert second.measure == "quintuple"
    assert second.overrides == {"experiment": "sft", "filter": "[a=b]"}


def grid(**values: str) -> list[Job]:
    """All pairs, or triples, of comma-separated values; the sixth job failed."""
    rows: list[dict[str, str]] = [{}]
    for name, text in values.items():
        rows = [{**row, name: value} for row in rows for value in text.split(",")]
    return [
        job(
            number,
            None if number == 5 else (number * 7 % 11) / 20,
            error="x" if number == 5 else None,
            **row,
        )
        for number, row in enumerate(rows)
    ]


def test_one_key_is_a_line_with_the_best_starred() -> None:
    jobs = [
        job(number, f1, test=0.5, size=size)
        for number, (f1, size) in enumerate([(0.4, "16"), (0.5, "2"), (0.3, "4")])
    ]
    axis = line(jobs, ["size"]).axes[0]
    drawn = {entry.get_label(): list(zip(*entry.get_data(), strict=True)) for entry in axis.lines}
    assert drawn["validation"] == [(2, 50), (4, 30), (16, 40)]
    assert axis.get_xscale() == "log"
    [star] = [entry for entry in axis.lines if entry.get_marker() == "*"]
    assert (star.get_xdata()[0], star.get_ydata()[0]) == (2, 50)


def test_a_key_of_words_has_no_line_between_them() -> None:
    jobs = [
        job(0, 0.4, filter="[]"),
        job(1, 0.5, filter="[a]"),
        job(2, None, error="x", filter="[b]"),
    ]
    axis = line(jobs, ["filter"]).axes[0]
    assert {entry.get_linestyle() for entry in axis.lines if entry.get_label() == "validation"} == {
        "None"
    }
    assert [label.get_text() for label in axis.get_xticklabels()] == ["[]", "[a]", "[b]"]
    assert "failed" in [text.get_text() for text in axis.texts]


def test_two_keys_are_a_heat_map_with_the_best_framed() -> None:
    jobs = grid(size="10,9", filter="[],[a],[b]")
    axis = heat_map(jobs, ["size", "filter"]).axes[0]
    assert (axis.get_xlabel(), axis.get_ylabel()) == ("size", "filter")
    assert [label.get_text() for label in axis.get_xticklabels()] == ["9", "10"]  # by size
    cells = {text.get_position(): text.get_text() for text in axis.texts}
    assert cells == {
        (1, 0): "0.0",
        (1, 1): "35.0",
        (1, 2): "15.0",
        (0, 0): "50.0",
        (0, 1): "30.0",
        (0, 2): "failed",
    }
    [frame] = [patch for patch in axis.patches if isinstance(patch, Rectangle)]
    assert frame.get_xy() == (-0.5, -0.5)


def test_more_keys_are_a_line_a_job_with_the_best_on_top() -> None:
    jobs = grid(size="2,4", alpha="0,0.1", filter="[],[a]")
    axis = parallel(jobs, ["size", "alpha", "filter"]).axes[0]
    drawn = [entry for entry in axis.lines if entry.get_marker() == "o"]
    assert len(drawn) == 7
    assert to_hex(drawn[-1].get_color()) == BEST.lower()
    assert [entry.get_ydata()[-1] for entry in drawn] == pytest.approx(
        [0, 0.3, 0.5, 0.6, 0.7, 0.9, 1]
    )
    assert drawn[-1].get_ydata()[:3] == pytest.approx(
        [0.25 + 0.15, 0.75 + 0.15, 0.75 + 0.15]
    )  # job 3: 2, 0.1, [a]
    assert "1 of 8 jobs failed" in axis.get_title()


@pytest.mark.parametrize(
    ("jobs", "axes"),
    [
        ([job(0, 0.5), job(1, 0.5)], 0),  # nothing varies
        ([job(0, 0.5, a="1"), job(1, None, a="2")], 0),  # one value
        (JOBS, 2),  # heat map and its colour bar
        (
            [job(n, n / 10, a=f"0.{n}1", b=f"0.{9 - n}1") for n in range(9)],
            1,
        ),  # two keys, but no grid
        ([job(n, 0.5, a=f"0.{n}1", b=f"0.{9 - n}1", c=str(n)) for n in range(9)], 1),  # all equal
    ],
)
def test_the_kind_of_picture_follows_from_what_varies(
    jobs: list[Job], axes: int, tmp_path: Path
) -> None:
    draw(jobs, tmp_path)
    text = (tmp_path / "sweep.svg").read_text(encoding="utf-8") if axes else ""
    assert text.count('<g id="axes_') == axes
    assert sorted(path.name for path in tmp_path.iterdir()) == (
        ["sweep.png", "sweep.svg"] if axes else []
    )
