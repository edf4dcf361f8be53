"""What an evaluation leaves for those who compare and look closer: counts a sample, kinds of errors, breakdowns."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Any

from mmie.artifacts import fingerprint
from mmie.tasks.task import Task
from mmie.types import Example, Reading


def analysis(
    task: Task, readings: Sequence[Reading], examples: Sequence[Example], *, truncated: Sequence[bool]
) -> dict[str, Any]:
    """The ``analysis`` of one model in ``results.json``.

    Args:
        task: knows what counts as an error.
        readings: what the reader found, one per sample.
        examples: the test samples, in the same order.
        truncated: whether the response was cut at the length limit.

    Returns:
        ``ids`` (digest of the samples and their gold, in order), ``counts`` (measure → [correct, predicted, gold] of
        each sample), ``right`` (whether the whole answer is, for each sample), ``errors`` (kind → count), ``confusion``
        ([gold relation, predicted relation, count], most frequent first), and the task's breakdowns.
    """
    pairs = [*zip(readings, examples, strict=True)]
    counts = [task.counts(reading.prediction, example, invalid=reading.invalid) for reading, example in pairs]
    right = [task.is_right(reading.prediction, example, invalid=reading.invalid) for reading, example in pairs]
    errors: Counter[str] = Counter()
    confusion: Counter[tuple[str, str]] = Counter()
    for (reading, example), cut in zip(pairs, truncated, strict=True):
        errors += task.errors(reading.prediction, example, truncated=cut, invalid=reading.invalid)
        confusion += task.confused(reading.prediction, example)
    predictions, invalid = [reading.prediction for reading in readings], [reading.invalid for reading in readings]
    return {
        "ids": fingerprint(samples=[[example.id, task.gold_answer(example)] for example in examples]),
        "counts": {measure: [list(row[measure]) for row in counts] for measure in (counts[0] if counts else {})},
        "right": right,
        "errors": dict(errors.most_common()),
        "confusion": [[*pair, count] for pair, count in sorted(confusion.items(), key=lambda item: (-item[1], item[0]))],
        **task.breakdown(predictions, examples, invalid=invalid),
    }
