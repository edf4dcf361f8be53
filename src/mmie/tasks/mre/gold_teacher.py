"""A teacher for real tweets that is no model: a template over the gold label.

Its chains look at no picture. A chain is one line, whose quoted words stand between head and tail::

    Josh Gordon and Browns: "star WR of the", so per, org, member of.

Such chains teach the form of the method and where to look. They hold no knowledge beyond tweet and
gold.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import ClassVar

from mmie.distil.teacher import Request
from mmie.tasks.mre.labels import NONE, checked_labels, parts_of
from mmie.toy.teacher import ScriptedTeacher
from mmie.types import Example

LONGEST = 8  # words of a quotation
BETWEEN = re.compile(r"</(?:head|tail)>(.*?)<(?:head|tail)>")
CONCLUSION = re.compile(r'", so ([^"]+)\.\Z')


class GoldTeacher(ScriptedTeacher):
    """Writes a chain from the gold label, and reads the label off a chain.

    Args:
        seed: of the errors.
        labels: those of the task; a wrong one has the same types where there is such a one.
        wrong_label: the share of chains that end in a wrong label.
    """

    model: ClassVar[str] = "mre-templates"
    choice: ClassVar[str] = "mre_templates"

    def __init__(self, *, seed: int = 0, labels: Sequence[str], wrong_label: float) -> None:
        super().__init__(seed=seed, rates={"wrong_label": wrong_label})
        self.labels = [*checked_labels(labels), NONE]

    def knows(self, example: Example) -> bool:
        """Any sample that has gold."""
        return True

    def subject(self, example: Example) -> str:
        """The marked text: a text has several samples."""
        marked: str = example.extra["marked"]
        return marked

    def write(self, request: Request) -> str:
        """The chain, or the label read off the chain."""
        if request.purpose == "repredict":
            match = CONCLUSION.search(request.chain)
            return f"<answer>{match[1] if match else ''}</answer>"
        label, extra = request.example.gold, request.example.extra
        if self.errs(request, "wrong_label"):
            label = self.rng(request, "label").choice(self._others(label))
        quoted = words_between(extra["marked"])
        return f'{extra["head"]} and {extra["tail"]}: "{quoted}", so {label}.'

    def _others(self, label: str) -> list[str]:
        """The other labels of the same types, or all others."""
        others = [other for other in self.labels if other != label]
        types = parts_of(label)[:-1]
        return [other for other in others if parts_of(other)[:-1] == types] or others


def words_between(marked: str) -> str:
    """The words between head and tail; none where one lies in the other.

    Of more than ``LONGEST`` words, the ones beside the names.
    """
    match = BETWEEN.search(marked)
    words = match[1].split() if match else []
    if len(words) > LONGEST:
        half = LONGEST // 2
        words = [*words[:half], "…", *words[-half:]]
    return " ".join(words)
