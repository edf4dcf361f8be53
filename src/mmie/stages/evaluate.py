"""Stage evaluate: responses of one model on the test split, scored; ``predictions.jsonl`` as they come, ``metrics.json`` at the end."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from mmie.files import write_json
from mmie.stages.answers import Phase, Stage, answered_with, answers
from mmie.stages.context import Context


def evaluate(context: Context, phase: Phase, data_stage: Stage) -> Stage:
    """Answers and scores the test split; a killed run goes on after the last whole batch."""

    def body(folder: Path) -> None:
        examples = context.examples(data_stage[0], "test")
        responses = answers(context, phase, examples, folder / "predictions.jsonl")
        scores = phase.task.score(
            [phase.task.parse(response) for response in responses], examples,
            bootstrap_samples=context.config.evaluation.bootstrap_samples, seed=context.config.seed,
        )  # fmt: skip
        write_json(folder / "metrics.json", {f"test/{name}": values for name, values in scores.items()})

    parts = {"data": data_stage[1], **answered_with(context, phase)}
    return context.stage("evaluate", parts, body, label=f"evaluate {phase.name}")


def metrics(folder: Path) -> dict[str, dict[str, Any]]:
    return json.loads((folder / "metrics.json").read_text(encoding="utf-8"))
