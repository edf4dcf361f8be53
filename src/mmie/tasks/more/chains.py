"""What the teacher is asked for MORE-R1: a chain of six steps.

Deviations: 1. The paper's prompt is not at hand: that of ``conf/tasks/more`` is rebuilt from
what each step is said to do. 2. The label of a ``none`` sample holds no types: the teacher is then
given none and finds them itself.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated

from mmie.distil.candidates import Ask
from mmie.distil.chain_text import extract_chain
from mmie.tasks.more.metrics import NONE
from mmie.templates import Places, fill
from mmie.types import Candidate, Example


class MOREChains:
    """One chain of six steps per candidate; nothing is asked about it, as its form alone is judged.

    Args:
        labels: the candidate labels, without none.
        distil: the prompt that asks for a chain which leads to the gold label.
        related: what stands for ``{answer}`` in it where a relation holds.
        unrelated: what stands there for a ``none`` sample.
    """

    requests = 1  # per candidate

    def __init__(
        self,
        *,
        labels: Sequence[str],
        distil: Annotated[str, Places(("text", "entity", "answer"), optional=("labels",))],
        related: Annotated[str, Places(("label",), ("object_type", "entity_type", "relation"))],
        unrelated: Annotated[str, Places()],
    ) -> None:
        self.labels = labels
        self.distil = distil
        self.related = related
        self.unrelated = unrelated

    async def __call__(self, ask: Ask, example: Example, index: int) -> Candidate:
        chain = extract_chain(await ask("distil", self.distil_prompt(example)))
        return Candidate(example.id, index, chain)

    def distil_prompt(self, example: Example) -> str:
        """Write a chain of six steps for this object and entity that leads to the gold label."""
        return fill(
            self.distil,
            text=example.text,
            entity=example.extra["entity"],
            labels=", ".join([*self.labels, NONE]),
            answer=self._answer(example.gold),
        )

    def _answer(self, label: str) -> str:
        if label == NONE:
            return self.unrelated
        _, object_type, entity_type, relation = label.split("/")
        return fill(
            self.related,
            label=label,
            object_type=object_type,
            entity_type=entity_type,
            relation=relation.replace("_", " "),
        )
