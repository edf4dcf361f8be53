"""The rewards of MNER: plain functions on entities and strings, after eq. 2 to 5 of JMERE-R1.

No paper trains MNER like this. So all of it is our reading:

1. Mentions are compared as in the metric: a name that is meant twice counts twice, and a third
   repetition is wrong (``mmie.tasks.mner.entities.numbered``).
2. The components of eq. 3 are the words of the name and the type. The type earns nothing without a
   word of the name, because one of four types is soon guessed.
3. Two empty answers agree wholly: eq. 2 and the second term of eq. 3 give 1 there.
4. A response that breaks the form or has an invalid item loses eq. 2 and the first term of eq. 3.
"""

from __future__ import annotations

from collections.abc import Sequence

import editdistance

from mmie.errors import InputError
from mmie.parsing import parse_response
from mmie.tasks.mner.entities import Entity, numbered
from mmie.tasks.mner.matching import best_pairs
from mmie.text import nfc


def accuracy_reward(predicted: Sequence[Entity], gold: Sequence[Entity]) -> float:
    """r_q = 2c / (m + n), with m gold, n predicted and c correct mentions; 0..1."""
    said, meant = set(numbered(predicted)), set(numbered(gold))
    return 2 * len(said & meant) / (len(said) + len(meant)) if said or meant else 1.0


def overlap_reward(predicted: Sequence[Entity], gold: Sequence[Entity]) -> float:
    """r_o: the nearness of each predicted mention to its gold one, mean over the predicted; 0..1.

    The mentions are matched one to one such that the sum is greatest. 0 where nothing is predicted.
    """
    pairs = best_pairs(predicted, gold)
    return sum(near for _, _, near in pairs) / len(predicted) if predicted else 0.0


def similarity_reward(answer: str, gold_answer: str) -> float:
    """1 − ED / (characters of the longer one), with the edit distance ED of the answers; 0..1."""
    written, meant = nfc(answer), nfc(gold_answer)
    longest = max(len(written), len(meant))
    return 1 - editdistance.eval(written, meant) / longest if longest else 1.0


def format_reward(response: str) -> float:
    """r_f = 1 if the response is one think block followed by one answer block, else 0."""
    return 0.0 if parse_response(response) is None else 1.0


class MNERReward:
    """r = r_q + α·r_p + β·r_f on one response, with r_p the sum of overlap and similarity.

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
        self,
        response: str,
        predicted: Sequence[Entity] | None,
        gold: Sequence[Entity],
        answer: str,
        gold_answer: str,
    ) -> dict[str, float]:
        """Scores one response; ``predicted`` is None where its answer holds an invalid item.

        Returns:
            ``reward`` and its parts ``r_q`` (0..1), ``r_p`` (0..2), ``r_f`` (0 or 1), unweighted.
        """
        r_f = format_reward(response)
        said = None if r_f == 0.0 else predicted
        r_q = 0.0 if said is None else accuracy_reward(said, gold)
        r_p = overlap_reward(said or (), gold) + similarity_reward(answer, gold_answer)
        reward = r_q + self.alpha * r_p + self.beta * r_f
        return {"reward": reward, "r_q": r_q, "r_p": r_p, "r_f": r_f}
