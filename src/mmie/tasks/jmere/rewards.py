"""The rewards of JMERE-R1 (eq. 2 to 5): plain functions on quintuples and strings.

Where the paper leaves room:

1. Quintuples are compared as sets, after trimming and folding white space; repeating a right
   quintuple gains nothing.
2. Two empty sets agree wholly: eq. 2 gives 1 there, where its fraction is 0/0. Two empty strings
   likewise in eq. 3.
3. The correct components of eq. 3 are counted under the best one-to-one matching of predicted to
   gold quintuples, so their order does not matter. With nothing predicted that term is 0.
4. A response that breaks the form or holds an invalid quintuple loses eq. 2 and the matching of
   eq. 3 (``invalid_zeroes="accuracy"``). The paper's "total reward 0" stands under eq. 2, while
   eq. 3 is to relieve sparse rewards, so this is our reading. With ``"total"`` the whole reward of
   such a response is 0.
5. The strings of eq. 3 are compared in Unicode NFC, as names are.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable

import editdistance
import numpy as np
from scipy.optimize import linear_sum_assignment

from mmie.errors import InputError
from mmie.metrics import Item, folded_set
from mmie.parsing import parse_response
from mmie.text import nfc
from mmie.types import Quintuple

INVALID_ZEROES = ("total", "accuracy")


def accuracy_reward(predicted: Iterable[Quintuple], gold: Iterable[Quintuple]) -> float:
    """Eq. 2: r_q = 2c / (m + n), with m gold, n predicted and c correct quintuples; 0..1."""
    said, meant = folded_set(predicted), folded_set(gold)
    return 2 * len(said & meant) / (len(said) + len(meant)) if said or meant else 1.0


def partial_reward(
    predicted: Iterable[Quintuple], gold: Iterable[Quintuple], answer: str, gold_answer: str
) -> float:
    """Eq. 3: r_p = w / 5n + (1 − ED(Ŷ, Y) / max(|Ŷ|, |Y|)); 0..2.

    w counts the correct components of the n distinct predicted quintuples, ED is the edit distance
    in characters.
    """
    said = folded_set(predicted)
    matching = _matched_components(said, folded_set(gold)) / (5 * len(said)) if said else 0.0
    written, meant = nfc(answer), nfc(gold_answer)
    longest = max(len(written), len(meant))
    similarity = 1 - editdistance.eval(written, meant) / longest if longest else 1.0
    return matching + similarity


def format_reward(response: str) -> float:
    """Eq. 4: r_f = 1 if the response is one think block followed by one answer block, else 0."""
    return 0.0 if parse_response(response) is None else 1.0


def total_reward(r_q: float, r_p: float, *, r_f: float, alpha: float, beta: float) -> float:
    """Eq. 5: r = r_q + α·r_p + β·r_f."""
    return r_q + alpha * r_p + beta * r_f


class JMEREReward:
    """Eq. 2 to 5 on one response.

    Args:
        alpha: weight of the partial reward (the paper: 0.2).
        beta: weight of the format reward (the paper: 0.1).
        invalid_zeroes: what an invalid response loses: ``accuracy`` or ``total`` (see the module's
            point 4).

    Raises:
        InputError: a weight is below 0, or ``invalid_zeroes`` is neither.
    """

    def __init__(self, *, alpha: float, beta: float, invalid_zeroes: str = "accuracy") -> None:
        for name, weight in (("alpha", alpha), ("beta", beta)):
            if not weight >= 0:  # not so for NaN
                reason = f"{weight} is out of range; the weights of eq. 5 are 0 or more"
                raise InputError(f"reward.{name}: {reason}")
        if invalid_zeroes not in INVALID_ZEROES:
            known = " or ".join(INVALID_ZEROES)
            raise InputError(f"reward.invalid_zeroes: {invalid_zeroes!r} is unknown; use {known}")
        self.alpha = alpha
        self.beta = beta
        self.invalid_zeroes = invalid_zeroes

    def __call__(
        self,
        response: str,
        predicted: Collection[Quintuple] | None,
        gold: Collection[Quintuple],
        answer: str,
        gold_answer: str,
    ) -> dict[str, float]:
        """Scores one response; ``predicted`` is None where its answer holds an invalid quintuple.

        Returns:
            ``reward`` (eq. 5) and its parts ``r_q``, ``r_p``, ``r_f``, unweighted. The parts of an
            invalid response are those of ``accuracy``, also where its ``reward`` is 0.
        """
        r_f = format_reward(response)
        if r_f == 0.0:
            predicted = None
        r_q = 0.0 if predicted is None else accuracy_reward(predicted, gold)
        r_p = partial_reward(predicted or (), gold, answer, gold_answer)
        reward = total_reward(r_q, r_p, r_f=r_f, alpha=self.alpha, beta=self.beta)
        if predicted is None and self.invalid_zeroes == "total":
            reward = 0.0
        return {"reward": reward, "r_q": r_q, "r_p": r_p, "r_f": r_f}


def _matched_components(predicted: set[Item], gold: set[Item]) -> int:
    """The most components that a one-to-one matching of the two sets makes equal."""
    equal = np.array(
        [[sum(a == b for a, b in zip(p, g, strict=True)) for g in gold] for p in predicted]
    )
    return int(equal[linear_sum_assignment(equal, maximize=True)].sum())
