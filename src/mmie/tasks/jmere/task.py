"""Joint multimodal entity-relation extraction (JMERE-R1 section 3.1, Appendix E)."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Sequence
from dataclasses import asdict, dataclass
from typing import Annotated, Any, ClassVar

from mmie.labels import RelationPairs, relation_pairs
from mmie.metrics import (
    Gold,
    Invalid,
    Predicted,
    bootstrap_f1,
    counts_of,
    direction_blind,
    entities,
    folded_set,
    micro_prf,
    per_relation,
)
from mmie.parsing import format_quintuples, parse_quintuples
from mmie.reading import read_answer
from mmie.tasks.jmere.errors import paired, quintuple_errors, relations_confused
from mmie.tasks.responses import Response
from mmie.templates import Places, fill
from mmie.types import Example, Quintuple, Reading
from mmie.voting import majority_answer, majority_vote

TYPES = ("per", "org", "loc", "misc")
RELATIONS = {  # spelled as in the data, by frequency in the training split
    "peer": ("per-per",),
    "member_of": ("per-org",),
    "contain": ("loc-loc",),
    "present_in": ("per-misc",),
    "locate_at": ("org-loc",),
    "place_of_residence": ("per-loc",),
    "alternate_names": ("per-per", "org-org"),
    "held_on": ("misc-loc",),
    "subsidiary": ("org-org",),
    "couple": ("per-per",),
    "nationality": ("per-misc",),
    "part_of": ("misc-misc",),
    "place_of_birth": ("per-loc",),
    "awarded": ("per-misc",),
    "charges": ("per-per",),
    "parent": ("per-per",),
    "siblings": ("per-per",),
    "alumi": ("per-per",),
    "neighbor": ("per-per",),
    "race": ("per-misc",),
    "religion": ("per-misc",),
}


@dataclass(frozen=True, kw_only=True)
class JMERE:
    """From text and picture to a set of quintuples (e1, t1, e2, t2, r).

    Attributes:
        types: entity types.
        relations: relation → type pairs such as ``per-org``, in any form that ``relation_pairs``
            reads, for the data sources to check; an answer with another pair is wrong, not invalid.
            Kept as a mapping with blanks for underscores, as prompts, answers and quintuples have
            them.
        response: how it responds.
        instruction: the prompt, with the place ``{text}`` and, where wanted, ``{types}`` and
            ``{relations}``.
    """

    types: Sequence[str]
    relations: RelationPairs
    response: Response
    instruction: Annotated[str, Places(("text",), optional=("types", "relations"))] = "{text}"

    name: ClassVar[str] = "jmere"
    method: ClassVar[str] = "JMERE-R1"
    warmed_up: ClassVar[str] = "warm-up"
    chains_learned: ClassVar[str] = "CoT-SFT"
    unit: ClassVar[str] = "quintuples"
    asked: ClassVar[tuple[str, ...]] = ("image", "text")
    selection_metric: ClassVar[str] = "quintuple"

    def __post_init__(self) -> None:
        object.__setattr__(self, "relations", relation_pairs(self.relations))

    def prompt(self, example: Example) -> str:
        """Figure 11: the filled instruction, then what the response says about its form."""
        labels = {"types": ", ".join(self.types), "relations": ", ".join(self.relations)}
        filled = fill(self.instruction, text=example.text, **labels)
        return f"{filled} {self.response.instruction}".strip()

    def target(self, example: Example, chain: str | None) -> str:
        """The response to learn."""
        return self.response.wrap(chain, self.gold_answer(example))

    def parse(self, response: str) -> list[Quintuple] | None:
        """The quintuples in order, None where the form is broken or any of them is invalid."""
        return parse_quintuples(
            self.answer_of(response), types=self.types, relations=self.relations
        )

    def read(self, response: str, *, lenient: bool) -> Reading:
        """The quintuples one by one (``mmie.reading``), or the whole answer as ``parse`` reads it."""
        if not lenient:
            return Reading(self.parse(response))
        return Reading(*read_answer(response, types=self.types, relations=self.relations))

    def answer_of(self, response: str) -> str:
        """The answer as it stands in the response, "" where there is none."""
        return self.response.answer_of(response)

    def gold_answer(self, example: Example) -> str:
        """``[Josh Gordon, per, Browns, org, member of]``, all quintuples joined by ``, ``."""
        return format_quintuples(example.gold)

    def shown(self, prediction: Sequence[Quintuple]) -> list[str]:
        """``Josh Gordon · per · Browns · org · member of`` each."""
        return [" · ".join(quintuple) for quintuple in prediction]

    def labels_of(self, example: Example) -> dict[str, list[str]]:
        """Types of the distinct entities, and the relations of all quintuples."""
        relations = [quintuple.relation for quintuple in example.gold]
        return {"entities": [kind for _, kind in entities(example.gold)], "relations": relations}

    def is_right(
        self, prediction: Collection[Quintuple] | None, example: Example, *, invalid: int = 0
    ) -> bool:
        """Whether the two sets of quintuples are equal, and nothing invalid stands beside them."""
        return (
            not invalid
            and prediction is not None
            and folded_set(prediction) == folded_set(example.gold)
        )

    def correct(self, prediction: Collection[Quintuple] | None, example: Example) -> int:
        """The number of gold quintuples that are predicted."""
        return micro_prf([prediction], [example.gold]).correct

    def counts(
        self, prediction: Collection[Quintuple] | None, example: Example, *, invalid: int = 0
    ) -> dict[str, tuple[int, int, int]]:
        """Counts of ``quintuple`` and ``entity``."""
        measured = _measured([prediction], [example.gold], [invalid])
        return {name: counts_of(p, g, invalid=extra)[0] for name, (p, g, extra) in measured.items()}

    def errors(
        self,
        prediction: Collection[Quintuple] | None,
        example: Example,
        *,
        truncated: bool,
        invalid: int = 0,
    ) -> Counter[str]:
        """Kind of error → count; a slip is one error."""
        return quintuple_errors(prediction, example.gold, truncated=truncated, invalid=invalid)

    def confused(
        self, prediction: Collection[Quintuple] | None, example: Example
    ) -> Counter[tuple[str, str]]:
        """(gold relation, predicted relation) → count, of quintuples that belong together."""
        return relations_confused(paired(prediction, example.gold))

    def breakdown(
        self,
        predictions: Sequence[Collection[Quintuple] | None],
        examples: Sequence[Example],
        *,
        invalid: Invalid = None,
    ) -> dict[str, Any]:
        """By relation, by entity type, and ``direction_blind``: a swapped head and tail counts as right (as in EEGA).

        Invalid items have no relation and no type; they count in ``direction_blind`` alone.
        """
        gold = [example.gold for example in examples]
        blind = (
            [direction_blind(prediction or ()) for prediction in predictions],
            [direction_blind(sample) for sample in gold],
        )
        found = _measured(predictions, gold, invalid)["entity"][:2]
        return {
            "per_relation": {
                name: asdict(scores) for name, scores in per_relation(predictions, gold).items()
            },
            "per_type": {name: asdict(scores) for name, scores in per_relation(*found).items()},
            "direction_blind": asdict(micro_prf(*blind, invalid=invalid)),
        }

    def score(
        self,
        predictions: Sequence[Collection[Quintuple] | None],
        examples: Sequence[Example],
        *,
        bootstrap_samples: int,
        seed: int,
        invalid: Invalid = None,
    ) -> dict[str, dict[str, Any]]:
        """Micro scores over per-sample sets: ``quintuple`` (all five fields equal) and ``entity`` (name and type).

        An ``invalid`` item is one wrong quintuple and two wrong entities, its head and its tail. ``ci95`` is the
        bootstrap interval of F1; [0, 1], which says nothing, without bootstrap samples.
        """
        measured = _measured(predictions, [example.gold for example in examples], invalid)
        return {
            name: _scores(*pair, samples=bootstrap_samples, seed=seed)
            for name, pair in measured.items()
        }

    def votes(
        self, predictions: Sequence[Collection[Quintuple] | None]
    ) -> dict[str, Collection[Quintuple] | None]:
        """Over single quintuples and over whole answer sets (figure 5)."""
        return {"quintuple": majority_vote(predictions), "answer set": majority_answer(predictions)}

    def revive_gold(self, value: Sequence[Sequence[str]]) -> tuple[Quintuple, ...]:
        """Lists of five strings → quintuples."""
        return tuple(Quintuple(*fields) for fields in value)


def _measured(
    predictions: Sequence[Collection[Quintuple] | None],
    gold: Sequence[Collection[Quintuple]],
    invalid: Invalid,
) -> dict[str, tuple[Predicted, Gold, Invalid]]:
    """Measure → what is predicted, gold, and the number of invalid items of each sample."""
    found = (
        [entities(prediction or ()) for prediction in predictions],
        [entities(sample) for sample in gold],
    )
    doubled = None if invalid is None else [2 * count for count in invalid]
    return {"quintuple": (predictions, gold, invalid), "entity": (*found, doubled)}


def _scores(
    predicted: Predicted, gold: Gold, invalid: Invalid, *, samples: int, seed: int
) -> dict[str, Any]:
    interval = (0.0, 1.0)
    if samples:
        interval = bootstrap_f1(predicted, gold, invalid=invalid, samples=samples, seed=seed)
    return {**asdict(micro_prf(predicted, gold, invalid=invalid)), "ci95": list(interval)}
