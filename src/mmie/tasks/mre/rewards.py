"""The rewards of MRE: plain functions on labels, after eq. 2 to 5 of JMERE-R1.

No paper trains MRE like this. So all of it is our reading. A label has three parts, two types and a
relation, and the partial reward counts them. The edit distance of eq. 3 is left out: how similar
two labels are written says nothing about their meaning.
"""

from __future__ import annotations

from mmie.errors import InputError
from mmie.parsing import parse_response
from mmie.tasks.mre.labels import NONE, parts_of


def accuracy_reward(predicted: str | None, gold: str) -> float:
    """r_a = 1 if the label is the gold one, ``none`` among them; else, and for None, 0."""
    return 1.0 if predicted == gold else 0.0


def partial_reward(predicted: str | None, gold: str) -> float:
    """r_p: the share of the three parts of the label that are right; 0..1.

    ``none`` has no parts: it is wholly right or wholly wrong.
    """
    if predicted is None or NONE in (predicted, gold):
        return accuracy_reward(predicted, gold)
    pairs = zip(parts_of(predicted), parts_of(gold), strict=True)
    return sum(said == meant for said, meant in pairs) / 3


def format_reward(response: str) -> float:
    """r_f = 1 if the response is one think block followed by one answer block, else 0."""
    return 0.0 if parse_response(response) is None else 1.0


class MREReward:
    """r = r_a + α·r_p + β·r_f on one response.

    Args:
        alpha: weight of the partial reward.
        beta: weight of the format reward.

    Raises:
        InputError: a weight is below 0.
    """

    def __init__(self, *, alpha: float, beta: float) -> None:
        for name, weight in (("alpha", alpha), ("beta", beta)):
            if not weight >= 0:  # not so for NaN
                raise InputError(f"reward.{name}: {weight} is out of range; give 0 or more")
        self.alpha = alpha
        self.beta = beta

    def __call__(
        self, response: str, predicted: str | None, gold: str, answer: str, gold_answer: str
    ) -> dict[str, float]:
        """Scores one response; ``predicted`` is None where its answer is no label.

        The two answers as text play no part.

        Returns:
            ``reward`` and its parts ``r_a``, ``r_p`` (0..1) and ``r_f`` (0 or 1), unweighted.
        """
        r_f = format_reward(response)
        said = None if r_f == 0.0 else predicted
        r_a, r_p = accuracy_reward(said, gold), partial_reward(said, gold)
        reward = r_a + self.alpha * r_p + self.beta * r_f
        return {"reward": reward, "r_a": r_a, "r_p": r_p, "r_f": r_f}
