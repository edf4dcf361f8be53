"""The test split by what the warmed-up model gets right, counted by hand."""

import pytest

from helpers.labels import LABELS
from mmie.stages.analysis import analysis, by_difficulty
from mmie.tasks.more.task import MORE
from mmie.tasks.responses import Direct
from mmie.types import Example

GOLD = [LABELS[0], "none", LABELS[1], LABELS[1]]
EXAMPLES = [
    Example(f"test-{n}", "x", (), label, {"entity_count": 1, "object_count": 1})
    for n, label in enumerate(GOLD)
]
ANSWERS = {
    "zero-shot": ["none", "none", "none", "none"],
    "stage 1": [LABELS[0], "none", "none", LABELS[0]],  # right, right, wrong, wrong
    "MORE-R1": [LABELS[0], LABELS[0], LABELS[1], "none"],  # right, wrong, right, wrong
}


def analyses() -> dict:
    task = MORE(labels=LABELS, response=Direct())
    rows = {
        name: [task.read(answer, lenient=True) for answer in row] for name, row in ANSWERS.items()
    }
    return {
        name: analysis(task, row, EXAMPLES, truncated=[False] * 4) for name, row in rows.items()
    }


def test_easy_and_hard_samples_before_and_after() -> None:
    found = by_difficulty(analyses(), "stage 1")
    assert {name: part["samples"] for name, part in found.items()} == {"easy": 2, "hard": 2}
    assert list(found["easy"]["systems"]) == ["stage 1", "MORE-R1"]
    before, after = found["easy"]["systems"].values()
    assert (before["accuracy"]["f1"], after["accuracy"]["f1"]) == (1.0, 0.5)
    # easy after: correct 1, predicted 2, gold 1
    assert after["relation"]["f1"] == pytest.approx(2 / 3)
    before, after = found["hard"]["systems"].values()
    assert (before["accuracy"]["f1"], after["accuracy"]["f1"]) == (0.0, 0.5)
    # hard after: correct 1, predicted 1, gold 2
    assert (after["relation"]["precision"], after["relation"]["recall"]) == (1.0, 0.5)


def test_without_a_later_system_nothing_is_divided() -> None:
    found = analyses()
    assert by_difficulty(found, "CoT-SFT") == {}
    assert by_difficulty({name: found[name] for name in ("zero-shot", "stage 1")}, "stage 1") == {}
