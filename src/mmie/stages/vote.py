"""Stage vote: many responses of one model to each test sample, and how good their majority is
(JMERE-R1, figure 5).

``samples.jsonl`` grows with the responses, a line a test sample; ``voting.json`` has the scores at
the end. The vote of k responses is that of the first k, so that each point of the curve extends
the one before; the first response is the one that stage evaluate scores.

The paper says that 100 responses are drawn for each test sample and "majority voting" joins them.
It leaves open what is voted on (the task has its ways) and whether the temperature is that of the
other tests; here it is.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from statistics import fmean
from typing import Any

from mmie.artifacts import Artifact
from mmie.files import read_and_repair_jsonl, write_json
from mmie.response_blocks import think_text
from mmie.stages import keys
from mmie.stages.answers import Phase, answering
from mmie.stages.context import Context
from mmie.tasks.task import Task
from mmie.training.generate import Sampling, respond_often
from mmie.types import Example
from mmie.voting import answer_entropy, chain_distance, distinct_answers

COUNTS = (1, 2, 3, 5, 10, 20, 30, 50, 70, 100)
PARTS = ("f1", "precision", "recall", "ci95")


def vote(context: Context, phase: Phase, data_stage: Artifact) -> dict[str, Any]:
    """Draws ``evaluation.samples`` responses a test sample, lets them vote and scores the votes.

    Args:
        context: the run.
        phase: who answers.
        data_stage: the data, whose test split is asked.

    Returns:
        ``voting`` of ``results.json`` for this model, see ``voted``.
    """
    config = context.config.evaluation

    def body(folder: Path) -> None:
        examples = context.examples(data_stage.folder, "test")
        responses = drawn(context, phase, examples, folder / "samples.jsonl")
        predictions = [
            [phase.task.read(text, lenient=config.lenient).prediction for text in row]
            for row in responses
        ]
        scores = voted(
            phase.task,
            predictions,
            examples,
            bootstrap_samples=config.bootstrap_samples,
            seed=context.config.seed,
        )
        write_json(
            folder / "voting.json", {**scores, "diversity": diversity(predictions, responses)}
        )

    parts = keys.vote(context, phase, data_stage)
    artifact = context.stage("vote", parts, body, label=f"vote {phase.name}")
    return json.loads((artifact.folder / "voting.json").read_text(encoding="utf-8"))


def drawn(
    context: Context, phase: Phase, examples: Sequence[Example], path: Path
) -> list[list[str]]:
    """The responses to each sample, in order; a killed run goes on after the last whole line of
    the file.

    Args:
        context: the run; ``evaluation`` says how is sampled, and how many rows are decoded side by
            side.
        phase: who answers.
        examples: the samples.
        path: a line a sample: id, responses, parsed (a prediction a response, null where it is
            unparsable).
    """
    config = context.config.evaluation
    done: list[list[str]] = [
        row["responses"] for row in read_and_repair_jsonl(path, keys=["responses"])
    ]
    left = examples[len(done) :]
    width = max(1, min(config.batch_size, config.vote_rows // config.samples))
    with (
        answering(context, phase),
        context.progress(f"voting ({phase.name})", len(left)) as advance,
    ):
        for start in range(0, len(left), width):
            part = left[start : start + width]
            responses = respond_often(
                context.policy,
                phase.task,
                part,
                samples=config.samples,
                side_by_side=config.vote_rows,
                sampling=Sampling(config.temperature, config.max_new_tokens),
                seed=context.config.seed,
            )
            with path.open("a", encoding="utf-8") as file:
                file.writelines(
                    _line(phase.task, *pair, lenient=config.lenient)
                    for pair in zip(part, responses, strict=True)
                )
            done += responses
            advance(len(part))
    return done


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
        ``k``: the numbers of responses; each way of voting: ``f1``, ``precision``, ``recall``
        (0..1) and ``ci95`` of F1 [low, high] of the main measure, one value for each k, and the
        same of each further measure (``entity``) under its name; ``per_relation``: way of voting →
        relation → F1 where all responses vote.
    """
    samples = len(predictions[0])
    counts = [count for count in sorted({*COUNTS, samples}) if count <= samples]
    curves: dict[str, dict[str, Any]] = {}
    for count in counts:
        for way, majority in _majorities(task, predictions, count).items():
            scores = task.score(majority, examples, bootstrap_samples=bootstrap_samples, seed=seed)
            _extend(curves.setdefault(way, {}), scores, main=task.selection_metric)
    final = {
        way: next(iter(task.breakdown(majority, examples).values()), {})
        for way, majority in _majorities(task, predictions, samples).items()
    }
    per_relation = {
        way: {relation: found["f1"] for relation, found in scores.items()}
        for way, scores in final.items()
    }
    return {"k": counts, **curves, "per_relation": per_relation}


def _extend(curve: dict[str, Any], scores: dict[str, dict[str, Any]], *, main: str) -> None:
    """One value more on each curve: the main measure's lists lie in ``curve`` itself, another
    one's under its name."""
    for measure, values in scores.items():
        lists = curve if measure == main else curve.setdefault(measure, {})
        for part in PARTS:
            lists.setdefault(part, []).append(values[part])


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


def _line(task: Task, example: Example, responses: Sequence[str], *, lenient: bool) -> str:
    parsed = [task.read(response, lenient=lenient).prediction for response in responses]
    row = {"id": example.id, "responses": responses, "parsed": parsed}
    return json.dumps(row, ensure_ascii=False) + "\n"
