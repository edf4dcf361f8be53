"""The rule-based score filter (JMERE-R1 section 3.2 and appendix B, Figure 9)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from mmie.errors import InputError
from mmie.types import Candidate


class RuleScoreFilter:
    """Drops chains that score below the threshold and keeps the best of each sample, ties included.

    Args:
        threshold: 0..1; appendix B drops scores below 0.7.

    Raises:
        InputError: another threshold.
    """

    def __init__(self, threshold: float = 0.7) -> None:
        if not 0 <= threshold <= 1:
            reason = f"{threshold} is out of range; scores are 0 to 1"
            raise InputError(f"filter.rule_score.threshold: {reason}")
        self.threshold = threshold

    def __call__(self, candidates: Sequence[Candidate], gold: Mapping[str, Any]) -> list[Candidate]:
        """The best-scored candidates of each sample, in their order.

        Args:
            candidates: a chain whose verdict ``score`` is missing or None is dropped.
            gold: plays no part.
        """
        best: dict[str, float] = {}
        for candidate in candidates:
            score = candidate.verdicts.get("score")
            if score is not None and score >= self.threshold:
                best[candidate.example_id] = max(score, best.get(candidate.example_id, score))
        return [one for one in candidates if _is_best(one, best)]


def _is_best(candidate: Candidate, best: Mapping[str, float]) -> bool:
    score = candidate.verdicts.get("score")
    return score is not None and score == best.get(candidate.example_id)
