"""Multimodal relation extraction: the relation between two given entities of a tweet.

The metric is that of the field: micro precision, recall and F1 over the relations, with ``none`` as
the negative one, and accuracy over all samples. A label counts as right only with both its types,
since the classes of MNRE-2 have them.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Annotated, Any, ClassVar

from mmie.data.questions import question_picture, question_text
from mmie.metrics import Invalid, counts_of, per_relation
from mmie.tasks.mre.errors import judge_label
from mmie.tasks.mre.labels import NONE, checked_labels, parse_label, read_label
from mmie.tasks.mre.marks import ENTITIES, mark_names
from mmie.tasks.task import Counts, Task
from mmie.templates import Places
from mmie.types import Example, Judged, Reading

Items = list[tuple[str, ...]]


@dataclass(frozen=True, kw_only=True)
class MRE(Task):
    """From text, picture and two entities of the text to a label.

    The gold of an example is its label. In ``extra`` are ``head`` and ``tail``, their names, and
    ``marked``, the text with both in tags.

    Attributes:
        labels: ``/{head type}/{tail type}/{relation}``, without none. Kept as prompts and answers
            have them: ``per, org, member of``.
        instruction: the prompt, with the places ``{text}``, ``{head}`` and ``{tail}`` and, where
            wanted, ``{labels}``.
        marks: whether ``{text}`` shows the two entities in tags. A name may stand in it twice.

    Raises:
        InputError: see ``checked_labels``.
    """

    labels: Sequence[str]
    instruction: Annotated[str, Places(("text", *ENTITIES), ("labels",))] = "{head}, {tail}: {text}"
    marks: bool = True

    name: ClassVar[str] = "mre"
    method: ClassVar[str] = "MRE-R1"
    unit: ClassVar[str] = "facts"
    asked: ClassVar[tuple[str, ...]] = ("image", "text", *ENTITIES)
    selection_metric: ClassVar[str] = "relation"

    def __post_init__(self) -> None:
        object.__setattr__(self, "labels", checked_labels(self.labels))

    @property
    def candidates(self) -> list[str]:
        """The labels and ``none``."""
        return [*self.labels, NONE]

    def places(self, example: Example) -> dict[str, str]:
        """The text, the two entities and the candidate labels.

        Without a marked text, as in ``prompt_template``, the text itself stands there.
        """
        text = example.extra.get("marked", example.text) if self.marks else example.text
        return {"text": text, "labels": "; ".join(self.candidates), **self.fields(example)}

    def read(self, response: str, *, lenient: bool) -> Reading:
        """The last label that the answer mentions; strictly, the label that the answer is."""
        if lenient:
            return Reading(*read_label(response, labels=self.candidates))
        return Reading(parse_label(self.answer_of(response), labels=self.candidates))

    def judge(
        self, prediction: str | None, example: Example, *, truncated: bool, invalid: int = 0
    ) -> list[Judged]:
        """One part, the label; an invalid label is no prediction."""
        return [judge_label(prediction, example.gold, truncated=truncated)]

    def counts(
        self, prediction: str | None, example: Example, *, invalid: int = 0
    ) -> dict[str, Counts]:
        """``relation``, with none as the negative, and ``accuracy``, whose F1 is the accuracy."""
        relations = [_relations(prediction)], [_relations(example.gold)]
        hit = int(prediction == example.gold)
        return {"relation": counts_of(*relations, invalid=[invalid])[0], "accuracy": (hit, 1, 1)}

    def question(self, row: Mapping[str, Any], where: str) -> Example:
        """Text, picture, head and tail; the first mention of each is meant."""
        text, picture = question_text(row, "text", where), question_picture(row, "image", where)
        names = {key: question_text(row, key, where) for key in ENTITIES}
        extra = {**names, "marked": mark_names(text, names, where)}
        return Example(row["id"], text, (picture,), None, extra)

    def fields(self, example: Example) -> dict[str, Any]:
        """The names of head and tail."""
        return {key: example.extra[key] for key in ENTITIES}

    def labels_of(self, example: Example) -> dict[str, list[str]]:
        """The label, ``none`` included."""
        return {"relation": [example.gold]}

    def score(
        self,
        predictions: Sequence[str | None],
        examples: Sequence[Example],
        *,
        bootstrap_samples: int,
        seed: int,
        invalid: Invalid = None,
    ) -> dict[str, dict[str, Any]]:
        """``relation``: the scores of the relations, and ``accuracy`` with its own interval."""
        draws = {"bootstrap_samples": bootstrap_samples, "seed": seed}
        scores = super().score(predictions, examples, invalid=invalid, **draws)
        accuracy = scores.pop("accuracy")
        of_all = {"accuracy": accuracy["f1"], "accuracy_ci95": accuracy["ci95"]}
        return {"relation": {**scores["relation"], **of_all, "samples": len(examples)}}

    def breakdown(
        self,
        predictions: Sequence[str | None],
        examples: Sequence[Example],
        *,
        invalid: Invalid = None,
    ) -> dict[str, dict[str, dict[str, Any]]]:
        """By label and by the pair of types; ``none`` and invalid labels are in neither."""
        said, gold = [*map(_relations, predictions)], [_relations(one.gold) for one in examples]
        by_types = per_relation([*map(_with_types, said)], [*map(_with_types, gold)])
        return {
            "relation": {name: asdict(scores) for name, scores in per_relation(said, gold).items()},
            "entity types": {name: asdict(scores) for name, scores in by_types.items()},
        }


def _relations(label: str | None) -> Items:
    """One relation, or none at all for ``none`` and where there is no answer."""
    return [] if label is None or label == NONE else [(label,)]


def _with_types(relations: Items) -> Items:
    """The label with its types as the class: ``per, org``."""
    return [(label, label.rpartition(", ")[0]) for (label,) in relations]
