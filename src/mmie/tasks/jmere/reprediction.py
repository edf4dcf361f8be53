"""The re-prediction filter (JMERE-R1 section 3.2, Figure 8)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from mmie.metrics import folded_set
from mmie.types import Candidate


class RepredictionFilter:
    """Keeps a chain where the quintuples that the teacher reads off it are exactly the gold ones.

    They are compared as sets of folded strings, as everywhere.
    """

    def __call__(self, candidates: Sequence[Candidate], gold: Mapping[str, Any]) -> list[Candidate]:
        """The candidates that lead to the gold answer, in their order.

        Args:
            candidates: a chain whose verdict ``repredicted`` is missing or None is dropped.
            gold: sample id → quintuples.
        """
        return [candidate for candidate in candidates if _is_gold(candidate, gold)]


def _is_gold(candidate: Candidate, gold: Mapping[str, Any]) -> bool:
    read = candidate.verdicts.get("repredicted")
    return read is not None and folded_set(read) == folded_set(gold[candidate.example_id])
