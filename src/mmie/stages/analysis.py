"""What an evaluation leaves for those who compare and look closer: counts a sample, kinds of errors, breakdowns."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Any

from mmie.artifacts import fingerprint
from mmie.tasks.task import Task
from mmie.types import Example


def analysis(task: Task, predictions: Sequence[Any | None], examples: Sequence[Example], *, truncated: Sequence[bool]) -> dict[str, Any]:
    """The ``analysis`` of one model in ``results.json``.

    Args:
        task: knows what counts as an error.
        predictions: one a sample, None for an invalid answer.
        examples: the test samples, in the same order.
        truncated: whether the response was cut at the length limit.

    Returns:
        ``ids`` (digest of the samples and their gold, in order), ``counts`` (measure → [correct, predicted, gold] a sample),
        ``errors`` (kind → count), ``confusion`` ([gold relation, predicted relation, count], most frequent first), and the task's
        breakdowns.
    """
    counts = [task.counts(prediction, example) for prediction, example in zip(predictions, examples, strict=True)]
    errors: Counter[str] = Counter()
    confusion: Counter[tuple[str, str]] = Counter()
    for prediction, example, cut in zip(predictions, examples, truncated, strict=True):
        errors += task.errors(prediction, example, truncated=cut)
        confusion += task.confused(prediction, example)
    return {
        "ids": fingerprint(samples=[[example.id, task.gold_answer(example)] for example in examples]),
        "counts": {measure: [list(row[measure]) for row in counts] for measure in (counts[0] if counts else {})},
        "errors": dict(errors.most_common()),
        "confusion": [[*pair, count] for pair, count in sorted(confusion.items(), key=lambda item: (-item[1], item[0]))],
        **task.breakdown(predictions, examples),
    }
