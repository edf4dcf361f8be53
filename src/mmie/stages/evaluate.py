"""Stage evaluate: the responses of one system to the test split, scored.

The stage writes ``predictions.jsonl`` as the responses come, and ``metrics.json`` and
``analysis.json`` at the end. ``metrics.json`` has the scores by the reader of
``evaluation.reader`` (``test/quintuple``) and those of the same responses by the other reader
under a name that says so (``test/quintuple_strict``). Tables, tests and the analysis use the
former.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from mmie.artifacts import Artifact
from mmie.config import EvaluationConfig
from mmie.files import write_json
from mmie.results import LENIENT, SPLIT, STRICT
from mmie.stages import keys
from mmie.stages.analysis import analysis
from mmie.stages.context import Context
from mmie.stages.shares import answers
from mmie.stages.system import System
from mmie.tasks.task import Task
from mmie.types import Example, Responded


def evaluate(context: Context, system: System, data: Artifact) -> Artifact:
    """Answers and scores the test split; a killed run goes on after the last whole batch."""
    parts = keys.evaluate(context, system, data)
    with context.open("evaluate", parts, label=f"evaluate {system.name}") as stage:
        if stage.new:
            examples = context.examples(data.folder, "test")
            path = stage.work / "predictions.jsonl"
            responses = answers(context, system, examples, path, context.config.evaluation)
            if responses is not None:
                write_scores(context, system.task, examples, responses, stage.work)
    return stage.artifact


def write_scores(
    context: Context,
    task: Task,
    examples: Sequence[Example],
    responses: Sequence[Responded],
    folder: Path,
) -> None:
    """Writes ``analysis.json`` and ``metrics.json`` of responses to the test split."""
    config = context.config.evaluation
    readings = [task.read(response.text, lenient=config.lenient) for response in responses]
    truncated = [response.truncated for response in responses]
    analysed = analysis(task, readings, examples, truncated=truncated)
    write_json(folder / "analysis.json", analysed)
    texts = [response.text for response in responses]
    scores = scores_of_both(task, texts, examples, config, seed=context.config.seed)
    write_json(folder / "metrics.json", scores)


def scores_of_both(
    task: Task,
    responses: Sequence[str],
    examples: Sequence[Example],
    config: EvaluationConfig,
    *,
    seed: int,
) -> dict[str, dict[str, Any]]:
    """The scores of the responses by both readers.

    Returns:
        ``test/<measure>`` by the chosen reader, then ``test/<measure>_strict`` or ``_lenient`` by
        the other one.
    """
    both: dict[str, dict[str, Any]] = {}
    suffixes = {config.lenient: "", not config.lenient: STRICT if config.lenient else LENIENT}
    for lenient, suffix in suffixes.items():
        readings = [task.read(response, lenient=lenient) for response in responses]
        scores = task.score(
            [reading.prediction for reading in readings],
            examples,
            bootstrap_samples=config.bootstrap_samples,
            seed=seed,
            invalid=[reading.invalid for reading in readings],
        )
        both |= {f"{SPLIT}{measure}{suffix}": values for measure, values in scores.items()}
    return both
