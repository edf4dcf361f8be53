"""What a plan says."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from typing import Any

from mmie.planning.stage_costs import Cost


@dataclass(frozen=True)
class StageCost:
    """One row of the plan.

    Attributes:
        stage: its name.
        samples, updates: that are left; updates of trainings alone.
        key: of its result; jobs of a sweep share what has one key.
        expected, at_most: what is left to compute, with responses of the expected length and with
            responses of the length limit.
        processes: that share the work.
    """

    stage: str
    samples: int
    updates: int
    key: str
    expected: Cost
    at_most: Cost
    processes: int = 1


@dataclass
class Plan:
    """What ``plan.json`` holds.

    Attributes:
        experiment, profile: what is planned.
        teacher: ``model``, ``purposes`` (purpose → requests), ``dollars`` and
            ``dollars_at_most`` (None where the prices are unknown).
        stages: what is left, in order.
        finished: stages whose results are there.
        memory: GiB per GPU by pass; None if it was not simulated.
        cards: card → memory, hours, GPU-hours, and whether the run fits.
        disk: bytes by kind.
        assumptions, warnings: sentences.
    """

    experiment: str
    profile: str
    teacher: dict[str, Any] = field(default_factory=dict)
    stages: list[StageCost] = field(default_factory=list)
    finished: list[str] = field(default_factory=list)
    memory: dict[str, float] | None = None
    cards: dict[str, dict[str, Any]] = field(default_factory=dict)
    disk: dict[str, int] = field(default_factory=dict)
    assumptions: list[str] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)

    def as_json(self) -> dict[str, Any]:
        return asdict(self)

    def has(self, stage: str, *, ready: bool) -> bool:
        """Whether a stage is finished; if so it is noted."""
        if ready and stage not in self.finished:
            self.finished.append(stage)
        return ready
