"""Work that the processes of one training share: each does a part of it, and all get the whole."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, TypeVar

from torch import distributed

Item = TypeVar("Item")
Result = TypeVar("Result")


def in_shares(
    items: Sequence[Item], work: Callable[[Sequence[Item]], list[Result]]
) -> list[Result]:
    """``work(items)``, of which process ``rank`` of ``size`` does ``items[rank::size]``.

    All processes of a training must call it, and all get the same list. Outside a training, and in
    one of a single process, it is ``work(items)`` itself.

    Args:
        items: the same in all processes.
        work: gives one result for each item that it is given, in order. It must not use the other
            processes, as it is called with lists of unequal length.
    """
    if not distributed.is_available() or not distributed.is_initialized():
        return work(items)
    rank, size = distributed.get_rank(), distributed.get_world_size()
    shares: list[Any] = [None] * size
    distributed.all_gather_object(shares, work(items[rank::size]))
    return interleaved(shares)


def interleaved(shares: Sequence[Sequence[Result]]) -> list[Result]:
    """The list whose parts ``[rank::size]`` are the shares, in the order of the ranks."""
    whole: list[Any] = [None] * sum(map(len, shares))
    for rank, share in enumerate(shares):
        whole[rank :: len(shares)] = share
    return whole
