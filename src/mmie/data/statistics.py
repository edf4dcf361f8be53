"""What is in a data set, counted."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, ClassVar, Protocol

from rich.table import Table

from mmie.data.source import SPLITS, shared_sentences
from mmie.display import plain_text
from mmie.types import Example


class Counted(Protocol):
    """What is counted in a sample besides its words and pictures: the methods of a task."""

    unit: ClassVar[str]

    def size(self, example: Example) -> int:
        """The number of ``unit`` in the sample."""

    def labels_of(self, example: Example) -> Mapping[str, Sequence[str]]:
        """Group of labels → the labels of the sample."""


def statistics(splits: Mapping[str, Sequence[Example]], task: Counted) -> dict[str, Any]:
    """Split → counts, and ``shared_sentences``; JSON values only.

    The counts of a split are ``samples``; the sum of the sizes under the name of ``task.unit``;
    ``labels``: group → label → count, most frequent first; ``words`` of a text (``mean`` and
    ``max``); ``blank_pictures``.
    """
    counted = {name: _counts(examples, task) for name, examples in splits.items()}
    return {**counted, "shared_sentences": shared_sentences(splits)}


def _counts(examples: Sequence[Example], task: Counted) -> dict[str, Any]:
    words = [len(example.text.split()) for example in examples]
    blank = sum(picture.path is None for example in examples for picture in example.pictures)
    return {
        "samples": len(examples),
        task.unit: sum(task.size(example) for example in examples),
        "labels": _labels(examples, task),
        "words": {"mean": round(sum(words) / max(len(words), 1), 2), "max": max(words, default=0)},
        "blank_pictures": blank,
    }


def _labels(examples: Sequence[Example], task: Counted) -> dict[str, dict[str, int]]:
    groups: dict[str, list[str]] = {}
    for example in examples:
        for group, labels in task.labels_of(example).items():
            groups.setdefault(group, []).extend(labels)
    return {group: _by_frequency(labels) for group, labels in groups.items()}


def _by_frequency(labels: Iterable[str]) -> dict[str, int]:
    return dict(sorted(Counter(labels).items(), key=lambda item: (-item[1], item[0])))


def statistics_table(stats: Mapping[str, Any], *, unit: str) -> Table:
    """One column for each split, labels in the order of the first split's counts."""
    splits = [split for split in SPLITS if split in stats]
    shared = ", ".join(f"{pair} {count}" for pair, count in stats["shared_sentences"].items())
    caption = plain_text(f"sentences in two splits: {shared}")
    table = Table(title="Data", title_justify="left", caption=caption, caption_justify="left")
    table.add_column("")
    for split in splits:
        table.add_column(split, justify="right")
    for name in ("samples", unit, "blank_pictures"):
        counts = (f"{stats[split][name]:,}" for split in splits)
        table.add_row(plain_text(name.replace("_", " ")), *counts)
    table.add_row("words, mean", *(f"{stats[split]['words']['mean']:.1f}" for split in splits))
    table.add_row("words, max", *(f"{stats[split]['words']['max']:,}" for split in splits))
    for group in stats[splits[0]]["labels"]:
        table.add_section()
        of_splits = [stats[split]["labels"].get(group, {}) for split in splits]
        for label in dict.fromkeys(label for counts in of_splits for label in counts):
            table.add_row(plain_text(label), *(f"{counts.get(label, 0):,}" for counts in of_splits))
    return table
