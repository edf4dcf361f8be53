"""The responses that were recorded during GRPO, ``rollouts.jsonl`` beside the results."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Any

from mmie.reporting.numbers import NOTHING
from mmie.reporting.runs import Run
from mmie.results import Rollout, read_rollouts

STEPS_SHOWN = 6
NOT_PARTS = ("id", "image", "advantage")  # columns that are not parts of the reward


@dataclass(frozen=True)
class Sampled:
    """Some of the recorded steps, from the first to the last.

    Attributes:
        recorded: how many steps were recorded.
        steps: those that are shown.
        parts: names of the parts of the reward.
        groups: the responses to one prompt each.
    """

    recorded: int
    steps: tuple[int, ...]
    parts: tuple[str, ...]
    groups: tuple[tuple[Rollout, ...], ...]

    @property
    def columns(self) -> tuple[str, ...]:
        return ("reward", *self.parts, "advantage")

    def cells(self, rollout: Rollout) -> list[str]:
        """The numbers of a response, by ``columns``."""
        values = [rollout.values.get(name) for name in (*self.parts, "advantage")]
        return [_cell(value) for value in (rollout.reward, *values)]


def sampled(run: Run) -> Sampled | None:
    """The responses of up to ``STEPS_SHOWN`` steps; None where the run has recorded nothing.

    Raises:
        InputError: a line is not a rollout.
    """
    path = run.file("rollouts.jsonl")
    rollouts = read_rollouts(path) if path else []
    if not rollouts:
        return None
    recorded = sorted({rollout.step for rollout in rollouts})
    steps = _evenly_spaced(recorded)
    parts = tuple(name for name in rollouts[0].values if name not in NOT_PARTS)
    chosen = [rollout for rollout in rollouts if rollout.step in steps]
    prompts = groupby(chosen, key=lambda rollout: (rollout.step, rollout.text))
    return Sampled(len(recorded), steps, parts, tuple(tuple(group) for _, group in prompts))


def _evenly_spaced(recorded: Sequence[int]) -> tuple[int, ...]:
    last = len(recorded) - 1
    places = {round(turn * last / (STEPS_SHOWN - 1)) for turn in range(STEPS_SHOWN)}
    return tuple(recorded[place] for place in sorted(places))


def _cell(value: Any) -> str:
    if isinstance(value, int | float):
        return f"{value:.3g}"
    return NOTHING if value is None else str(value)
