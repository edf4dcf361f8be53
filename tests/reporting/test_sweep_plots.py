"""What the picture of a sweep shows, before it is drawn."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from helpers.sweeps import job, product
from mmie.reporting import sweep_plots
from mmie.reporting.sweep import Job, varying
from mmie.reporting.sweep_plots import (
    draw,
    grid_data,
    heat_map,
    logarithmic,
    panel_data,
    panels,
)

FEW = [job(0, 0.4, a="1", b="x"), job(1, 0.5, a="2", b="y"), job(2, 0.6, a="1", b="y")]


def test_a_key_of_numbers_has_them_in_their_order() -> None:
    scores = enumerate([(0.4, "16"), (0.5, "2"), (0.3, "4")])
    data = panel_data([job(n, f1, test=0.5, size=size) for n, (f1, size) in scores], "size")
    assert data.validation == [(2, 50), (4, 30), (16, 40)]
    assert data.test[0] == (2, 50, 37.5, 62.5)
    assert data.best == (2, 50)


def test_words_stand_side_by_side_and_failures_are_kept() -> None:
    failed = job(2, None, error="x", filter="[b]")
    data = panel_data([job(0, 0.4, filter="[]"), job(1, 0.5, filter="[a]"), failed], "filter")
    assert data.places == {"[]": 0, "[a]": 1, "[b]": 2}
    assert (data.validation, data.failed) == ([(0, 40), (1, 50)], [2])


def test_two_keys_are_a_grid_with_numbers_by_size() -> None:
    data = grid_data(product(size="10,9", filter="[],[a],[b]"), ["size", "filter"])
    assert (data.below, data.side) == ("size", "filter")
    assert data.columns == ["9", "10"]
    texts = {(column, row): text for (row, column), text in data.texts.items()}
    assert texts == {
        (1, 0): "0.0",
        (1, 1): "35.0",
        (1, 2): "15.0",
        (0, 0): "50.0",
        (0, 1): "30.0",
        (0, 2): "failed",
    }
    assert data.best == (0, 0)


@pytest.mark.parametrize(
    ("jobs", "kind"),
    [
        ([job(n, 0.5, a=str(n)) for n in range(3)], panels),
        (FEW, heat_map),
        ([job(n, n / 10, a=f"0.{n}1", b=f"0.{9 - n}1") for n in range(9)], panels),
        ([job(n, 0.5, a=f"0.{n}1", b=f"0.{9 - n}1", c=str(n)) for n in range(9)], panels),
    ],
)
def test_the_kind_of_picture_follows_from_what_varies(jobs: list[Job], kind: Any) -> None:
    assert sweep_plots.kind(jobs, varying(jobs)) is kind


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


def test_numbers_are_spread_evenly() -> None:
    assert logarithmic([1, 10, 100])
    assert not logarithmic([1, 2, 3])
    assert not logarithmic([0, 10, 100])
    assert not logarithmic([5, 5])
