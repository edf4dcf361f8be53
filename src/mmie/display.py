"""Printing data on a terminal. Whatever characters data consist of, they are printed as text."""

from __future__ import annotations

import re
from typing import Any

from rich.console import Console
from rich.text import Text

# Control characters except tab and line feed, and those that reorder the text around them.
_INVISIBLE = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]")


def escape_invisible(text: str) -> str:
    r"""Writes control characters and marks that reorder text as code points, as in ``\u202e``."""
    return _INVISIBLE.sub(lambda match: f"\\u{ord(match[0]):04x}", text)


def plain_text(value: object, style: str = "") -> Text:
    """A value for the terminal in which rich looks neither for markup nor for emoji codes."""
    return Text(escape_invisible(str(value)), style=style)


def terminal(**options: Any) -> Console:
    """A console that prints strings unchanged: ``[red]`` and ``:100:`` are ordinary text."""
    return Console(markup=False, emoji=False, **options)
