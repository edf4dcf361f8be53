"""The re-prediction filter of JMERE-R1 (section 3.2) for entities."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from mmie.tasks.mner.entities import numbered
from mmie.types import Candidate


class RepredictionFilter:
    """Keeps a chain where the entities that the teacher reads off it are exactly the gold ones.

    Their order makes no difference, and a name that is meant twice must be read twice.
    """

    def __call__(self, candidates: Sequence[Candidate], gold: Mapping[str, Any]) -> list[Candidate]:
        """The candidates that lead to the gold answer, in their order.

        Args:
            candidates: a chain whose verdict ``repredicted`` is missing or None is dropped.
            gold: sample id → entities.
        """
        return [candidate for candidate in candidates if _is_gold(candidate, gold)]


def _is_gold(candidate: Candidate, gold: Mapping[str, Any]) -> bool:
    read = candidate.verdicts.get("repredicted")
    return read is not None and set(numbered(read)) == set(numbered(gold[candidate.example_id]))
