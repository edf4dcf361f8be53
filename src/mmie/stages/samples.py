"""The training samples of a run, which may be divided between the warm-up and GRPO."""

from __future__ import annotations

from dataclasses import dataclass

from mmie.artifacts import Artifact


@dataclass(frozen=True)
class Samples:
    """The data, and which training samples are for which training.

    Attributes:
        data: the finished stage data.
        division: the finished stage divide, with one list of ids for each training; None if both
            trainings take all samples.
    """

    data: Artifact
    division: Artifact | None = None
