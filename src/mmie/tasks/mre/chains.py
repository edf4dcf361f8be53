"""What the teacher is asked for MRE: a chain, and the label that can be read off it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated

from mmie.distil.candidates import Ask
from mmie.distil.chain_text import extract_chain
from mmie.tasks.mre.labels import NONE, checked_labels, read_label
from mmie.templates import Places, fill
from mmie.types import Candidate, Example


class MREChains:
    """Chains with the verdict ``repredicted``, a label.

    In both prompts ``{text}`` shows head and tail in tags.

    Args:
        labels: the candidate labels, without none.
        distil: the prompt that asks for a chain which leads to the gold label.
        repredict: the prompt that asks for the label of text and chain.
    """

    requests = 2  # per candidate: the chain, its re-prediction

    def __init__(
        self,
        *,
        labels: Sequence[str],
        distil: Annotated[str, Places(("text", "head", "tail", "answer"), optional=("labels",))],
        repredict: Annotated[str, Places(("text", "head", "tail", "chain"), optional=("labels",))],
    ) -> None:
        self.labels = [*checked_labels(labels), NONE]
        self.distil = distil
        self.repredict = repredict

    async def __call__(self, ask: Ask, example: Example, index: int) -> Candidate:
        chain = extract_chain(await ask("distil", self.distil_prompt(example)))
        read = None
        if chain:
            answer = await ask("repredict", self.repredict_prompt(example, chain), chain=chain)
            read, _ = read_label(answer, labels=self.labels)
        return Candidate(example.id, index, chain, {"repredicted": read})

    def distil_prompt(self, example: Example) -> str:
        """Write a chain for this pair that leads to the gold label."""
        return fill(self.distil, answer=example.gold, **self._places(example))

    def repredict_prompt(self, example: Example, chain: str) -> str:
        """Read the label off text and chain; the gold label is not shown."""
        return fill(self.repredict, chain=chain, **self._places(example))

    def _places(self, example: Example) -> dict[str, str]:
        extra = example.extra
        names = {"head": extra["head"], "tail": extra["tail"]}
        return {"text": extra["marked"], "labels": "; ".join(self.labels), **names}
