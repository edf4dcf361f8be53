"""Dollars are not spent beyond ``teacher.budget``.

A request begins only if its worst case, with those under way at theirs, still fits.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager

from mmie.errors import InputError
from mmie.spending import in_dollars

NEEDED = ("input", "output", "picture", "tile")  # prices that a worst case is made of


def check_budget(
    budget: float, model: str, prices: Mapping[str, float], *, limit: int | None
) -> None:
    """Checks that somebody could say whether a request still fits.

    Args:
        budget: dollars.
        model: the teacher's.
        prices: of this model.
        limit: tokens of an answer at most; None if there is no limit.

    Raises:
        InputError: the budget is not positive, or a price or the limit is missing.
    """
    if budget <= 0:
        raise InputError(f"teacher.budget is {budget}: set it to more than 0 dollars, or null")
    missing = [name for name in NEEDED if name not in prices]
    if missing:
        raise InputError(
            f"teacher.budget: teacher.prices says nothing of {model}: {', '.join(missing)}; "
            "add it, or set teacher.budget=null"
        )
    if limit is None:
        raise InputError(
            "teacher.budget: the answers have no limit; set teacher.max_tokens, or "
            "max_completion_tokens in teacher.request"
        )


class Purse:
    """What is left of a budget.

    Args:
        budget: dollars that all answers in a record may have cost.
        spent: what those so far have cost.
    """

    def __init__(self, budget: float, spent: Callable[[], float]) -> None:
        self._budget = budget
        self._spent = spent
        self._under_way: list[float] = []
        self._ended = asyncio.Event()

    def fits(self, worst: float) -> bool:
        """Whether a request that may cost so much can begin now."""
        return self._spent() + sum(self._under_way) + worst <= self._budget

    async def wait(self, worst: float) -> None:
        """Waits until such a request fits: most of those under way cost less than they might.

        Raises:
            InputError: nothing is under way, and it does not fit.
        """
        while not self.fits(worst):
            if not self._under_way:
                raise self.empty(worst)
            self._ended.clear()
            await self._ended.wait()

    @contextmanager
    def under_way(self, worst: float) -> Iterator[None]:
        """Inside, so much is taken as spent."""
        self.reserve(worst)
        try:
            yield
        finally:
            self.release(worst)

    def reserve(self, worst: float) -> None:
        """Takes so much as spent, until it is released."""
        self._under_way.append(worst)

    def release(self, worst: float) -> None:
        """What was reserved has been spent, or will not be."""
        self._under_way.remove(worst)
        self._ended.set()

    def empty(self, worst: float) -> InputError:
        """The error where a request does not fit."""
        spent = f"{in_dollars(self._spent())} are spent"
        return InputError(
            f"teacher.budget={self._budget:g}: {spent}, and the next request may cost up to "
            f"${worst:.4f}; raise teacher.budget"
        )
