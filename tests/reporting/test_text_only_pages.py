"""Every page of results from a run without pictures says so; other runs' pages do not."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from mmie.reporting.page import write_page
from mmie.reporting.runs import load_runs
from mmie.reporting.tables import tables
from mmie.reporting.terminal import summary

SENTENCE = "Text only: every picture of the data is blank."
SMALL: dict[str, Any] = {
    "profile": "small",
    "notes": {"text_only": SENTENCE},
    "config": {"model": {"_target_": "mmie.models.llava.Llava", "path": "a/smollm2_135m"}},
}


@pytest.mark.parametrize(("changes", "times"), [(SMALL, 1), ({}, 0)])
def test_the_pages_say_it(
    tmp_path: Path,
    write_run: Callable[..., Path],
    scores: Callable[..., dict[str, Any]],
    changes: dict[str, Any],
    times: int,
) -> None:
    for seed in (0, 1):
        rows = {"JMERE-R1": {"quintuple": scores(5, 8, 12)}}
        write_run("jmere_r1", rows, seed=seed, key=f"c{seed}", **changes)
    runs = load_runs([tmp_path / "runs"])
    made = tables(runs)
    assert made
    assert {table.notes.count(SENTENCE) for table in made} == {times}
    page = write_page(runs, tmp_path / "report").read_text(encoding="utf-8")
    assert page.partition("\n## ")[0].count(SENTENCE) == times
    console = Console(record=True, width=200)
    console.print(*summary(runs[0].results))
    assert console.export_text().count(SENTENCE) == times


def test_the_rows_name_the_model(
    tmp_path: Path, write_run: Callable[..., Path], scores: Callable[..., dict[str, Any]]
) -> None:
    write_run("jmere_r1", {"JMERE-R1": {"quintuple": scores(5, 8, 12)}}, **SMALL)
    write_run("mine", {"JMERE-R1": {"quintuple": scores(5, 8, 12)}}, **SMALL)
    rows = {row[0] for table in tables(load_runs([tmp_path / "runs"])) for row in table.rows}
    assert rows == {"JMERE-R1 (SmolLM2-135M, text only)", "mine: JMERE-R1"}
