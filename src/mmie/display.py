"""Data on a terminal: text stays text, whatever it is made of."""

from __future__ import annotations

import re
from typing import Any

from rich.console import Console
from rich.text import Text

# Control characters but tab and line feed, and those that reorder the text around them.
_INVISIBLE = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]")


def escape_invisible(text: str) -> str:
    r"""Control characters and marks that reorder text become code points, such as ``\u202e``."""
    return _INVISIBLE.sub(lambda found: f"\\u{ord(found[0]):04x}", text)


def plain_text(value: object, style: str = "") -> Text:
    """A value for a terminal, in which neither markup nor emoji codes count."""
    return Text(escape_invisible(str(value)), style=style)


def terminal(**options: Any) -> Console:
    """A console that takes what it prints as it is: ``[red]`` and ``:100:`` are text."""
    return Console(markup=False, emoji=False, **options)
