"""Labels as a data set writes them, held against those of the task."""

from __future__ import annotations

from collections.abc import Collection

from mmie.text import label_key


class Spellings:
    """Labels by what they mean: case, Unicode form, and blanks for underscores make no difference.

    Args:
        labels: in the spelling that is written.
    """

    def __init__(self, labels: Collection[str]) -> None:
        self.labels = list(labels)
        self._by_key = {label_key(label): label for label in reversed(self.labels)}

    def of(self, label: str) -> str | None:
        """The label in its own spelling; None where it is none of them."""
        return label if label in self.labels else self._by_key.get(label_key(label))
