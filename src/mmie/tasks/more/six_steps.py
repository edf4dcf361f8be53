"""The rule filter of MORE-R1: chains of another form are dropped."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

from mmie.errors import InputError
from mmie.tasks.more.steps import parse_steps
from mmie.types import Candidate

_TAG = re.compile(r"<\s*+/?\s*+\w++\s*+>")


class SixStepsFilter:
    """Keeps a chain that has the headings ``Step 1`` to the last one, once each and in order.

    Every step must have words, and the chain no tags.

    Args:
        steps: of a chain; MORE-R1 has six.

    Raises:
        InputError: fewer than 1 step.
    """

    def __init__(self, *, steps: int) -> None:
        if steps < 1:
            raise InputError(
                f"filter.six_steps.steps: {steps} is out of range; it must be at least 1"
            )
        self.steps = steps

    def __call__(self, candidates: Sequence[Candidate], gold: Mapping[str, Any]) -> list[Candidate]:
        """The well-formed candidates, in their order; ``gold`` plays no part."""
        return [candidate for candidate in candidates if self._is_sound(candidate.chain)]

    def _is_sound(self, chain: str) -> bool:
        found = parse_steps(chain, steps=self.steps)
        return (
            found is not None
            and all(any(map(str.isalnum, text)) for text in found)
            and not _TAG.search(chain)
        )
