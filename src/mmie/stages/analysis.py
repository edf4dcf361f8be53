"""What an evaluation leaves for comparisons and a closer look.

That is the counts of each sample, the kinds of errors, and scores by label.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any

from mmie.artifacts import fingerprint
from mmie.metrics import prf
from mmie.tasks.task import Task
from mmie.types import Example, Judged, Reading


def analysis(
    task: Task,
    readings: Sequence[Reading],
    examples: Sequence[Example],
    *,
    truncated: Sequence[bool],
) -> dict[str, Any]:
    """The ``analysis`` of one system in ``results.json``.

    Args:
        task: judges the answers.
        readings: the prediction for each sample.
        examples: the test samples, in the same order.
        truncated: whether the response was cut at the length limit.

    Returns:
        ``ids`` (digest of the samples and their gold, in order), ``counts`` (measure → [correct,
        predicted, gold] of each sample), ``right`` (whether the whole answer is, for each sample),
        ``errors`` (kind → count), ``confusion`` ([gold label, predicted label, count], most
        frequent first; "" stands for nothing) and ``breakdown`` (group → label → scores).
    """
    counts: dict[str, list[list[int]]] = {}
    right, errors, confusion = [], Counter[str](), Counter[tuple[str, str]]()
    for reading, example, cut in zip(readings, examples, truncated, strict=True):
        answer, invalid = reading.prediction, reading.invalid
        for measure, row in task.counts(answer, example, invalid=invalid).items():
            counts.setdefault(measure, []).append(list(row))
        parts = task.judge(answer, example, truncated=cut, invalid=invalid)
        right.append(not any(part.kind for part in parts))
        errors.update(part.kind for part in parts if part.kind)
        confusion.update(_labels(part) for part in parts if part.said or part.meant)
    samples = [[example.id, task.gold_answer(example)] for example in examples]
    return {
        "ids": fingerprint(samples=samples),
        "counts": counts,
        "right": right,
        "errors": dict(errors.most_common()),
        "confusion": _most_frequent_first(confusion),
        "breakdown": task.breakdown(
            [reading.prediction for reading in readings],
            examples,
            invalid=[reading.invalid for reading in readings],
        ),
    }


def _labels(part: Judged) -> tuple[str, str]:
    """The label of the gold and of the answer, "" for nothing."""
    return part.meant[-1] if part.meant else "", part.said[-1] if part.said else ""


def _most_frequent_first(confusion: Mapping[tuple[str, str], int]) -> list[list[str | int]]:
    rows = sorted(confusion.items(), key=lambda item: (-item[1], item[0]))
    return [[*labels, count] for labels, count in rows]


def by_difficulty(analyses: Mapping[str, Mapping[str, Any]], warmed_up: str) -> dict[str, Any]:
    """The test split by what the warmed-up system gets right, with the scores before and after RL.

    This is an analysis of MORE-R1. The warmed-up system's own scores follow from the division, and
    its luck in drawing these answers is part of it: on another draw it would do worse on the easy
    part and better on the hard one. Read the later system's scores with that in mind.

    Args:
        analyses: system → its ``analysis``, in the order of the run's table.
        warmed_up: the system that divides the samples.

    Returns:
        ``easy`` and ``hard``: ``samples`` (their number) and ``systems``: system → measure →
        scores and counts, where the F1 of ``accuracy`` is the accuracy. Empty where no
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
