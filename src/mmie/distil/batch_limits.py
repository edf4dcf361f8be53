"""How requests are put into batches."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class BatchLimits:
    """The limits of batches.

    Attributes:
        requests, size: of one file at most; the size in bytes.
        interval: seconds between two looks at the batches.
        tries: batches that a request goes into at most.
    """

    requests: int
    size: int
    interval: float
    tries: int
