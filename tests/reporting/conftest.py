"""Hand-made results of runs."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from helpers.results import NO_ANALYSIS, results_of
from mmie.json_types import to_json

MORE = {
    "main_measure": "relation",
    "unit": "facts",
    "method": "MORE-R1",
    "warmed_up": "stage 1",
}


@pytest.fixture
def scores() -> Callable[..., dict[str, Any]]:
    """``scores(correct, predicted, gold)`` as results.json has them; F1 ± 0.1 as the interval."""

    def make(correct: int, predicted: int, gold: int, **more: object) -> dict[str, Any]:
        f1 = 2 * correct / (predicted + gold)
        shares = {"precision": correct / predicted, "recall": correct / gold, "f1": f1}
        counts = {"correct": correct, "predicted": predicted, "gold": gold}
        return {**shares, **counts, "ci95": [f1 - 0.1, f1 + 0.1], **more}

    return make


@pytest.fixture
def write_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Path]:
    """``write_run(experiment, {system: {measure: scores}}, seed=…, key=…)`` writes results.json.

    Analyses may be given in part. The working folder is that of the runs.
    """
    monkeypatch.chdir(tmp_path)

    def write(
        experiment: str, systems: dict[str, dict[str, Any]], *, folder: str = "", **more: Any
    ) -> Path:
        name = folder or f"{experiment}-{more.get('seed', 0)}"
        path = tmp_path / "runs" / name / "results.json"
        path.parent.mkdir(parents=True)
        found = to_json(results_of(experiment=experiment))
        found |= MORE if more.get("task") == "more" else {}
        found["systems"] = {
            system: {f"test/{measure}": scores for measure, scores in measures.items()}
            for system, measures in systems.items()
        }
        analyses = more.pop("analysis", {})
        found["analysis"] = {name: {**NO_ANALYSIS, **part} for name, part in analyses.items()}
        path.write_text(json.dumps({**found, **more}), encoding="utf-8")
        return path

    return write
