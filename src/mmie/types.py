"""What the stages hand to each other: plain frozen values, no torch."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple


class Quintuple(NamedTuple):
    """(e1, t1, e2, t2, r) of JMERE-R1 section 3.1; every field a string; in the relation underscores read as blanks."""

    head: str
    head_type: str
    tail: str
    tail_type: str
    relation: str


@dataclass(frozen=True)
class Reading:
    """What a reader finds in one response.

    Attributes:
        prediction: in the task's own type; None where no answer is found.
        invalid: the number of items that were tried and are wrong in form or label; the strict reader counts none.
    """

    prediction: Any | None
    invalid: int = 0


@dataclass(frozen=True)
class Picture:
    """One picture of a sample, or a part of one.

    Attributes:
        path: the file; None stands for a blank picture (``data.missing_images=blank``).
        box: left, upper, right and lower edge of the part, in pixels of the upright picture; None is the whole.
    """

    path: Path | None
    box: tuple[int, int, int, int] | None = None


@dataclass(frozen=True)
class Example:
    """One sample of any task.

    Attributes:
        id: unique within the data set, ``<split>-<number>``.
        text: the tokens of the data joined by single blanks.
        pictures: in the order in which the prompt shows them.
        gold: the right answer in the task's own type (JMERE: a tuple of ``Quintuple``).
        extra: what only one source or task knows (the toy world keeps its scene here); JSON values only.
    """

    id: str
    text: str
    pictures: tuple[Picture, ...]
    gold: Any
    extra: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Candidate:
    """One reasoning chain that the teacher wrote for one sample, with what the teacher said about it afterwards.

    Attributes:
        example_id: the sample.
        index: 0 … candidates-1.
        chain: the text that goes between the think tags; empty where the teacher gave nothing usable.
        repredicted: the quintuples that the teacher reads off picture, text and chain; None where one is invalid or none is found.
        score: the rule-based score, 0..1; None where unparsable.
    """

    example_id: str
    index: int
    chain: str
    repredicted: tuple[Quintuple, ...] | None
    score: float | None


@dataclass(frozen=True)
class Response:
    """A response that has the form ``<think> … </think> <answer> … </answer>``."""

    think: str
    answer: str
