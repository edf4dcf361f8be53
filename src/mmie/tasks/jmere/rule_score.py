"""The rule-based score filter (JMERE-R1 section 3.2 and appendix B, Figure 9)."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

from mmie.errors import InputError
from mmie.types import Candidate

_SCORE_LINE = re.compile(r"^[-#>\t ]*+score:(.*)$", re.MULTILINE | re.IGNORECASE)


def parse_score(text: str) -> float | None:
    """The number on the last line of the form ``Score: <number>``.

    Markdown's marks, case, a full stop and ``/1.0`` after the number are ignored. A score out of
    another maximum, such as ``8/10``, does not count.

    Returns:
        None if there is no such line, or its number is not within 0..1.
    """
    lines = _SCORE_LINE.findall(re.sub(r"[*`]", "", text))
    if not lines:
        return None
    points, _, maximum = lines[-1].strip(" \t\r`[].").partition("/")
    try:
        score, largest = float(points), float(maximum or 1)
    except ValueError:
        return None
    return score if largest == 1 and 0.0 <= score <= 1.0 else None


class RuleScoreFilter:
    """Drops chains that score below the threshold and keeps the best of each sample, ties included.

    Args:
        threshold: 0..1; appendix B drops scores below 0.7.

    Raises:
        InputError: another threshold.
    """

    def __init__(self, *, threshold: float) -> None:
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
