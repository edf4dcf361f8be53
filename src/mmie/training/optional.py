"""Calls to a service that a run can do without."""

from __future__ import annotations

import logging
from types import TracebackType

LONGEST = 300  # characters of a reason; some libraries write a whole page
log = logging.getLogger(__name__)


class Attempt:
    """A ``with`` block whose errors become one line of warning instead of ending the run.

    Use it around calls into one library and nothing else. It catches every error, because such
    libraries raise private classes of their own. An interrupt or an exit is no error and passes.

    Args:
        service: what is called, for the warning.
        otherwise: what happens after a failure, for the warning.

    Attributes:
        failed: whether there was an error.
    """

    def __init__(self, service: str, *, otherwise: str) -> None:
        self.service = service
        self.otherwise = otherwise
        self.failed = False

    def __enter__(self) -> Attempt:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> bool:
        if not isinstance(error, Exception):
            return False
        self.failed = True
        reason = " ".join(str(error).split()) or type(error).__name__
        cut = f"{reason[:LONGEST]}…" if len(reason) > LONGEST else reason
        log.warning("%s: %s; %s", self.service, cut, self.otherwise)
        return True
