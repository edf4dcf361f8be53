"""Runs are found and put in order."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from mmie.errors import InputError
from mmie.reporting.runs import load_runs

Write = Callable[..., Path]


def test_runs_come_in_order_and_once(
    tmp_path: Path, write_run: Write, scores: Callable[..., dict[str, Any]]
) -> None:
    first = write_run("jmere_r1", {}, seed=2)
    write_run("jmere_r1", {}, seed=3, folder="a/deep")
    write_run("cot_sft", {"CoT-SFT": {"quintuple": scores(1, 2, 2)}}, seed=9)
    runs = load_runs([tmp_path, first, first.parent])
    order = [(run.experiment, run.seed) for run in runs]
    assert order == [("cot_sft", 9), ("jmere_r1", 2), ("jmere_r1", 3)]
    assert runs[0].systems["CoT-SFT"]["quintuple"].f1 == 0.5


def test_predictions_lie_beside_the_results(write_run: Write) -> None:
    path = write_run("jmere_r1", {})
    [run] = load_runs([path])
    assert run.predictions("JMERE-R1") is None
    (path.parent / "predictions").mkdir()
    (path.parent / "predictions" / "jmere-r1.jsonl").touch()
    assert run.predictions("JMERE-R1") == path.parent / "predictions" / "jmere-r1.jsonl"


def test_an_empty_folder_is_named(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"no results\.json there"):
        load_runs([tmp_path])
