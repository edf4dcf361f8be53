"""Joint multimodal entity-relation extraction (JMERE-R1 section 3.1, Appendix E)."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import asdict, dataclass
from typing import Annotated, Any, ClassVar

from mmie.metrics import (
    PRF,
    Invalid,
    counts_of,
    micro_prf,
    per_relation,
)
from mmie.parsing import format_quintuples, parse_quintuples
from mmie.reading import read_answer
from mmie.tasks.jmere.errors import judge_quintuples
from mmie.tasks.jmere.relations import RelationPairs, relation_pairs
from mmie.tasks.task import Counts, Task
from mmie.templates import Places
from mmie.text import fold
from mmie.types import Example, Judged, Quintuple, Reading
from mmie.voting import majority_answer, majority_vote


@dataclass(frozen=True, kw_only=True)
class JMERE(Task):
    """From text and picture to a set of quintuples (e1, t1, e2, t2, r).

    Attributes:
        types: entity types.
        relations: relation → type pairs such as ``per-org``, in any form that ``relation_pairs``
            reads, for the data sources to check. An answer with another pair is wrong, not invalid.
            Kept as a mapping with blanks for underscores, as in prompts, answers and quintuples.
        instruction: the prompt, with the place ``{text}`` and, where wanted, ``{types}`` and
            ``{relations}``.
    """

    types: Sequence[str]
    relations: RelationPairs
    instruction: Annotated[str, Places(("text",), optional=("types", "relations"))] = "{text}"

    name: ClassVar[str] = "jmere"
    method: ClassVar[str] = "JMERE-R1"
    unit: ClassVar[str] = "quintuples"
    selection_metric: ClassVar[str] = "quintuple"

    def __post_init__(self) -> None:
        object.__setattr__(self, "relations", relation_pairs(self.relations))

    def places(self, example: Example) -> dict[str, str]:
        """Figure 11: the text, the types and the relations."""
        labels = {"types": ", ".join(self.types), "relations": ", ".join(self.relations)}
        return {"text": example.text, **labels}

    def gold_answer(self, example: Example) -> str:
        """``[Josh Gordon, per, Browns, org, member of]``, all quintuples joined by ``, ``."""
        return format_quintuples(example.gold)

    def read(self, response: str, *, lenient: bool) -> Reading:
        """The quintuples one by one (``mmie.reading``); strictly, none where one is invalid."""
        labels = {"types": self.types, "relations": self.relations}
        if lenient:
            return Reading(*read_answer(response, **labels))
        return Reading(parse_quintuples(self.answer_of(response), **labels))

    def judge(
        self,
        prediction: Collection[Quintuple] | None,
        example: Example,
        *,
        truncated: bool,
        invalid: int = 0,
    ) -> list[Judged]:
        """One part for each quintuple; a slip is one error."""
        return judge_quintuples(prediction, example.gold, truncated=truncated, invalid=invalid)

    def counts(
        self, prediction: Collection[Quintuple] | None, example: Example, *, invalid: int = 0
    ) -> dict[str, Counts]:
        """``quintuple`` (all five fields equal) and ``entity`` (name and type).

        An invalid item is one wrong quintuple and two wrong entities, its head and its tail.
        """
        said, meant = entities(prediction or ()), entities(example.gold)
        return {
            "quintuple": counts_of([prediction], [example.gold], invalid=[invalid])[0],
            "entity": counts_of([said], [meant], invalid=[2 * invalid])[0],
        }

    def labels_of(self, example: Example) -> dict[str, list[str]]:
        """The types of the distinct entities, and the relations of all quintuples."""
        types = [kind for _, kind in entities(example.gold)]
        return {"entity type": types, "relation": [item.relation for item in example.gold]}

    def stratum(self, example: Example) -> str:
        """The relations of all quintuples."""
        return " ".join(sorted(item.relation for item in example.gold))

    def size(self, example: Example) -> int:
        """The number of quintuples."""
        return len(example.gold)

    def revive_gold(self, value: Sequence[Sequence[str]]) -> tuple[Quintuple, ...]:
        """Lists of five strings → quintuples."""
        return tuple(Quintuple(*fields) for fields in value)

    def describe(self, prediction: Sequence[Quintuple]) -> list[str]:
        """``Josh Gordon · per · Browns · org · member of`` for each."""
        return [" · ".join(quintuple) for quintuple in prediction]

    def votes(
        self, predictions: Sequence[Collection[Quintuple] | None]
    ) -> dict[str, Collection[Quintuple] | None]:
        """Over single quintuples and over whole answer sets (figure 5)."""
        return {"quintuple": majority_vote(predictions), "answer set": majority_answer(predictions)}

    def breakdown(
        self,
        predictions: Sequence[Collection[Quintuple] | None],
        examples: Sequence[Example],
        *,
        invalid: Invalid = None,
    ) -> dict[str, dict[str, dict[str, Any]]]:
        """By relation, by entity type, and with head and tail in any order (as in EEGA).

        Invalid items have no relation and no type; they count where the direction is ignored.
        """
        gold = [example.gold for example in examples]
        said = [entities(prediction or ()) for prediction in predictions]
        blind = [direction_blind(prediction or ()) for prediction in predictions]
        blind_gold = [direction_blind(sample) for sample in gold]
        return {
            "relation": _plain(per_relation(predictions, gold)),
            "entity type": _plain(per_relation(said, [entities(sample) for sample in gold])),
            "ignoring direction": _plain({"all": micro_prf(blind, blind_gold, invalid=invalid)}),
        }


def _plain(scores: dict[str, PRF]) -> dict[str, dict[str, Any]]:
    return {label: asdict(of_label) for label, of_label in scores.items()}


def entities(quintuples: Iterable[Quintuple]) -> set[tuple[str, str]]:
    """The (name, type) pairs of heads and tails."""
    pairs = set()
    for quintuple in quintuples:
        pairs.add((quintuple.head, quintuple.head_type))
        pairs.add((quintuple.tail, quintuple.tail_type))
    return pairs


def direction_blind(quintuples: Iterable[Quintuple]) -> set[Quintuple]:
    """The quintuples with head and tail in alphabetical order.

    With both sides in this form, a swapped pair counts as correct. EEGA evaluates like this.
    """
    return {_in_order(Quintuple(*map(fold, q))) for q in quintuples}


def _in_order(quintuple: Quintuple) -> Quintuple:
    head, head_type, tail, tail_type, relation = quintuple
    if (tail, tail_type) < (head, head_type):
        return Quintuple(tail, tail_type, head, head_type, relation)
    return quintuple
