"""The figures of one part, which are on disk as soon as each of them is known."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from mmie.files import write_json


class Notes:
    """Figures by name in a JSON file that is written anew with each of them.

    So a part that fails or runs out of time leaves what it had measured.

    Args:
        path: the file.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.values: dict[str, Any] = {}

    def add(self, **values: Any) -> None:
        """Writes further figures."""
        self.values |= values
        write_json(self.path, self.values)
