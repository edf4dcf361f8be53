"""What is wrong with a label."""

from __future__ import annotations

from mmie.tasks.kinds import judged_label
from mmie.tasks.mre.labels import NONE, parts_of
from mmie.types import Judged


def judge_label(predicted: str | None, gold: str, *, truncated: bool = False) -> Judged:
    """The label beside the gold one; see ``judged_label``."""
    return judged_label(predicted, gold, truncated=truncated, none=NONE, types_of=_types)


def _types(label: str) -> list[str]:
    return parts_of(label)[:2]
