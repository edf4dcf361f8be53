"""Multimodal object-entity relation extraction (MORE-R1).

Deviation: a label without its leading slash is read as that label (``slash="lenient"``).
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Annotated, Any, ClassVar

from mmie.errors import InputError
from mmie.metrics import Invalid, counts_of, per_relation
from mmie.parsing import SLASHES, parse_label, read_label
from mmie.tasks.more.errors import label_errors
from mmie.tasks.more.metrics import (
    NONE,
    RelationScores,
    bootstrap_accuracy,
    bootstrap_relation_f1,
    by_group,
    relation_scores,
    relations_of,
)
from mmie.tasks.responses import Response
from mmie.templates import Places, fill
from mmie.types import Example, Reading
from mmie.voting import most_frequent

LABELS = (
    "/per/per/opponent",
    "/per/per/partner",
    "/per/per/relatives",
    "/per/per/alternate_names",
    "/per/org/opposed_to",
    "/per/org/leader_of",
    "/per/org/member_of",
    "/per/loc/place_of_birth",
    "/per/loc/place_of_residence",
    "/per/loc/place_of_governance",
    "/per/misc/present_in",
    "/per/misc/awarded",
    "/per/misc/party",
    "/per/misc/nationality",
    "/per/misc/president",
    "/org/org/alternate_names",
    "/org/org/subsidiary",
    "/org/loc/locate_at",
    "/org/misc/present_in",
    "/loc/loc/contain",
)

_LABEL = re.compile(r"(/[^/\s]+){3}")


@dataclass(frozen=True, kw_only=True)
class MORE:
    """From a picture, one object of it, a text and one entity of it to one relation label or ``none``.

    An example's pictures are the whole picture and the object; its gold is the label; ``extra`` holds ``entity``, ``object``,
    ``entity_count`` and ``object_count``: how many of each the facts of its picture and text have.

    Attributes:
        labels: ``/{object type}/{entity type}/{relation}``, without none.
        response: how it responds.
        instruction: the prompt, with the places ``{entity}`` and ``{text}`` and, where wanted,
            ``{labels}``.
        slash: ``lenient`` reads an answer without the leading slash, too; ``strict`` does not.

    Raises:
        InputError: a label of another form or given twice, or another value of ``slash``.
    """

    labels: Sequence[str]
    response: Response
    instruction: Annotated[str, Places(("text", "entity"), ("labels",))] = "{entity}: {text}"
    slash: str = "lenient"

    name: ClassVar[str] = "more"
    method: ClassVar[str] = "MORE-R1"
    warmed_up: ClassVar[str] = "stage 1"
    chains_learned: ClassVar[str] = "stage 1"
    unit: ClassVar[str] = "facts"
    asked: ClassVar[tuple[str, ...]] = ("image", "text", "entity", "box")
    selection_metric: ClassVar[str] = "relation"

    def __post_init__(self) -> None:
        if self.slash not in SLASHES:
            raise InputError(f"task.slash: {self.slash!r} is unknown; use {' or '.join(SLASHES)}")
        if not isinstance(self.labels, Sequence) or isinstance(self.labels, str) or not self.labels:
            raise InputError(
                f"task.labels: {self.labels!r} is no list of labels; name at least one like /per/misc/awarded"
            )
        for label in self.labels:
            if (
                not isinstance(label, str)
                or not _LABEL.fullmatch(label)
                or list(self.labels).count(label) > 1
            ):
                raise InputError(
                    f"task.labels: {label!r} is given twice or not of the form /per/misc/awarded; correct it"
                )

    def prompt(self, example: Example) -> str:
        """The filled instruction, then what the response says about its form."""
        filled = fill(
            self.instruction,
            labels=", ".join(self.candidates),
            entity=example.extra["entity"],
            text=example.text,
        )
        return f"{filled} {self.response.instruction}".strip()

    @property
    def candidates(self) -> list[str]:
        """The labels and ``none``."""
        return [*self.labels, NONE]

    def target(self, example: Example, chain: str | None) -> str:
        """The response to learn."""
        return self.response.wrap(chain, self.gold_answer(example))

    def parse(self, response: str) -> str | None:
        """The label, None where the form is broken or the answer is no candidate."""
        return parse_label(self.answer_of(response), labels=self.candidates, slash=self.slash)

    def read(self, response: str, *, lenient: bool) -> Reading:
        """The last label that is mentioned (``mmie.label_reading``), or the whole answer as ``parse`` reads it."""
        if not lenient:
            return Reading(self.parse(response))
        return Reading(*read_label(response, labels=self.candidates, slash=self.slash))

    def answer_of(self, response: str) -> str:
        """The answer as it stands in the response, "" where there is none."""
        return self.response.answer_of(response)

    def gold_answer(self, example: Example) -> str:
        """``/per/misc/awarded``, or ``none``."""
        return str(example.gold)

    def shown(self, prediction: str) -> list[str]:
        """The label."""
        return [prediction]

    def labels_of(self, example: Example) -> dict[str, list[str]]:
        """The label, ``none`` included."""
        return {"relations": [str(example.gold)]}

    def is_right(self, prediction: str | None, example: Example, *, invalid: int = 0) -> bool:
        """Whether the label is the gold one; beside a label nothing is invalid."""
        return prediction == example.gold

    def correct(self, prediction: str | None, example: Example) -> int:
        """1 if the prediction is the gold label, ``none`` included, else 0: adds up to accuracy."""
        return int(prediction == example.gold)

    def counts(
        self, prediction: str | None, example: Example, *, invalid: int = 0
    ) -> dict[str, tuple[int, int, int]]:
        """Counts of ``relation``, none as the negative, and of ``accuracy``, whose F1 over all samples is the accuracy."""
        hit = int(prediction == example.gold)
        relations = relations_of([prediction]), relations_of([example.gold])
        return {"relation": counts_of(*relations, invalid=[invalid])[0], "accuracy": (hit, 1, 1)}

    def errors(
        self, prediction: str | None, example: Example, *, truncated: bool, invalid: int = 0
    ) -> Counter[str]:
        """Kind of error → count, at most one."""
        return label_errors(prediction, example.gold, truncated=truncated)

    def confused(self, prediction: str | None, example: Example) -> Counter[tuple[str, str]]:
        """(gold label, predicted label) → 1; "" for an invalid answer."""
        return Counter([(example.gold, prediction or "")])

    def breakdown(
        self,
        predictions: Sequence[str | None],
        examples: Sequence[Example],
        *,
        invalid: Invalid = None,
    ) -> dict[str, Any]:
        """By label, and by pair of object and entity type; none is nobody's, and neither is an invalid label."""
        predicted, gold = (
            relations_of(predictions),
            relations_of([example.gold for example in examples]),
        )
        by_types = [
            [tuple((label, label.rpartition("/")[0]) for (label,) in sample) for sample in part]
            for part in (predicted, gold)
        ]
        return {
            "per_relation": {
                name: asdict(scores) for name, scores in per_relation(predicted, gold).items()
            },
            "per_type": {name: asdict(scores) for name, scores in per_relation(*by_types).items()},
        }

    def score(
        self,
        predictions: Sequence[str | None],
        examples: Sequence[Example],
        *,
        bootstrap_samples: int,
        seed: int,
        invalid: Invalid = None,
    ) -> dict[str, dict[str, Any]]:
        """``relation``: the ``RelationScores``, whose counts leave none out, their intervals, and the scores by group.

        ``ci95`` and ``accuracy_ci95`` are the bootstrap intervals of F1 and accuracy; [0, 1], which says nothing, without
        bootstrap samples. ``by_entities`` and ``by_objects`` have the scores by the count of each, a string.
        """
        gold = [example.gold for example in examples]
        extra = [0] * len(gold) if invalid is None else invalid
        scores: dict[str, Any] = asdict(relation_scores(predictions, gold, invalid=extra))
        scores |= {"ci95": [0.0, 1.0], "accuracy_ci95": [0.0, 1.0]}
        if bootstrap_samples:
            draws = {"samples": bootstrap_samples, "seed": seed}
            scores["ci95"] = [*bootstrap_relation_f1(predictions, gold, invalid=extra, **draws)]
            scores["accuracy_ci95"] = [*bootstrap_accuracy(predictions, gold, **draws)]
        for name, count in (("by_entities", "entity_count"), ("by_objects", "object_count")):
            groups = [int(example.extra[count]) for example in examples]
            measured = by_group(predictions, gold, extra, groups=groups, measure=_relation_scores)
            scores[name] = {str(group): asdict(found) for group, found in measured.items()}
        return {"relation": scores}

    def votes(self, predictions: Sequence[str | None]) -> dict[str, str | None]:
        """The most frequent label, ``none`` among them; of equally frequent ones that which came first."""
        return {"label": most_frequent(predictions)}

    def revive_gold(self, value: str) -> str:
        """The label as it is; TypeError where it is no string."""
        if not isinstance(value, str):
            raise TypeError(f"not a label: {value!r}")
        return value


def _relation_scores(
    predicted: Sequence[str | None], gold: Sequence[str], invalid: Invalid
) -> RelationScores:
    return relation_scores(predicted, gold, invalid=invalid)
