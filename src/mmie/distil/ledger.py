"""What a run has cost so far, by the purpose of its requests."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping

from mmie.distil.answer import Answer
from mmie.spending import Spent, Tokens, in_dollars, price_of, tokens_in

NOTHING = Tokens(0, 0, 0)


def tokens_of(answer: Answer) -> Tokens | None:
    """The tokens that were paid for; None if nobody counted them.

    A request that was refused, or that failed, without a word about tokens was not paid for.
    """
    tokens = tokens_in(answer.details.get("usage"))
    if tokens is None and answer.state in ("refused", "failed"):
        return NOTHING
    return tokens


def dollars_of(answer: Answer, prices: Mapping[str, float] | None) -> float | None:
    """What an answer cost: as the record says, or else at these prices; None if nobody knows."""
    recorded = answer.details.get("dollars")
    if isinstance(recorded, int | float):
        return float(recorded)
    tokens = tokens_of(answer)
    return None if tokens is None else 0.0 if tokens == NOTHING else price_of(tokens, prices)


class Ledger:
    """What the answers of one run cost.

    Attributes:
        purposes: purpose → what its answers cost.
        under_way: what to say of requests that wait for their answers together; mostly nothing.
    """

    def __init__(self) -> None:
        self.purposes: dict[str, Spent] = defaultdict(Spent)
        self.under_way = ""

    def add(
        self, purpose: str, answer: Answer, prices: Mapping[str, float] | None, *, asked: bool
    ) -> None:
        """Adds an answer that the run has not had before.

        Args:
            purpose: of its request.
            answer: in whatever state.
            prices: of the teacher.
            asked: whether the run has fetched it; otherwise it was in the record.
        """
        tokens, dollars = tokens_of(answer), dollars_of(answer, prices)
        prompt, cached, written = tokens or NOTHING
        self.purposes[purpose] += Spent(
            asked=int(asked),
            reused=int(not asked),
            prompt_tokens=prompt,
            cached_tokens=cached,
            answer_tokens=written,
            uncounted=int(tokens is None),
            dollars=dollars,
            paid=dollars if asked else 0.0,
        )

    def add_again(self, purpose: str) -> None:
        """Adds an answer that the run has already had: it costs nothing more."""
        self.purposes[purpose] += Spent(reused=1)

    @property
    def total(self) -> Spent:
        return sum(self.purposes.values(), Spent())

    def line(self) -> str:
        """``12,345 tokens in, 6,789 out, $3.10, of which $1.00 in this run``."""
        total = self.total
        parts = [f"{total.prompt_tokens:,} tokens in"]
        if total.cached_tokens:
            parts.append(f"{total.cached_tokens:,} of them cached")
        parts += [f"{total.answer_tokens:,} out", in_dollars(total.dollars)]
        if total.reused and total.dollars:
            parts.append(f"of which {in_dollars(total.paid)} in this run")
        if total.uncounted:
            parts.append(f"answers whose tokens nobody counted: {total.uncounted:,}")
        if self.under_way:
            parts.append(self.under_way)
        return ", ".join(parts)
