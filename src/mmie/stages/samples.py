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

    def count(self, part: str) -> int:
        """The number of training samples of the part ``sft`` or ``grpo``; reads none of them."""
        if self.division is None:
            total: int = self.data.load("statistics.json")["train"]["samples"]
            return total
        return len(self.division.load(f"{part}.json"))
