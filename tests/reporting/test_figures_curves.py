"""Training curves: what is read from the files beside the results, and how seeds are joined."""

from __future__ import annotations

from pathlib import Path

import pytest

from helpers.runs import run_of
from mmie.errors import InputError
from mmie.reporting.figures import curves
from mmie.reporting.runs import Run


def recorded(folder: Path, rows: str, *, experiment: str = "a", seed: int = 0) -> Run:
    """A run with these rows as its curves."""
    run = run_of(experiment, seed, folder=folder)
    path = run.path.parent / curves.FILE
    path.parent.mkdir(parents=True)
    path.write_text(f"step,name,value\n{rows}", encoding="utf-8")
    return run


def test_a_line_is_the_mean_and_the_range_of_the_seeds(tmp_path: Path) -> None:
    """Half way from 0.4 to 0.8 the second seed has 0.6; after step 2 it goes on alone."""
    first = recorded(tmp_path, "1,val/f1,0.2\n2,val/f1,0.4\n0,seconds/sample,1\n0,train/reward,1\n")
    rows = "1,val/f1,0.4\n3,val/f1,0.8\n4,val/f1,0.9\n0,train/reward,2\n"
    found = curves.select([first, recorded(tmp_path, rows, seed=1)])
    assert [*found] == ["reward", "F1 on the validation split"]
    seeds = found["F1 on the validation split"]["a"]
    assert [*seeds.index] == [1, 2]
    assert [*seeds.mean(axis=1)] == pytest.approx([0.3, 0.5])
    assert (seeds.min(axis=None), seeds.max(axis=None)) == pytest.approx((0.2, 0.6))
    assert [*found["reward"]["a"].mean(axis=1)] == [1.5]


def test_training_is_smoothed_with_the_steps_around_it(tmp_path: Path) -> None:
    rows = "".join(f"{step},train/reward,{step}\n" for step in range(12))
    means = curves.select([recorded(tmp_path, rows)])["reward"]["a"].mean(axis=1)
    assert (means[0], means[6], means[11]) == (2, 6, 9)


def test_the_parts_of_the_reward_follow_it_whatever_they_are_called(tmp_path: Path) -> None:
    rows = "0,train/kl,1\n0,train/r_z,1\n0,train/reward,1\n0,train/other,1\n"
    found = curves.select([recorded(tmp_path, rows)])
    assert [*found] == [
        "reward",
        "r_z, before its weight",
        "KL to the reference",
    ]


def test_of_many_experiments_the_full_method_is_drawn(tmp_path: Path) -> None:
    names = ["b", "c", "d", "e", "jmere_r1"]
    runs = [recorded(tmp_path, "0,train/reward,1\n", experiment=name) for name in names]
    [figure] = curves.figures(runs)
    assert [text.get_text() for text in figure.figure.legends[0].get_texts()] == [
        "jmere_r1, seeds: 1"
    ]


@pytest.mark.parametrize(
    "garbage", ["1,train/reward", "x,train/reward,1", "1,train/reward,much", "1,train/reward,1,2"]
)
def test_a_bad_line_is_named(tmp_path: Path, garbage: str) -> None:
    with pytest.raises(InputError, match=r"metrics/grpo\.csv:2: not step,name,value"):
        curves.select([recorded(tmp_path, f"{garbage}\n")])
