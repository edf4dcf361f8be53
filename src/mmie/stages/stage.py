"""A stage that is open, and the version of each stage's code."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from mmie.artifacts import Artifact
from mmie.settings import TRAININGS

# Raise a stage's number whenever its code makes another result of the same configuration. Its old
# artefacts, and those of all stages after it, are then not used again.
VERSIONS = {
    "data": 2,
    "divide": 2,
    "distil": 4,
    "filter": 2,
    "sft": 2,
    "difficulty": 4,
    "grpo": 3,
    "evaluate": 7,
    "vote": 6,
    "predict": 2,
}
# The stages in which all processes of a run take part.
COLLECTIVE = (*TRAININGS, "difficulty", "evaluate", "vote")


@dataclass(frozen=True)
class Stage:
    """A stage that is open.

    Attributes:
        artifact: the stage's result. It is complete as soon as the stage is closed.
        new: whether this process is to make the result.
        work: the folder to fill if so. It may hold what a killed run has left.
    """

    artifact: Artifact
    new: bool
    work: Path
