"""What the teacher is asked for MORE-R1: a chain of six steps.

Deviations: 1. The paper's prompt is not at hand: rebuilt from what each step is said to do. 2. The label of a ``none`` sample
holds no types: the teacher is then given none and finds them itself.
"""

from __future__ import annotations

from collections.abc import Sequence

from mmie.cot.distil import Ask
from mmie.cot.prompts import chain_of
from mmie.relation_metrics import NONE
from mmie.types import Candidate, Example

DISTIL = """\
The first image is the picture of a news article, the second image shows one object of it; the text is the article's title. \
Explain in six steps how to find the relation between the object and the entity of the text that is given below.
Step 1: Describe both images and the part that the object plays in the whole picture. A blurred or trivial detail \
suggests that there is no relation.
Step 2: Say whether the picture is relevant to the text, and why.
Step 3: Say whether an entity in the text is the object itself. If so, decide through the relation between that entity and \
the given one.
Step 4: Give the types of the object and of the entity, out of per, org, loc, misc; an object that cannot be recognised is misc.
Step 5: Of the candidate labels, written /object type/entity type/relation, keep only those of this pair of types; none always stays.
Step 6: Decide for one of the labels that are left.
Begin each step with its heading, Step 1: to Step 6:, and write every heading once. The reasoning has to reach the right \
answer below and no other. Write as if you had found it yourself; do not mention that anything of it was given. \
Write plain text without any tags.
The candidate labels are: {labels}.
The text data is: {{{text}}}
The entity is: "{entity}"
{answer}"""

RELATION = """\
The type of the object is: {object_type}
The type of the entity is: {entity_type}
The right relation is: {relation}
The right answer is: {label}"""
NO_RELATION = "There is no relation between them. The right answer is: none"


class MOREChains:
    """One chain of six steps a candidate; nothing is asked about it, as its form alone is judged.

    Args:
        labels: the candidate labels, without none.
    """

    requests = 1

    def __init__(self, *, labels: Sequence[str]) -> None:
        self.labels = labels

    async def __call__(self, ask: Ask, example: Example, index: int) -> Candidate:
        chain = chain_of(await ask("distil", distil_prompt(example, example.gold, labels=self.labels)))
        return Candidate(example.id, index, chain, repredicted=None, score=None)


def distil_prompt(example: Example, gold: str, *, labels: Sequence[str]) -> str:
    """Write a chain of six steps for this object and entity that leads to ``gold``, out of ``labels`` (without none)."""
    answer = NO_RELATION if gold == NONE else _answer(gold)
    return DISTIL.format(labels=", ".join([*labels, NONE]), text=example.text, entity=example.extra["entity"], answer=answer)


def _answer(label: str) -> str:
    _, object_type, entity_type, relation = label.split("/")
    return RELATION.format(object_type=object_type, entity_type=entity_type, relation=relation.replace("_", " "), label=label)
