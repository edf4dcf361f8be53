"""What the stages hand to each other: plain frozen values, no torch."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple


class Quintuple(NamedTuple):
    """(e1, t1, e2, t2, r) of JMERE-R1 section 3.1; every field is a string.

    In the relation, blanks stand for underscores.
    """

    head: str
    head_type: str
    tail: str
    tail_type: str
    relation: str


@dataclass(frozen=True)
class Reading:
    """What a task reads in one response.

    Attributes:
        prediction: in the task's own type; None where there is no answer.
        invalid: the number of items that the response tries and that are wrong in form or label.
            The strict reader counts none.
    """

    prediction: Any | None
    invalid: int = 0


@dataclass(frozen=True)
class Sampling:
    """How responses are drawn.

    Attributes:
        temperature: divides the logits; 0 is greedy.
        max_new_tokens: the length limit.
    """

    temperature: float
    max_new_tokens: int


class Responded(NamedTuple):
    """One response; ``truncated`` if the length limit cut it before its end."""

    text: str
    truncated: bool


@dataclass(frozen=True)
class Picture:
    """One picture of a sample, or a part of one.

    Attributes:
        path: the file; None stands for a blank picture (``data.images=null``, or
            ``data.missing_images=blank``).
        box: left, upper, right and lower edge of the part, in pixels of the upright picture; None
            stands for the whole picture.
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
        extra: what only one source or task knows, as JSON values; a toy world keeps its scene here.
    """

    id: str
    text: str
    pictures: tuple[Picture, ...]
    gold: Any
    extra: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Candidate:
    """One reasoning chain that the teacher wrote for one sample, and what it said about the chain.

    Attributes:
        example_id: the sample.
        index: 0 … candidates-1.
        chain: the text that goes between the think tags; empty where the teacher gave none.
        verdicts: column → JSON value, as the task's chains node gives them and the task's filters
            read them; None stands for an answer that could not be read.
    """

    example_id: str
    index: int
    chain: str
    verdicts: Mapping[str, Any] = field(default_factory=dict)


class Judged(NamedTuple):
    """One part of an answer beside the part of the gold that it is meant for.

    Attributes:
        said: the fields of the part as the answer has it, the last of which is its label; None for
            gold that was missed and for what cannot be read.
        meant: the same of the gold; None for a part that was invented.
        kind: the kind of error, "" where the part is right.
    """

    said: tuple[str, ...] | None
    meant: tuple[str, ...] | None
    kind: str


@dataclass(frozen=True)
class Response:
    """A response that has the form ``<think> … </think> <answer> … </answer>``."""

    think: str
    answer: str
