"""Stage vote: many responses of one system to each test sample, and how good their majority is.

This is figure 5 of JMERE-R1. ``samples.jsonl`` grows with the responses, one line per test sample,
and ``voting.json`` has the scores at the end. The vote of k responses is that of the first k, so
each point of the curve extends the one before. The first response is the one that stage evaluate
scores.

The paper says that 100 responses are drawn for each test sample and joined by "majority voting".
It leaves open what is voted on (the task has its ways) and whether the temperature is that of the
other tests; here it is.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from operator import itemgetter
from pathlib import Path
from statistics import fmean
from typing import Any

from mmie.artifacts import Artifact
from mmie.files import write_json
from mmie.response_blocks import think_text
from mmie.stages import keys
from mmie.stages.answers import AnswerFile, Ask, made_by, sampling
from mmie.stages.context import Context
from mmie.stages.shares import answer_in_shares
from mmie.stages.system import System, answering
from mmie.tasks.task import Task
from mmie.types import Example
from mmie.voting import answer_entropy, chain_distance, distinct_answers

COUNTS = (1, 2, 3, 5, 10, 20, 30, 50, 70, 100)
PARTS = ("f1", "precision", "recall", "ci95")


def vote(context: Context, system: System, data: Artifact) -> dict[str, Any]:
    """Draws ``evaluation.samples`` responses per test sample, lets them vote and scores the votes.

    Args:
        context: the run.
        system: who answers.
        data: the data, whose test split is asked.

    Returns:
        ``voting`` of ``results.json`` for this system, see ``voted``.
    """
    parts = keys.vote(context, system, data)
    with context.open("vote", parts, label=f"vote {system.name}") as stage:
        if stage.new:
            examples = context.examples(data.folder, "test")
            responses = drawn(context, system, examples, stage.work / "samples.jsonl")
            if responses is not None:
                scores = _scores(context, system.task, examples, responses)
                write_json(stage.work / "voting.json", scores)
    voting: dict[str, Any] = stage.artifact.load("voting.json")
    return voting


def _scores(
    context: Context, task: Task, examples: Sequence[Example], responses: Sequence[Sequence[str]]
) -> dict[str, Any]:
    config = context.config.evaluation
    predictions = [_predictions(context, task, row) for row in responses]
    scores = voted(
        task,
        predictions,
        examples,
        bootstrap_samples=config.bootstrap_samples,
        seed=context.config.seed,
    )
    return {**scores, "diversity": diversity(predictions, responses)}


def drawn(
    context: Context, system: System, examples: Sequence[Example], path: Path
) -> list[list[str]] | None:
    """The responses to each sample, in order; a killed run goes on after the last whole line.

    All processes of the run must call it; all but the first get None.

    Args:
        context: the run; ``evaluation`` says how responses are sampled, and how many rows are
            decoded side by side.
        system: who answers.
        examples: the samples.
        path: takes one line per sample: id, responses, parsed (one prediction per response, null
            if it is unparsable).
    """
    config = context.config.evaluation
    with answering(context, system):
        return answer_in_shares(
            context,
            examples,
            _ask_often(context, system.task),
            batch_size=max(1, min(config.batch_size, config.vote_rows // config.samples)),
            file=_sample_file(context, system.task, path),
            label=f"voting ({system.name})",
        )


def _ask_often(context: Context, task: Task) -> Ask[list[str]]:
    config = context.config.evaluation

    def ask(examples: Sequence[Example]) -> list[list[str]]:
        from mmie.training.generate import respond_often  # it loads the model's libraries

        return respond_often(
            context.policy,
            task,
            examples,
            samples=config.samples,
            side_by_side=config.vote_rows,
            sampling=sampling(context.config.evaluation),
            seed=context.config.seed,
            engine=context.engine,
        )

    return ask


def _sample_file(context: Context, task: Task, path: Path) -> AnswerFile[list[str]]:
    def row(example: Example, responses: list[str]) -> dict[str, Any]:
        parsed = _predictions(context, task, responses)
        made = made_by(context.engine.name)
        return {"id": example.id, "responses": responses, "parsed": parsed, **made}

    return AnswerFile(path, row, itemgetter("responses"), keys=["id", "responses"])


def _predictions(context: Context, task: Task, responses: Sequence[str]) -> list[Any | None]:
    lenient = context.config.evaluation.lenient
    return [task.read(response, lenient=lenient).prediction for response in responses]


def voted(
    task: Task,
    predictions: Sequence[Sequence[Any | None]],
    examples: Sequence[Example],
    *,
    bootstrap_samples: int,
    seed: int,
) -> dict[str, Any]:
    """Scores of the votes over the number of responses that vote.

    Args:
        task: has the ways of voting and the measures; ``selection_metric`` is the main one.
        predictions: equally many for each sample, None where the response is unparsable.
        examples: the samples, at least one.
        bootstrap_samples, seed: of the intervals.

    Returns:
        The fields of ``mmie.results.Voting`` but the diversity.
    """
    samples = len(predictions[0])
    counts = [count for count in sorted({*COUNTS, samples}) if count <= samples]
    curves: dict[str, dict[str, dict[str, list[Any]]]] = {}
    for count in counts:
        for way, majority in _majorities(task, predictions, count).items():
            scores = task.score(majority, examples, bootstrap_samples=bootstrap_samples, seed=seed)
            _extend(curves.setdefault(way, {task.selection_metric: {}}), scores)
    by_label: dict[str, dict[str, float]] = {}
    for way, majority in _majorities(task, predictions, samples).items():
        main_group = next(iter(task.breakdown(majority, examples).values()), {})
        by_label[way] = {label: scores["f1"] for label, scores in main_group.items()}
    return {"k": counts, "curves": curves, "by_label": by_label}


def _extend(
    curves: dict[str, dict[str, list[Any]]], scores: Mapping[str, Mapping[str, Any]]
) -> None:
    """Adds one value to the curves of each measure."""
    for measure, values in scores.items():
        curve = curves.setdefault(measure, {})
        for part in PARTS:
            curve.setdefault(part, []).append(values[part])


def diversity(
    predictions: Sequence[Sequence[Any | None]], responses: Sequence[Sequence[str]]
) -> dict[str, float | None]:
    """How much the responses to one sample differ, mean over the samples (see ``mmie.voting``).

    Args:
        predictions: those of each sample, None where a response is unparsable.
        responses: the same as text.

    Returns:
        ``distinct_answers``, ``answer_entropy_bits``, and ``chain_distance`` (0..1) over the
        samples that have at least two chains; None where no sample has.
    """
    chains = [[chain for chain in map(think_text, row) if chain] for row in responses]
    distances = [distance for row in chains if (distance := chain_distance(row)) is not None]
    return {
        "distinct_answers": fmean(distinct_answers(row) for row in predictions),
        "answer_entropy_bits": fmean(answer_entropy(row) for row in predictions),
        "chain_distance": fmean(distances) if distances else None,
    }


def _majorities(
    task: Task, predictions: Sequence[Sequence[Any | None]], count: int
) -> dict[str, list[Any | None]]:
    """Way of voting → what the first ``count`` predictions for each sample amount to."""
    votes = [task.votes(row[:count]) for row in predictions]
    return {way: [vote[way] for vote in votes] for way in votes[0]}
