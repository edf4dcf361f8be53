"""The re-prediction filter (JMERE-R1 section 3.2, Figure 8)."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence

from mmie.metrics import folded_set
from mmie.types import Candidate, Quintuple


class RepredictionFilter:
    """Keeps a chain where the quintuples that the teacher reads off it are exactly the gold ones.

    They are compared as sets of folded strings, like everywhere.
    """

    def __call__(
        self, candidates: Sequence[Candidate], gold: Mapping[str, Collection[Quintuple]]
    ) -> list[Candidate]:
        """The candidates that lead to the gold answer, in their order; ``gold`` maps sample id to quintuples."""
        read = [candidate for candidate in candidates if candidate.repredicted is not None]
        return [
            candidate
            for candidate in read
            if folded_set(candidate.repredicted) == folded_set(gold[candidate.example_id])
        ]
