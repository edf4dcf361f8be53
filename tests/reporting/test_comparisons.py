"""Rows are held against the full system on the same test samples, seed by seed, or not at all."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from mmie.errors import InputError
from mmie.reporting import run_selection
from mmie.reporting.runs import load_runs
from mmie.reporting.table import Table
from mmie.reporting.tables import tables

Write = Callable[..., Path]
Scores = Callable[..., dict[str, Any]]


def made(tmp_path: Path) -> dict[str, Table]:
    return {table.name: table for table in tables(load_runs([tmp_path / "runs"]))}


def cells(table: Table, row: str) -> list[str]:
    [found] = [cells for cells in table.rows if cells[0] == row]
    return list(found[1:])


def analysis(ids: str, counts: list[list[int]], measure: str = "quintuple") -> dict[str, Any]:
    return {"ids": ids, "counts": {measure: counts}}


def test_seeds_are_compared_on_the_same_test_samples_together(
    tmp_path: Path, write_run: Write, scores: Scores, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Seed 2 has no partner."""
    asked: list[Any] = []
    monkeypatch.setattr(
        run_selection,
        "randomisation_over_seeds",
        lambda *sides: asked.append(sides) or type("Found", (), {"p": 0.0004}),
    )
    for seed in (0, 1, 2):
        full = {"JMERE-R1": analysis("x", [[seed, 2, 2], [1, 1, 2]])}
        write_run(
            "jmere_r1", {"JMERE-R1": {"quintuple": scores(6, 8, 12)}}, seed=seed, analysis=full
        )
    for seed in (1, 0):
        less = {"JMERE-R1": analysis("x", [[0, 1, 2], [1, 3, 2]])}
        write_run(
            "ablation_no_filter",
            {"JMERE-R1": {"quintuple": scores(4 + seed, 8, 12)}},
            seed=seed,
            analysis=less,
        )
    table = made(tmp_path)["toy-jmere-table-2"]
    assert cells(table, "JMERE-R1 w/o all filters (toy Qwen2.5-VL, 1.1 M)")[-2:] == [
        "−15.0",
        "< 0.001",
    ]
    less, full = asked[0]
    assert less == [((0, 1, 2), (1, 3, 2))] * 2
    assert full == [((0, 2, 2), (1, 1, 2)), ((1, 2, 2), (1, 1, 2))]
    assert len(asked) == 1
    row = "JMERE-R1 w/o all filters (toy Qwen2.5-VL, 1.1 M)"
    compared = {
        value.column: value for value in table.values if value.row == row and len(value.runs) > 2
    }
    assert {column: value.value for column, value in compared.items()} == {
        "Δ F1": pytest.approx(-0.15),
        "p": 0.0004,
    }
    assert {run.seed for run in compared["p"].runs} == {0, 1}
    assert len(compared["p"].runs) == 4


def test_seeds_with_test_sets_of_their_own_have_a_difference_and_no_p(
    tmp_path: Path, write_run: Write, scores: Scores
) -> None:
    for seed in (0, 1):
        for experiment, correct in (("jmere_r1", 6), ("ablation_no_filter", 4)):
            told = {"JMERE-R1": analysis(f"set {seed}", [[1, 2, 3], [0, 1, 2]])}
            write_run(
                experiment,
                {"JMERE-R1": {"quintuple": scores(correct, 8, 12)}},
                seed=seed,
                analysis=told,
            )
    assert cells(
        made(tmp_path)["toy-jmere-table-2"], "JMERE-R1 w/o all filters (toy Qwen2.5-VL, 1.1 M)"
    )[-2:] == ["−20.0", "–"]


@pytest.mark.parametrize("ids", ["x", "y"])
def test_different_test_sets_are_not_compared(
    tmp_path: Path, write_run: Write, scores: Scores, ids: str
) -> None:
    counts = [[1, 2, 3], [0, 1, 2]]
    for experiment, mark in (("jmere_r1", "x"), ("ablation_no_filter", ids)):
        write_run(
            experiment,
            {"JMERE-R1": {"quintuple": scores(4, 8, 12)}},
            analysis={"JMERE-R1": analysis(mark, counts)},
        )
    expected = ["+0.0", "1.000"] if ids == "x" else ["–", "–"]
    assert (
        cells(
            made(tmp_path)["toy-jmere-table-2"], "JMERE-R1 w/o all filters (toy Qwen2.5-VL, 1.1 M)"
        )[-2:]
        == expected
    )


def test_test_sets_of_unequal_size_are_not_compared_without_digests(
    tmp_path: Path, write_run: Write, scores: Scores
) -> None:
    write_run("jmere_r1", {"JMERE-R1": {"quintuple": scores(4, 8, 12)}})
    write_run("ablation_no_filter", {"JMERE-R1": {"quintuple": scores(4, 8, 10)}})
    assert cells(
        made(tmp_path)["toy-jmere-table-2"], "JMERE-R1 w/o all filters (toy Qwen2.5-VL, 1.1 M)"
    )[-2:] == ["–", "–"]


@pytest.mark.parametrize(
    ("counts", "message"),
    [
        ([[1, 2]], r"quintuple\[0\] is \[1, 2\] and not a list of 3"),
        ([1], "is 1 and not a list"),
        (None, "quintuple is null and not a list"),
        ([[None, 2, 3]], r"quintuple\[0\]\[0\] is null and not a whole number"),
        ([[1, 2, 3]] * 2, "counts of 1 and 2 samples"),
        ([[1, 2, 4]], "counts of 1 and 1 samples, or other gold"),
    ],
)
def test_counts_that_cannot_be_are_named(
    tmp_path: Path, write_run: Write, scores: Scores, counts: Any, message: str
) -> None:
    for experiment, found in (("ablation_no_filter", [[1, 2, 3]]), ("jmere_r1", counts)):
        write_run(
            experiment,
            {"JMERE-R1": {"quintuple": scores(4, 8, 12)}},
            analysis={"JMERE-R1": analysis("x", found)},
        )
    with pytest.raises(InputError, match=message):
        made(tmp_path)
