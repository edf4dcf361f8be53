"""Multimodal object-entity relation extraction (MORE-R1).

Deviation: a label without its leading slash is read as that label (``slash="lenient"``).
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Annotated, Any, ClassVar

from mmie.data.questions import question_box, question_picture, question_text
from mmie.errors import InputError
from mmie.metrics import Invalid, counts_of, per_relation
from mmie.tasks.more.errors import judge_label
from mmie.tasks.more.labels import SLASHES, parse_label, read_label
from mmie.tasks.more.metrics import (
    NONE,
    bootstrap_accuracy,
    bootstrap_relation_f1,
    by_group,
    relation_scores,
    relations_of,
)
from mmie.tasks.task import Counts, Task
from mmie.templates import Places
from mmie.types import Example, Judged, Picture, Reading
from mmie.voting import most_frequent

# Group of the breakdown → the number in ``extra`` that divides the samples.
COUNTED = {"entities in the text": "entity_count", "objects in the picture": "object_count"}

_LABEL = re.compile(r"(/[^/\s]+){3}")


@dataclass(frozen=True, kw_only=True)
class MORE(Task):
    """From a picture, one object of it, a text and one entity of it to one relation or ``none``.

    The pictures of an example are the whole picture and the object; its gold is the label. In
    ``extra`` are ``entity`` and ``object``, and as ``entity_count`` and ``object_count`` how many
    of each the facts of its picture and text have.

    Attributes:
        labels: ``/{object type}/{entity type}/{relation}``, without none.
        instruction: the prompt, with the places ``{entity}`` and ``{text}`` and, where wanted,
            ``{labels}``.
        slash: ``lenient`` also reads an answer without the leading slash; ``strict`` does not.

    Raises:
        InputError: a label has another form or is given twice, or ``slash`` is something else.
    """

    labels: Sequence[str]
    instruction: Annotated[str, Places(("text", "entity"), ("labels",))] = "{entity}: {text}"
    slash: str = "lenient"

    name: ClassVar[str] = "more"
    method: ClassVar[str] = "MORE-R1"
    warmed_up: ClassVar[str] = "stage 1"
    chains_learned: ClassVar[str] = "stage 1"
    unit: ClassVar[str] = "facts"
    asked: ClassVar[tuple[str, ...]] = ("image", "text", "entity", "box")
    shown: ClassVar[tuple[str, ...]] = (
        "the whole picture",
        "the object, cut out of the picture by its box",
    )
    selection_metric: ClassVar[str] = "relation"

    def __post_init__(self) -> None:
        if self.slash not in SLASHES:
            raise InputError(f"task.slash: {self.slash!r} is unknown; use {' or '.join(SLASHES)}")
        if not isinstance(self.labels, Sequence) or isinstance(self.labels, str) or not self.labels:
            reason = f"{self.labels!r} is no list of labels"
            raise InputError(f"task.labels: {reason}; name at least one like /per/misc/awarded")
        for label in self.labels:
            formed = isinstance(label, str) and _LABEL.fullmatch(label)
            if not formed or list(self.labels).count(label) > 1:
                reason = f"{label!r} is given twice or not of the form /per/misc/awarded"
                raise InputError(f"task.labels: {reason}; correct it")

    @property
    def candidates(self) -> list[str]:
        """The labels and ``none``."""
        return [*self.labels, NONE]

    def places(self, example: Example) -> dict[str, str]:
        """The text, the entity and the candidate labels."""
        labels, entity = ", ".join(self.candidates), example.extra["entity"]
        return {"text": example.text, "entity": entity, "labels": labels}

    def read(self, response: str, *, lenient: bool) -> Reading:
        """The last label that the answer mentions; strictly, the label that the answer is."""
        if lenient:
            return Reading(*read_label(response, labels=self.candidates, slash=self.slash))
        answer = self.answer_of(response)
        return Reading(parse_label(answer, labels=self.candidates, slash=self.slash))

    def judge(
        self, prediction: str | None, example: Example, *, truncated: bool, invalid: int = 0
    ) -> list[Judged]:
        """One part, the label; an invalid label is no prediction."""
        return [judge_label(prediction, example.gold, truncated=truncated)]

    def counts(
        self, prediction: str | None, example: Example, *, invalid: int = 0
    ) -> dict[str, Counts]:
        """``relation``, with none as the negative, and ``accuracy``, whose F1 is the accuracy."""
        hit = int(prediction == example.gold)
        relations = relations_of([prediction]), relations_of([example.gold])
        return {"relation": counts_of(*relations, invalid=[invalid])[0], "accuracy": (hit, 1, 1)}

    def question(self, row: Mapping[str, Any], where: str) -> Example:
        """Text, picture, the entity, and the box of the object in the picture."""
        text = question_text(row, "text", where)
        picture = question_picture(row, "image", where)
        box = question_box(row, "box", where, picture)
        entity = question_text(row, "entity", where)
        pictures = picture, Picture(picture.path, box)
        return Example(row["id"], text, pictures, None, {"entity": entity})

    def fields(self, example: Example) -> dict[str, Any]:
        """The entity and, where the data name it, the object."""
        named = ("entity", "object")
        return {key: example.extra[key] for key in named if key in example.extra}

    def labels_of(self, example: Example) -> dict[str, list[str]]:
        """The label, ``none`` included."""
        return {"relation": [str(example.gold)]}

    def revive_gold(self, value: str) -> str:
        """The label as it is; TypeError where it is no string."""
        if not isinstance(value, str):
            raise TypeError(f"not a label: {value!r}")
        return value

    def votes(self, predictions: Sequence[str | None]) -> dict[str, str | None]:
        """The most frequent label, ``none`` among them; of equally frequent ones the first."""
        return {"label": most_frequent(predictions)}

    def score(
        self,
        predictions: Sequence[str | None],
        examples: Sequence[Example],
        *,
        bootstrap_samples: int,
        seed: int,
        invalid: Invalid = None,
    ) -> dict[str, dict[str, Any]]:
        """``relation``: the ``RelationScores``, whose counts leave none out, and two intervals.

        ``ci95`` and ``accuracy_ci95`` are the bootstrap intervals of F1 and accuracy; they are
        [0, 1], which says nothing, without bootstrap samples.
        """
        gold = [example.gold for example in examples]
        scores: dict[str, Any] = asdict(relation_scores(predictions, gold, invalid=invalid))
        scores |= {"ci95": [0.0, 1.0], "accuracy_ci95": [0.0, 1.0]}
        if bootstrap_samples:
            draws = {"samples": bootstrap_samples, "seed": seed}
            scores["ci95"] = [*bootstrap_relation_f1(predictions, gold, invalid=invalid, **draws)]
            scores["accuracy_ci95"] = [*bootstrap_accuracy(predictions, gold, **draws)]
        return {"relation": scores}

    def breakdown(
        self,
        predictions: Sequence[str | None],
        examples: Sequence[Example],
        *,
        invalid: Invalid = None,
    ) -> dict[str, dict[str, dict[str, Any]]]:
        """By label, by the two types, and by how many entities and objects there are.

        ``none`` and invalid labels have no types; the latter count in the last two groups.
        """
        gold = [example.gold for example in examples]
        predicted, right = relations_of(predictions), relations_of(gold)
        by_label = per_relation(predicted, right)
        by_types = per_relation(_with_types(predicted), _with_types(right))
        groups: dict[str, dict[str, dict[str, Any]]] = {
            "relation": {name: asdict(scores) for name, scores in by_label.items()},
            "entity type": {name: asdict(scores) for name, scores in by_types.items()},
        }
        extra = invalid or [0] * len(gold)
        for group, count in COUNTED.items():
            numbers = [int(example.extra[count]) for example in examples]
            parts = by_group(predictions, gold, extra, groups=numbers, measure=_scores)
            groups[group] = {str(number): scores for number, scores in parts.items()}
        return groups


def _with_types(samples: list[tuple[tuple[str], ...]]) -> list[list[tuple[str, str]]]:
    """Each label with its object and entity type as the class: ``/per/misc``."""
    return [[(label, label.rpartition("/")[0]) for (label,) in sample] for sample in samples]


def _scores(
    predicted: Sequence[str | None], gold: Sequence[str], invalid: Invalid
) -> dict[str, Any]:
    return asdict(relation_scores(predicted, gold, invalid=invalid))
