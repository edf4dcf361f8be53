"""What is asked about a candidate of JMERE-R1 (section 3.2): a chain, the quintuples that can be read off it, its score.

Deviation: every usable chain is both re-predicted and scored, whatever filters follow, so that a filter can be left
out without a call; the paper scores only the chains that its first filter lets through.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Sequence

from mmie.cot.distil import Ask
from mmie.cot.prompts import chain_of, distil_prompt, parse_score, repredict_prompt, score_prompt
from mmie.parsing import format_quintuples, parse_quintuples
from mmie.types import Candidate, Example, Quintuple

_ANSWER = re.compile(r"<answer>(.*?)</answer>", re.DOTALL)


class JMEREChains:
    """Multi-perspective chains with both of their columns.

    Args:
        types: the entity types that are offered at re-prediction.
        relations: the relations that are offered at re-prediction; underscores read as blanks.
    """

    requests = 3

    def __init__(self, *, types: Sequence[str], relations: Collection[str]) -> None:
        self.types = types
        self.relations = [relation.replace("_", " ") for relation in relations]

    async def __call__(self, ask: Ask, example: Example, index: int) -> Candidate:
        chain = chain_of(await ask("distil", distil_prompt(example, format_quintuples(example.gold))))
        if not chain:
            return Candidate(example.id, index, chain="", repredicted=None, score=None)
        prompt = repredict_prompt(example, chain, types=self.types, relations=self.relations)
        read = await ask("repredict", prompt, chain=chain)
        scored = await ask("score", score_prompt(example, chain), chain=chain)
        return Candidate(example.id, index, chain, self._repredicted(read), parse_score(scored))

    def _repredicted(self, text: str) -> tuple[Quintuple, ...] | None:
        """The quintuples of the last answer block, or of the whole text where there is none."""
        blocks = _ANSWER.findall(text)
        quintuples = parse_quintuples(blocks[-1] if blocks else text, types=self.types, relations=self.relations)
        return None if quintuples is None else tuple(quintuples)
