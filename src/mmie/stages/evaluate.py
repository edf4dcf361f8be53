"""Stage evaluate: responses of one model on the test split, scored; ``predictions.jsonl`` as they come, ``metrics.json`` and
``analysis.json`` at the end."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Protocol

from mmie.files import write_json
from mmie.stages.analysis import analysis
from mmie.stages.answers import Phase, Stage, answered_with, answers
from mmie.stages.context import Context
from mmie.training.generate import Responded
from mmie.types import Example

ANALYSIS = 2  # version of analysis.json; evaluations with another one are made again


class Respond(Protocol):
    """Who answers: one response per sample, in order, which are in the file as well."""

    def __call__(
        self, context: Context, phase: Phase, examples: Sequence[Example], path: Path
    ) -> list[Responded]: ...


def evaluate(
    context: Context,
    phase: Phase,
    data_stage: Stage,
    *,
    respond: Respond = answers,
    parts_of: Callable[[Context, Phase], dict[str, Any]] = answered_with,
) -> Stage:
    """Answers and scores the test split; a killed run goes on after the last whole batch.

    Args:
        context, phase, data_stage: the run, the row of its table, and the data.
        respond: gives the responses; by default the policy does.
        parts_of: all that these depend on, of context and phase.
    """

    draws = context.config.evaluation.bootstrap_samples

    def body(folder: Path) -> None:
        examples = context.examples(data_stage[0], "test")
        responses = respond(context, phase, examples, folder / "predictions.jsonl")
        predictions = [phase.task.parse(response.text) for response in responses]
        scores = phase.task.score(predictions, examples, bootstrap_samples=draws, seed=context.config.seed)
        truncated = [response.truncated for response in responses]
        write_json(folder / "analysis.json", analysis(phase.task, predictions, examples, truncated=truncated))
        write_json(folder / "metrics.json", {f"test/{name}": values for name, values in scores.items()})

    depends = parts_of(context, phase)
    parts = {"data": data_stage[1], "analysis": ANALYSIS, "bootstrap_samples": draws, **depends}
    return context.stage("evaluate", parts, body, label=f"evaluate {phase.name}")


def metrics(folder: Path) -> dict[str, dict[str, Any]]:
    return json.loads((folder / "metrics.json").read_text(encoding="utf-8"))


def analysed(folder: Path) -> dict[str, Any]:
    return json.loads((folder / "analysis.json").read_text(encoding="utf-8"))
