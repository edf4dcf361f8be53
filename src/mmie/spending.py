"""What answers of the teacher cost: their tokens, as the server counts them, and dollars."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, NamedTuple

PER = 1_000_000  # tokens for which a price is told


class Tokens(NamedTuple):
    """Tokens of one answer.

    ``prompt`` are those of the question with its pictures, and ``cached`` those of them that the
    server had in its cache. ``answer`` are all that the model wrote, its thinking included.
    """

    prompt: int
    cached: int
    answer: int


def tokens_in(usage: Any) -> Tokens | None:
    """The tokens in the field ``usage`` of a chat completion; None if it does not tell them."""
    if not isinstance(usage, Mapping):
        return None
    details = usage.get("prompt_tokens_details")
    cached = details.get("cached_tokens") if isinstance(details, Mapping) else 0
    counts: list[Any] = [usage.get("prompt_tokens"), cached or 0, usage.get("completion_tokens")]
    if all(type(count) is int and count >= 0 for count in counts):
        return Tokens(*counts)
    return None


def price_of(tokens: Tokens, prices: Mapping[str, float] | None) -> float | None:
    """Dollars; None where the prices are not known.

    Args:
        tokens: of an answer, or of several.
        prices: dollars for a million tokens of ``input`` and ``output``, and of ``cached`` input
            where that has a price of its own.
    """
    if prices is None:
        return None
    cached = tokens.cached * prices.get("cached", prices["input"])
    fresh = (tokens.prompt - tokens.cached) * prices["input"]
    return (cached + fresh + tokens.answer * prices["output"]) / PER


@dataclass(frozen=True, kw_only=True)
class Spent:
    """What some answers of the teacher cost.

    Attributes:
        asked: answers that this run fetched.
        reused: answers that were in the record, or that the run itself had fetched before.
        prompt_tokens, cached_tokens, answer_tokens: of both, see ``Tokens``.
        uncounted: answers whose tokens nobody counted; the other numbers lack them.
        dollars: of both, at the price of their day; None where it is not known.
        paid: dollars of those that this run fetched.
    """

    asked: int = 0
    reused: int = 0
    prompt_tokens: int = 0
    cached_tokens: int = 0
    answer_tokens: int = 0
    uncounted: int = 0
    dollars: float | None = 0.0
    paid: float | None = 0.0

    def __add__(self, other: Spent) -> Spent:
        others = asdict(other)
        return Spent(**{name: _sum(value, others[name]) for name, value in asdict(self).items()})

    @property
    def requests(self) -> int:
        return self.asked + self.reused

    @property
    def tokens(self) -> int | None:
        """Of prompts and answers; None where some were not counted."""
        return None if self.uncounted else self.prompt_tokens + self.answer_tokens


def in_dollars(value: float | None) -> str:
    """``$3.10``, or ``$?`` where it is not known."""
    return "$?" if value is None else f"${value:,.2f}"


def _sum(one: Any, other: Any) -> Any:
    return None if one is None or other is None else one + other
