"""What the teacher is asked for JMERE-R1 (section 3.2).

These are a chain, the quintuples that can be read off it, and a score.

Deviation: every usable chain is both re-predicted and scored, whatever filters follow, so that a
filter can be left out without another request. The paper scores only the chains that its first
filter lets through.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Any

from mmie.distil.candidates import Ask
from mmie.distil.chain_text import extract_chain
from mmie.parsing import format_quintuples
from mmie.reading import read_answer
from mmie.tasks.jmere.relations import RelationPairs, relation_names
from mmie.tasks.jmere.rule_score import parse_score
from mmie.templates import Places, fill
from mmie.types import Candidate, Example


class JMEREChains:
    """Multimodal-Paradigm CoT (MP-CoT, section 3.2): chains with both verdicts.

    The verdicts are ``repredicted``, a list of lists of five strings, and ``score`` (0..1).

    Args:
        types: the entity types that are offered at re-prediction.
        relations: the relations that are offered at re-prediction, in any form that
            ``relation_pairs`` reads, or their names alone; underscores are read as blanks.
        distil: the prompt that asks for a chain which leads to the gold answer (Figure 10).
        repredict: the prompt that asks for the quintuples of text and chain (Figure 8).
        score: the prompt that asks for the chain's score by discrete rules (Figure 9).
    """

    requests = 3  # per candidate: the chain, its re-prediction, its score

    def __init__(
        self,
        *,
        types: Sequence[str],
        relations: RelationPairs,
        distil: Annotated[str, Places(needed=("text", "answer"))],
        repredict: Annotated[str, Places(("text", "chain"), optional=("types", "relations"))],
        score: Annotated[str, Places(needed=("text", "chain"))],
    ) -> None:
        self.types = types
        self.relations = relation_names(relations)
        self.distil = distil
        self.repredict = repredict
        self.score = score

    async def __call__(self, ask: Ask, example: Example, index: int) -> Candidate:
        chain = extract_chain(await ask("distil", self.distil_prompt(example)))
        verdicts: dict[str, Any] = {"repredicted": None, "score": None}
        if chain:
            read = await ask("repredict", self.repredict_prompt(example, chain), chain=chain)
            scored = await ask("score", self.score_prompt(example, chain), chain=chain)
            verdicts = {"repredicted": self._repredicted(read), "score": parse_score(scored)}
        return Candidate(example.id, index, chain, verdicts)

    def distil_prompt(self, example: Example) -> str:
        """Figure 10: write a chain for this text that leads to the gold answer."""
        return fill(self.distil, text=example.text, answer=format_quintuples(example.gold))

    def repredict_prompt(self, example: Example, chain: str) -> str:
        """Figure 8: read the quintuples off text and chain; the gold answer is not shown."""
        labels = {"types": ", ".join(self.types), "relations": ", ".join(self.relations)}
        return fill(self.repredict, text=example.text, chain=chain, **labels)

    def score_prompt(self, example: Example, chain: str) -> str:
        """Figure 9: score the chain by discrete rules, with two examples."""
        return fill(self.score, text=example.text, chain=chain)

    def _repredicted(self, text: str) -> list[list[str]] | None:
        """The quintuples that are read leniently; None where one is invalid or there is none."""
        quintuples, invalid = read_answer(text, types=self.types, relations=self.relations)
        return None if quintuples is None or invalid else [list(item) for item in quintuples]
