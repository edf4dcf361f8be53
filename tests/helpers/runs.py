"""Runs that lie in memory only."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from helpers.results import results_of
from mmie.reporting.runs import Run
from mmie.results import Scores

NOWHERE = Path("/runs")


def run_of(experiment: str = "a", seed: int = 0, *, folder: Path = NOWHERE, **changes: Any) -> Run:
    """A run whose results have these fields changed; files beside it would lie in ``folder``."""
    results = results_of(experiment=experiment, seed=seed, **changes)
    return Run(folder / f"{experiment}-{seed}-{results.date}" / "results.json", results)


def scores_of(correct: int, predicted: int = 10, gold: int = 10) -> Scores:
    """Scores with an interval of 0.1 about F1."""
    f1 = 2 * correct / (predicted + gold)
    return Scores(
        precision=correct / predicted,
        recall=correct / gold,
        f1=f1,
        correct=correct,
        predicted=predicted,
        gold=gold,
        ci95=(f1 - 0.1, f1 + 0.1),
    )
