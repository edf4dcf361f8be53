"""Multimodal named entity recognition: the entities of a tweet with a picture, and their types."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from itertools import chain
from typing import Annotated, Any, ClassVar

from mmie.metrics import Invalid, counts_of, micro_prf, per_relation
from mmie.tasks.mner.entities import (
    Entity,
    format_entities,
    numbered,
    parse_entities,
    refuse_wrong_types,
)
from mmie.tasks.mner.errors import judge_entities
from mmie.tasks.mner.reading import read_entities
from mmie.tasks.task import Counts, Task
from mmie.templates import Places
from mmie.types import Example, Judged, Reading
from mmie.voting import most_frequent

Entities = tuple[Entity, ...]


@dataclass(frozen=True, kw_only=True)
class MNER(Task):
    """From text and picture to the entities in the order of the text.

    A name that is meant twice stands twice in gold and in a right answer.

    Attributes:
        types: entity types.
        instruction: the prompt, with the place ``{text}`` and, where wanted, ``{types}``.

    Raises:
        InputError: see ``refuse_wrong_types``.
    """

    types: Sequence[str]
    instruction: Annotated[str, Places(("text",), optional=("types",))] = "{text}"

    name: ClassVar[str] = "mner"
    method: ClassVar[str] = "MNER-R1"
    unit: ClassVar[str] = "entities"
    selection_metric: ClassVar[str] = "entity"

    def __post_init__(self) -> None:
        refuse_wrong_types(self.types, "task.types")

    def places(self, example: Example) -> dict[str, str]:
        """The text and the types."""
        return {"text": example.text, "types": ", ".join(self.types)}

    def gold_answer(self, example: Example) -> str:
        """``[Josh Gordon, per], [Browns, org]``."""
        return format_entities(example.gold, types=self.types)

    def read(self, response: str, *, lenient: bool) -> Reading:
        """The entities one by one; strictly, none where one is invalid."""
        if lenient:
            entities, invalid = read_entities(response, types=self.types)
        else:
            entities, invalid = parse_entities(self.answer_of(response), types=self.types), 0
        return Reading(None if entities is None else tuple(entities), invalid)

    def judge(
        self, prediction: Entities | None, example: Example, *, truncated: bool, invalid: int = 0
    ) -> list[Judged]:
        """One part for each entity; a slip is one error."""
        return judge_entities(prediction, example.gold, truncated=truncated, invalid=invalid)

    def counts(
        self, prediction: Entities | None, example: Example, *, invalid: int = 0
    ) -> dict[str, Counts]:
        """``entity``: name and type; a name that is meant twice counts twice."""
        said, meant = numbered(prediction), numbered(example.gold)
        return {"entity": counts_of([said], [meant], invalid=[invalid])[0]}

    def labels_of(self, example: Example) -> dict[str, list[str]]:
        """The types of all mentions."""
        return {"entity type": [entity.type for entity in example.gold]}

    def stratum(self, example: Example) -> str:
        """The types of all mentions."""
        return " ".join(sorted(entity.type for entity in example.gold))

    def size(self, example: Example) -> int:
        """The number of mentions."""
        return len(example.gold)

    def revive_gold(self, value: Sequence[Sequence[str]]) -> Entities:
        """Lists of two strings → entities."""
        return tuple(Entity(*fields) for fields in value)

    def describe(self, prediction: Entities) -> list[str]:
        """``Josh Gordon · per`` for each."""
        return [" · ".join(entity) for entity in prediction]

    def votes(self, predictions: Sequence[Entities | None]) -> dict[str, Entities | None]:
        """Over single mentions, which more than half must have, and over whole answers.

        The order within an answer makes no difference.
        """
        valid = [numbered(one) for one in predictions if one is not None]
        times = Counter(chain.from_iterable(valid))
        often = [item for item, count in times.items() if 2 * count > len(valid)]
        whole = most_frequent([tuple(sorted(items)) for items in valid])
        return {"entity": _entities(often), "answer": None if whole is None else _entities(whole)}

    def breakdown(
        self,
        predictions: Sequence[Entities | None],
        examples: Sequence[Example],
        *,
        invalid: Invalid = None,
    ) -> dict[str, dict[str, dict[str, Any]]]:
        """By type, and by the names alone, whatever their types.

        Invalid items have no type; they count where types are ignored.
        """
        said = [numbered(prediction) for prediction in predictions]
        gold = [numbered(example.gold) for example in examples]
        by_type = per_relation(said, gold)
        names = micro_prf([*map(_untyped, said)], [*map(_untyped, gold)], invalid=invalid)
        return {
            "entity type": {kind: asdict(scores) for kind, scores in by_type.items()},
            "ignoring type": {"all": asdict(names)},
        }


def _entities(items: Sequence[tuple[str, str, str]]) -> Entities:
    return tuple(Entity(name, kind) for name, _, kind in items)


def _untyped(items: Sequence[tuple[str, str, str]]) -> list[tuple[str, str, str]]:
    """The mentions numbered by their names alone."""
    return numbered((name, "") for name, _, _ in items)
