"""The rule-based score filter (JMERE-R1 section 3.2 and appendix B, Figure 9)."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence

from mmie.errors import InputError
from mmie.types import Candidate, Quintuple


class RuleScoreFilter:
    """Drops chains that score below the threshold and keeps the best of each sample, ties included."""

    def __init__(self, threshold: float = 0.7) -> None:
        """``threshold`` 0..1; appendix B drops scores below 0.7. InputError for another."""
        if not 0 <= threshold <= 1:
            raise InputError(
                f"filter.rule_score.threshold: {threshold} is out of range; scores are 0 to 1"
            )
        self.threshold = threshold

    def __call__(
        self, candidates: Sequence[Candidate], gold: Mapping[str, Collection[Quintuple]]
    ) -> list[Candidate]:
        """The best-scored candidates of each sample, in their order; an unparsable score is dropped."""
        best: dict[str, float] = {}
        for candidate in candidates:
            if candidate.score is not None and candidate.score >= self.threshold:
                best[candidate.example_id] = max(
                    candidate.score, best.get(candidate.example_id, candidate.score)
                )
        return [c for c in candidates if c.score is not None and c.score == best.get(c.example_id)]
