"""What an evaluation leaves for those who compare and look closer: counts a sample, kinds of
errors, breakdowns."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any

from mmie.artifacts import fingerprint
from mmie.metrics import prf
from mmie.tasks.task import Task
from mmie.types import Example, Reading


def analysis(
    task: Task,
    readings: Sequence[Reading],
    examples: Sequence[Example],
    *,
    truncated: Sequence[bool],
) -> dict[str, Any]:
    """The ``analysis`` of one model in ``results.json``.

    Args:
        task: knows what counts as an error.
        readings: what the reader found, one per sample.
        examples: the test samples, in the same order.
        truncated: whether the response was cut at the length limit.

    Returns:
        ``ids`` (digest of the samples and their gold, in order), ``counts`` (measure → [correct,
        predicted, gold] of each sample), ``right`` (whether the whole answer is, for each sample),
        ``errors`` (kind → count), ``confusion`` ([gold relation, predicted relation, count], most
        frequent first), and the task's breakdowns.
    """
    pairs = [*zip(readings, examples, strict=True)]
    counts = [
        task.counts(reading.prediction, example, invalid=reading.invalid)
        for reading, example in pairs
    ]
    right = [
        task.is_right(reading.prediction, example, invalid=reading.invalid)
        for reading, example in pairs
    ]
    errors: Counter[str] = Counter()
    confusion: Counter[tuple[str, str]] = Counter()
    for (reading, example), cut in zip(pairs, truncated, strict=True):
        errors += task.errors(reading.prediction, example, truncated=cut, invalid=reading.invalid)
        confusion += task.confused(reading.prediction, example)
    predictions, invalid = (
        [reading.prediction for reading in readings],
        [reading.invalid for reading in readings],
    )
    return {
        "ids": fingerprint(
            samples=[[example.id, task.gold_answer(example)] for example in examples]
        ),
        "counts": {
            measure: [list(row[measure]) for row in counts]
            for measure in (counts[0] if counts else {})
        },
        "right": right,
        "errors": dict(errors.most_common()),
        "confusion": [
            [*pair, count]
            for pair, count in sorted(confusion.items(), key=lambda item: (-item[1], item[0]))
        ],
        **task.breakdown(predictions, examples, invalid=invalid),
    }


def by_difficulty(analyses: Mapping[str, Mapping[str, Any]], warmed_up: str) -> dict[str, Any]:
    """The test split by what the warmed-up model gets right and wrong, with the scores before and
    after RL (MORE-R1).

    The warmed-up model's own scores follow from the division, and its luck in drawing these
    answers is part of it: on another draw it would do worse on the easy part and better on the
    hard one. Read the later system's scores with that in mind.

    Args:
        analyses: system → its ``analysis``, in the order of the run's table.
        warmed_up: the system that divides the samples.

    Returns:
        ``easy`` and ``hard``: ``samples`` (their number) and ``systems``: system → measure →
        scores and counts, where the F1 of MORE's ``accuracy`` is the accuracy. Empty where no
        system follows the warmed-up one.
    """
    systems = [*analyses]
    later = systems[systems.index(warmed_up) :] if warmed_up in systems else []
    if len(later) < 2:
        return {}
    right = analyses[warmed_up]["right"]
    parts = {"easy": [place for place, good in enumerate(right) if good]}
    parts["hard"] = [place for place, good in enumerate(right) if not good]
    return {
        name: {
            "samples": len(places),
            "systems": {system: _scores_at(analyses[system], places) for system in later},
        }
        for name, places in parts.items()
    }


def _scores_at(analysed: Mapping[str, Any], places: Sequence[int]) -> dict[str, dict[str, Any]]:
    scores = {}
    for measure, rows in analysed["counts"].items():
        correct, predicted, gold = (sum(rows[place][part] for place in places) for part in range(3))
        scores[measure] = asdict(prf(correct, predicted, gold))
    return scores
