"""What the picture of a sweep shows."""

from __future__ import annotations

from pathlib import Path

import pytest

from helpers.sweeps import job, product
from mmie.reporting.sweep import Job
from mmie.reporting.sweep_plots import draw, places

FEW = [job(0, 0.4, a="1", b="x"), job(1, 0.5, a="2", b="y"), job(2, 0.6, a="1", b="y")]


def test_numbers_stand_where_they_belong() -> None:
    jobs = [job(number, 0.5, size=size) for number, size in enumerate(("16", "2", "4"))]
    assert places(jobs, "size") == ({"16": 16, "2": 2, "4": 4}, True)


@pytest.mark.parametrize("last", ["[b]", "nan", "inf"])
def test_words_stand_side_by_side(last: str) -> None:
    jobs = [job(number, 0.5, key=key) for number, key in enumerate(("7", "3", last))]
    assert places(jobs, "key") == ({"7": 0, "3": 1, last: 2}, False)


@pytest.mark.parametrize("jobs", [FEW[:1] * 2, [job(0, 0.5, a="1"), job(1, None, a="2")]])
def test_nothing_is_drawn_where_there_is_nothing_to_compare(
    jobs: list[Job], tmp_path: Path
) -> None:
    draw(jobs, tmp_path)
    assert not [*tmp_path.iterdir()]


@pytest.mark.parametrize(
    "jobs",
    [
        [job(0, 0.4, test=0.5, a="1"), job(1, 0.5, a="100"), job(2, None, error="x", a="10")],
        FEW,
        product(size="2,4", alpha="0,0.1", filter="[],[a]"),
    ],
)
def test_each_kind_is_drawn(jobs: list[Job], tmp_path: Path) -> None:
    draw(jobs, tmp_path)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["sweep.png", "sweep.svg"]
