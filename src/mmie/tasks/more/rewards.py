"""The rewards of MORE-R1: format, length and answer, each 0 or 1, and their sum.

Only the abstract of MORE-R1 was read by us; the three parts come from a second source. What it
leaves open:

1. The unit of the length, 1,024, is not known to us: characters, or words with ``unit="words"``;
   of the whole response, tags included.
2. Each part stands alone: a right answer without the six steps keeps ``r_a``. Without think and
   answer tags there is no answer.
"""

from __future__ import annotations

from mmie.errors import InputError
from mmie.parsing import parse_response
from mmie.tasks.more.steps import parse_steps

UNITS = {"characters": len, "words": lambda text: len(text.split())}


def format_reward(response: str, *, steps: int) -> float:
    """1 if the response is one think block and then one answer block, else 0.

    The think block has the headings ``Step 1`` to the last one, each once and in order.
    """
    parsed = parse_response(response)
    return 0.0 if parsed is None or parse_steps(parsed.think, steps=steps) is None else 1.0


def length_reward(response: str, *, threshold: int, unit: str) -> float:
    """1 if the response is longer than ``threshold``, counted in one of ``UNITS``; else 0."""
    return 1.0 if UNITS[unit](response) > threshold else 0.0


def answer_reward(predicted: str | None, gold: str) -> float:
    """1 if the label is the gold one; else, and for None (unparsable), 0."""
    return 1.0 if predicted == gold else 0.0


class MOREReward:
    """The three parts on one response.

    Args:
        threshold: the length that a response must pass (the paper: 1,024).
        unit: what the length counts: ``characters`` or ``words``.
        steps: steps of a chain.

    Raises:
        InputError: an unknown unit, a threshold below 0 or fewer than 1 step.
    """

    def __init__(self, *, threshold: int, unit: str, steps: int) -> None:
        if unit not in UNITS:
            raise InputError(f"reward.unit: {unit!r} is unknown; use {' or '.join(UNITS)}")
        if threshold < 0 or steps < 1:
            what = f"threshold {threshold} and steps {steps}"
            raise InputError(f"reward: {what} must be at least 0 and 1; correct them")
        self.threshold = threshold
        self.unit = unit
        self.steps = steps

    def __call__(
        self, response: str, predicted: str | None, gold: str, answer: str, gold_answer: str
    ) -> dict[str, float]:
        """Scores one response; ``predicted`` is None where its answer is no label.

        The two answers as text play no part.

        Returns:
            ``reward``, the sum (0..3), and its parts ``r_f`` (format), ``r_l`` (length) and
            ``r_a`` (answer).
        """
        r_f = format_reward(response, steps=self.steps)
        r_l = length_reward(response, threshold=self.threshold, unit=self.unit)
        r_a = answer_reward(predicted, gold)
        return {"reward": r_f + r_l + r_a, "r_f": r_f, "r_l": r_l, "r_a": r_a}
