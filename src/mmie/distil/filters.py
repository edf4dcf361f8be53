"""From all recorded candidates to one chain per sample, with the counts of JMERE-R1 Figure 7.

No teacher is called.
"""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from mmie.types import Candidate

Gold = Mapping[str, Any]  # sample id → gold in the task's own type


class Filter(Protocol):
    """A pure function over recorded candidates."""

    def __call__(self, candidates: Sequence[Candidate], gold: Gold) -> list[Candidate]:
        """The candidates that stay, in their order; ``gold`` maps each sample id to its gold."""


@dataclass(frozen=True)
class Selection:
    """What the filters leave.

    Attributes:
        chosen: at most one candidate for each sample, in the samples' order.
        counts: ``{stage, candidates, samples}`` after ``distilled``, ``usable``, each filter and
            ``selected``.
    """

    chosen: list[Candidate]
    counts: list[dict[str, Any]]


def apply_filters(
    candidates: Sequence[Candidate], filters: Mapping[str, Filter], gold: Gold, *, seed: int
) -> Selection:
    """Drops empty chains, applies the filters in order, then draws one of the rest for each sample.

    Each sample draws with a seed of its own, made of ``seed`` and its id, so that one more sample
    changes nothing for the others.

    Args:
        candidates: sample by sample, as the distillation gives them.
        filters: name → filter; the name becomes the stage of the count.
        gold: sample id → gold in the task's own type.
        seed: of the draws.
    """
    left = [candidate for candidate in candidates if candidate.chain]
    counts = [_count("distilled", candidates), _count("usable", left)]
    for name, keep in filters.items():
        left = keep(left, gold)
        counts.append(_count(name, left))
    of_sample: dict[str, list[Candidate]] = {}
    for candidate in left:
        of_sample.setdefault(candidate.example_id, []).append(candidate)
    chosen = [random.Random(f"{seed} {name}").choice(tied) for name, tied in of_sample.items()]
    return Selection(chosen, [*counts, _count("selected", chosen)])


def _count(stage: str, candidates: Sequence[Candidate]) -> dict[str, Any]:
    samples = {candidate.example_id for candidate in candidates}
    return {"stage": stage, "candidates": len(candidates), "samples": len(samples)}
