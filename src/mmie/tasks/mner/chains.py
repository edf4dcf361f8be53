"""What the teacher is asked for MNER: a chain, and the entities that can be read off it.

The chain has the three parts of JMERE-R1 (section 3.2): the image, its connection with the text,
and the reasoning. The score of the chain is left out: re-prediction already tells whether a chain
leads to the entities, and a rubric for them would be one more text of our own.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated

from mmie.distil.candidates import Ask
from mmie.distil.chain_text import extract_chain
from mmie.tasks.mner.entities import format_entities, refuse_wrong_types
from mmie.tasks.mner.reading import read_entities
from mmie.templates import Places, fill
from mmie.types import Candidate, Example


class MNERChains:
    """Chains with the verdict ``repredicted``: a list of lists of two strings.

    Args:
        types: the entity types that are offered at re-prediction.
        distil: the prompt that asks for a chain which leads to the gold answer.
        repredict: the prompt that asks for the entities of text and chain.

    Raises:
        InputError: see ``refuse_wrong_types``.
    """

    requests = 2  # per candidate: the chain, its re-prediction

    def __init__(
        self,
        *,
        types: Sequence[str],
        distil: Annotated[str, Places(needed=("text", "answer"))],
        repredict: Annotated[str, Places(("text", "chain"), optional=("types",))],
    ) -> None:
        refuse_wrong_types(types, "cot.chains.types")
        self.types = types
        self.distil = distil
        self.repredict = repredict

    async def __call__(self, ask: Ask, example: Example, index: int) -> Candidate:
        chain = extract_chain(await ask("distil", self.distil_prompt(example)))
        read = None
        if chain:
            answer = await ask("repredict", self.repredict_prompt(example, chain), chain=chain)
            read = self._repredicted(answer)
        return Candidate(example.id, index, chain, {"repredicted": read})

    def distil_prompt(self, example: Example) -> str:
        """Write a chain for this text that leads to the gold answer."""
        answer = format_entities(example.gold, types=self.types)
        return fill(self.distil, text=example.text, answer=answer)

    def repredict_prompt(self, example: Example, chain: str) -> str:
        """Read the entities off text and chain; the gold answer is not shown."""
        types = ", ".join(self.types)
        return fill(self.repredict, text=example.text, chain=chain, types=types)

    def _repredicted(self, text: str) -> list[list[str]] | None:
        """The entities that are read leniently; None where an item is invalid or there is none."""
        entities, invalid = read_entities(text, types=self.types)
        return None if entities is None or invalid else [list(entity) for entity in entities]
