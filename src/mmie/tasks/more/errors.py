"""What is wrong with a label."""

from __future__ import annotations

from mmie.tasks.kinds import judged_label
from mmie.tasks.more.metrics import NONE
from mmie.types import Judged


def judge_label(predicted: str | None, gold: str, *, truncated: bool = False) -> Judged:
    """The label beside the gold one; see ``judged_label``."""
    return judged_label(predicted, gold, truncated=truncated, none=NONE, types_of=_types)


def _types(label: str) -> str:
    """``/per/misc`` of ``/per/misc/awarded``."""
    return label.rpartition("/")[0]
