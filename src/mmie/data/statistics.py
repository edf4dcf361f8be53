"""What is in a data set, counted."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from rich.table import Table

from mmie.data.source import SPLITS, shared_sentences
from mmie.display import plain_text
from mmie.types import Example

LabelsOf = Callable[[Example], Mapping[str, Sequence[str]]]


def statistics(
    splits: Mapping[str, Sequence[Example]], *, labels_of: LabelsOf, unit: str
) -> dict[str, Any]:
    """Split → counts, and ``shared_sentences``; JSON values only.

    A split's counts: ``samples``; under ``unit`` the number of its relations; the groups of ``labels_of`` by label, as JMERE's
    ``entities`` and ``relations``; ``words`` of a text (``mean`` and ``max``); ``blank_pictures``.
    """
    counted = {name: _counts(examples, labels_of, unit) for name, examples in splits.items()}
    return {**counted, "shared_sentences": shared_sentences(splits)}


def _counts(examples: Sequence[Example], labels_of: LabelsOf, unit: str) -> dict[str, Any]:
    labels = [labels_of(example) for example in examples]
    groups = dict.fromkeys(group for of_sample in labels for group in of_sample)
    counted = {
        group: _by_frequency(label for of_sample in labels for label in of_sample[group])
        for group in groups
    }
    words = [len(example.text.split()) for example in examples]
    return {
        "samples": len(examples),
        unit: sum(counted.get("relations", {}).values()),
        **counted,
        "words": {"mean": round(sum(words) / max(len(words), 1), 2), "max": max(words, default=0)},
        "blank_pictures": sum(
            picture.path is None for example in examples for picture in example.pictures
        ),
    }


def _by_frequency(labels: Iterable[str]) -> dict[str, int]:
    return dict(sorted(Counter(labels).items(), key=lambda item: (-item[1], item[0])))


def statistics_table(stats: Mapping[str, Any], *, unit: str) -> Table:
    """One column a split, labels in the order of the first split's counts."""
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
    for group in (name for name in stats[splits[0]] if name in ("entities", "relations")):
        table.add_section()
        for label in dict.fromkeys(label for split in splits for label in stats[split][group]):
            counts = (f"{stats[split][group].get(label, 0):,}" for split in splits)
            table.add_row(plain_text(label), *counts)
    return table
