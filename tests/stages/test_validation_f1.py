"""What a sweeper may choose by."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from mmie.artifacts import Store
from mmie.results import StageRecord
from mmie.stages.learn import validation_f1


@pytest.mark.parametrize(
    ("names", "expected"),
    [(["data", "sft", "grpo"], 0.5), (["data", "sft"], 0.25), (["data", "filter"], None)],
)
def test_it_is_the_best_of_the_last_training(
    names: list[str], expected: float | None, tmp_path: Path
) -> None:
    """Whether this run has trained it or not; the test split has no say in it."""
    store = Store(tmp_path)
    for name, best in (("sft", 0.25), ("grpo", 0.5)):
        folder = store.path(name, f"key of {name}")
        folder.mkdir(parents=True)
        (folder / "validations.json").write_text(json.dumps({"best_f1": best}))
    stages = {
        name: StageRecord(seconds=0.0, made_in=1.0, cached=True, key=f"key of {name}")
        for name in names
    }
    assert validation_f1(store, stages) == expected
