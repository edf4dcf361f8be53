"""What the commands of this package share."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager

from mmie.errors import InputError


@contextmanager
def one_line_errors() -> Iterator[None]:
    """Bad input ends the command with one line and status 2."""
    try:
        yield
    except InputError as error:
        print(f"error: {error}", file=sys.stderr)
        sys.exit(2)
