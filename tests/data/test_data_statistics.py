"""Counts by hand."""

import io
import json
from pathlib import Path
from typing import Any

from rich.console import Console

from mmie.data.statistics import statistics, statistics_table
from mmie.tasks.jmere.task import entities
from mmie.types import Example, Picture, Quintuple

JOSH = Quintuple("Josh", "per", "Browns", "org", "member of")
BAKER = Quintuple("Baker", "per", "Browns", "org", "member of")
PEER = Quintuple("Josh", "per", "Baker", "per", "peer")
SPLITS = {
    "train": [
        Example("a", "one two three", (Picture(Path("a.jpg")),), (JOSH, BAKER, PEER)),
        Example("b", "one two", (Picture(None),), (JOSH,)),
    ],
    "test": [Example("c", "one two", (Picture(None),), ())],
}


class Quintuples:
    """A task as far as the statistics know it."""

    unit = "quintuples"

    def size(self, example: Example) -> int:
        return len(example.gold)

    def labels_of(self, example: Example) -> dict[str, list[str]]:
        types = [kind for _, kind in entities(example.gold)]
        return {"type": types, "relation": [item.relation for item in example.gold]}


class Facts:
    unit = "facts"

    def size(self, example: Example) -> int:
        return 1

    def labels_of(self, example: Example) -> dict[str, list[str]]:
        return {"label": [example.gold]}


def counted(splits: dict[str, list[Example]]) -> dict[str, Any]:
    return statistics(splits, Quintuples())


def test_counts() -> None:
    stats = counted(SPLITS)
    assert stats == {
        "train": {
            "samples": 2,
            "quintuples": 4,
            "labels": {
                "type": {"per": 3, "org": 2},  # Josh, Baker; Josh again in the other sample
                "relation": {"member of": 3, "peer": 1},
            },
            "words": {"mean": 2.5, "max": 3},
            "blank_pictures": 1,
        },
        "test": {
            "samples": 1,
            "quintuples": 0,
            "labels": {"type": {}, "relation": {}},
            "words": {"mean": 2.0, "max": 2},
            "blank_pictures": 1,
        },
        "shared_sentences": {"train/test": 1},
    }
    assert json.loads(json.dumps(stats)) == stats


def test_labels_are_in_order_of_frequency_then_name() -> None:
    gold = (PEER, *(JOSH._replace(relation=relation) for relation in ("b", "a", "c", "c")))
    relations = counted({"train": [Example("a", "x", (), gold)]})["train"]["labels"]["relation"]
    assert list(relations) == ["c", "a", "b", "peer"]


def test_an_empty_split_counts_nothing() -> None:
    assert counted({"train": []})["train"]["words"] == {"mean": 0.0, "max": 0}


def test_a_task_with_one_label() -> None:
    stats = statistics({"train": [Example("a", "x", (), "none")]}, Facts())
    assert stats["train"] == {
        "samples": 1,
        "facts": 1,
        "labels": {"label": {"none": 1}},
        "words": {"mean": 1.0, "max": 1},
        "blank_pictures": 0,
    }
    console = Console(width=100, file=io.StringIO())
    console.print(statistics_table(stats, unit="facts"))
    assert "none" in console.file.getvalue()  # type: ignore[attr-defined]


def test_the_table_has_a_column_a_split() -> None:
    console = Console(width=100, file=io.StringIO())
    console.print(statistics_table(counted(SPLITS), unit="quintuples"))
    assert isinstance(console.file, io.StringIO)
    rows = [
        line.replace("│", " ").replace("┃", " ").split()
        for line in console.file.getvalue().splitlines()
    ]
    for row in (
        "train test",
        "samples 2 1",
        "quintuples 4 0",
        "blank pictures 1 1",
        "words, mean 2.5 2.0",
        "words, max 3 2",
        "per 3 0",
        "org 2 0",
        "member of 3 0",
        "peer 1 0",
    ):
        assert row.split() in rows
    assert " ".join(word for row in rows for word in row).endswith(
        "sentences in two splits: train/test 1"
    )
