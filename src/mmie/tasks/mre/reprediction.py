"""The re-prediction filter of JMERE-R1 (section 3.2) for labels."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from mmie.types import Candidate


class RepredictionFilter:
    """Keeps a chain where the label that the teacher reads off it is the gold one."""

    def __call__(self, candidates: Sequence[Candidate], gold: Mapping[str, Any]) -> list[Candidate]:
        """The candidates that lead to the gold label, in their order.

        Args:
            candidates: a chain whose verdict ``repredicted`` is missing or None is dropped.
            gold: sample id → label.
        """
        return [
            one for one in candidates if one.verdicts.get("repredicted") == gold[one.example_id]
        ]
