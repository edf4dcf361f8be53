"""Stage evaluate: responses of one model on the test split, scored; ``predictions.jsonl`` as they
come, ``metrics.json`` and ``analysis.json`` at the end.

``metrics.json`` has the scores by the reader of ``evaluation.reader`` (``test/quintuple``), and
those of the same responses by the other reader under a name that says so
(``test/quintuple_strict``). Tables, tests and the analysis use the former.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Protocol

from mmie.artifacts import Artifact
from mmie.config import EvaluationConfig
from mmie.files import write_json
from mmie.stages import keys
from mmie.stages.analysis import analysis
from mmie.stages.answers import Phase, answers
from mmie.stages.context import Context
from mmie.tasks.task import Task
from mmie.training.generate import Responded
from mmie.types import Example

SUFFIXES = {False: "_strict", True: "_lenient"}  # of a measure by the reader that is not chosen


class Respond(Protocol):
    """Who answers: one response per sample, in order, which are in the file as well."""

    def __call__(
        self, context: Context, phase: Phase, examples: Sequence[Example], path: Path
    ) -> list[Responded]: ...


def evaluate(
    context: Context,
    phase: Phase,
    data_stage: Artifact,
    *,
    respond: Respond = answers,
    parts_of: Callable[[Context, Phase, Artifact], dict[str, Any]] = keys.evaluate,
) -> Artifact:
    """Answers and scores the test split; a killed run goes on after the last whole batch.

    Args:
        context, phase, data_stage: the run, the row of its table, and the data.
        respond: gives the responses; by default the policy does.
        parts_of: the parts of the key, of context, phase and data.
    """

    def body(folder: Path) -> None:
        examples = context.examples(data_stage.folder, "test")
        responses = respond(context, phase, examples, folder / "predictions.jsonl")
        lenient = context.config.evaluation.lenient
        readings = [phase.task.read(response.text, lenient=lenient) for response in responses]
        truncated = [response.truncated for response in responses]
        write_json(
            folder / "analysis.json", analysis(phase.task, readings, examples, truncated=truncated)
        )
        texts = [response.text for response in responses]
        scores = scores_of_both(
            phase.task, texts, examples, context.config.evaluation, seed=context.config.seed
        )
        write_json(folder / "metrics.json", scores)

    parts = parts_of(context, phase, data_stage)
    return context.stage("evaluate", parts, body, label=f"evaluate {phase.name}")


def scores_of_both(
    task: Task,
    responses: Sequence[str],
    examples: Sequence[Example],
    config: EvaluationConfig,
    *,
    seed: int,
) -> dict[str, dict[str, Any]]:
    """``test/<measure>`` by the chosen reader, then ``test/<measure>_strict`` or ``_lenient`` by
    the other one."""
    found: dict[str, dict[str, Any]] = {}
    for lenient, suffix in (
        (config.lenient, ""),
        (not config.lenient, SUFFIXES[not config.lenient]),
    ):
        readings = [task.read(response, lenient=lenient) for response in responses]
        scores = task.score(
            [reading.prediction for reading in readings],
            examples,
            bootstrap_samples=config.bootstrap_samples,
            seed=seed,
            invalid=[reading.invalid for reading in readings],
        )
        found |= {f"test/{measure}{suffix}": values for measure, values in scores.items()}
    return found


def metrics(folder: Path) -> dict[str, dict[str, Any]]:
    return json.loads((folder / "metrics.json").read_text(encoding="utf-8"))


def analysed(folder: Path) -> dict[str, Any]:
    return json.loads((folder / "analysis.json").read_text(encoding="utf-8"))
