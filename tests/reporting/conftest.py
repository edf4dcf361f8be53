"""Hand-made results of runs."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest


@pytest.fixture
def scores() -> Callable[..., dict[str, Any]]:
    """``scores(correct, predicted, gold)`` as results.json has them; an interval of 0.1 about F1."""

    def make(correct: int, predicted: int, gold: int, **more: object) -> dict[str, Any]:
        f1 = 2 * correct / (predicted + gold)
        found = {
            "precision": correct / predicted,
            "recall": correct / gold,
            "f1": f1,
            "ci95": [f1 - 0.1, f1 + 0.1],
        }
        return {**found, "correct": correct, "predicted": predicted, "gold": gold, **more}

    return make


@pytest.fixture
def write_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Path]:
    """``write_run(experiment, {model: {measure: scores}}, seed=…, key=…)``; the working folder is that of the runs."""
    monkeypatch.chdir(tmp_path)

    def write(
        experiment: str, models: dict[str, dict[str, Any]], *, folder: str = "", **more: Any
    ) -> Path:
        path = (
            tmp_path / "runs" / (folder or f"{experiment}-{more.get('seed', 0)}") / "results.json"
        )
        path.parent.mkdir(parents=True)
        measured = {
            model: {f"test/{measure}": found for measure, found in measures.items()}
            for model, measures in models.items()
        }
        found = {
            "experiment": experiment,
            "task": "jmere",
            "profile": "toy",
            "seed": 0,
            "commit": 40 * "a",
            "config_fingerprint": "c0",
        }
        path.write_text(json.dumps({**found, "models": measured, **more}), encoding="utf-8")
        return path

    return write
