"""Stage evaluate: responses of one model on the test split, scored; ``predictions.jsonl`` as they come, ``metrics.json`` and
``analysis.json`` at the end."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from mmie.files import write_json
from mmie.stages.analysis import analysis
from mmie.stages.answers import Phase, Stage, answered_with, answers
from mmie.stages.context import Context
from mmie.training.generate import Responded
from mmie.types import Example

ANALYSIS = 2  # version of analysis.json; evaluations with another one are made again


def evaluate(context: Context, phase: Phase, data_stage: Stage) -> Stage:
    """Answers and scores the test split; a killed run goes on after the last whole batch."""

    draws = context.config.evaluation.bootstrap_samples

    def body(folder: Path) -> None:
        examples = context.examples(data_stage[0], "test")
        responses = answers(context, phase, examples, folder / "predictions.jsonl")
        write_scores(context, phase, examples, responses, folder)

    parts = {"data": data_stage[1], "analysis": ANALYSIS, "bootstrap_samples": draws, **answered_with(context, phase)}
    return context.stage("evaluate", parts, body, label=f"evaluate {phase.name}")


def write_scores(context: Context, phase: Phase, examples: Sequence[Example], responses: Sequence[Responded], folder: Path) -> None:
    """Writes ``analysis.json`` and ``metrics.json`` of the responses, one per sample and in the samples' order."""
    draws, seed = context.config.evaluation.bootstrap_samples, context.config.seed
    predictions = [phase.task.parse(response.text) for response in responses]
    scores = phase.task.score(predictions, examples, bootstrap_samples=draws, seed=seed)
    truncated = [response.truncated for response in responses]
    write_json(folder / "analysis.json", analysis(phase.task, predictions, examples, truncated=truncated))
    write_json(folder / "metrics.json", {f"test/{name}": values for name, values in scores.items()})


def metrics(folder: Path) -> dict[str, dict[str, Any]]:
    return json.loads((folder / "metrics.json").read_text(encoding="utf-8"))


def analysed(folder: Path) -> dict[str, Any]:
    return json.loads((folder / "analysis.json").read_text(encoding="utf-8"))
