"""The papers' rows: as the experiments have them, and consistent where the paper is."""

from __future__ import annotations

import re

import pytest

from helpers.configured import experiment_files
from mmie.reporting.published import QWEN, Published, Row, published

PUBLISHED = (*published("jmere"), *published("more"))
TABLE_1, TABLE_2, TABLE_3, MORE_MAIN, _ = PUBLISHED
EXPERIMENTS = experiment_files()
ROWS = [(table, row) for table in PUBLISHED for row in table.rows]
FURTHER = [
    (table, row)
    for task in ("mner", "mre")  # whose own rows no paper prints
    for table in published(task)
    for row in table.rows
]
GIVEN = {  # F1 of the printed P and R where it is not the printed F1
    ("AGBAN+MEGA", "quintuple"): 48.07,
    ("UMGF*", "entity"): 77.09,
    (f"CoT-SFT ({QWEN})", "quintuple"): 46.81,
    ("CoT-SFT", "quintuple"): 46.81,
}


def label(value: Published | Row) -> str:
    return value.name if isinstance(value, Published) else value.label


@pytest.mark.parametrize(("table", "row"), [*ROWS, *FURTHER], ids=label)
def test_rows_are_whole(table: Published, row: Row) -> None:
    assert len(row.printed) == len(table.columns)
    assert bool(row.experiments) == bool(row.system)
    assert row.against in ("", *(other.label for other in table.rows))
    assert set(row.experiments) <= EXPERIMENTS.keys()


@pytest.mark.parametrize(("table", "row"), ROWS, ids=label)
def test_f1_is_that_of_precision_and_recall(table: Published, row: Row) -> None:
    printed = {
        tuple(column.split(".")): value
        for column, value in zip(table.columns.values(), row.printed, strict=True)
    }
    for measure in {measure for measure, _ in printed}:
        p, r, f1 = (printed.get((measure, score)) for score in ("precision", "recall", "f1"))
        if p and r and f1:
            given = GIVEN.get((row.label, measure), f1)
            assert 2 * p * r / (p + r) == pytest.approx(given, abs=0.016)
            assert (given != f1) == any(f"not {f1:.2f}" in remark for remark in table.remarks)


def test_every_experiment_with_a_row_says_what_is_printed() -> None:
    printed = re.compile(r"(Paper: |Acc/).*\d\d\.\d\d/")
    names = {name for name, path in EXPERIMENTS.items() if printed.search(path.read_text("utf-8"))}
    assert names - {"zero_shot_teacher"} == {name for _, row in ROWS for name in row.experiments}
    assert len(names) == 19


def test_labels_are_unique_and_the_rows_are_all() -> None:
    for table in PUBLISHED:
        assert len({row.label for row in table.rows}) == len(table.rows)
    assert [len(table.rows) for table in PUBLISHED] == [17, 8, 3, 12, 4]
    assert {row.label: row.printed[-1] for row in MORE_MAIN.rows}["REMOTE"] == 63.91
    assert [row.printed[2] for row in TABLE_2.rows] == [
        56.84,
        54.93,
        54.04,
        53.11,
        51.46,
        46.77,
        43.35,
        41.76,
    ]
    assert [row.printed for row in TABLE_3.rows] == [
        (9.95, 17.47, 12.68),
        (7.27, 14.10, 9.60),
        (7.41, 13.30, 9.52),
    ]
    assert {row.label: row.printed[2] for row in TABLE_1.rows}["MAF*"] == 53.62


def test_the_further_tasks_have_rows_of_other_systems_and_ours() -> None:
    f1 = {(table.name, row.label): row.printed[-1] for table, row in FURTHER}
    assert f1["mner-twitter-2017", "I2SRM"] == 88.40
    assert f1["mner-twitter-2015", "I2SRM"] == 77.12
    assert f1["mre-mnre", "I2SRM"] == 84.12
    for _, row in FURTHER:
        assert bool(row.experiments) == (row.printed[-1] is None)
    given = {name for _, row in FURTHER for name in row.experiments}
    homes = {name for name, path in EXPERIMENTS.items() if path.parts[-3] in ("mner", "mre")}
    assert given == homes


def test_a_task_without_printed_tables_has_none() -> None:
    assert published("other") == published("../jmere") == published("") == ()
