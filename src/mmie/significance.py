"""Are two runs different? Everything is computed from the counts of each test sample: (correct, predicted, gold)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from statistics import mean, stdev

import numpy as np

Counts = Sequence[Sequence[int]]

TIE = 1e-12  # differences in F1 closer than this count as equal
CHUNK = 1 << 22  # swaps held in memory at once


@dataclass(frozen=True)
class Comparison:
    """``difference`` of micro F1, first minus second, in -1..1; ``p``, two-sided; whether every swap was tried (``exact``)."""

    difference: float
    p: float
    exact: bool


def paired_randomisation(
    first: Counts, second: Counts, *, rounds: int = 10_000, seed: int = 0
) -> Comparison:
    """Paired approximate randomisation test of micro F1 (Noreen 1989; Yeh, "More accurate tests", COLING 2000).

    Under the null hypothesis either run could have given either answer to a sample, so the two are swapped at random, sample by
    sample; p is how often the difference is then at least as large as the observed one: (1 + hits) / (1 + rounds). Where few
    samples differ all 2^n swaps are tried, and p is hits / 2^n.

    Args:
        first, second: counts of the same test samples in the same order.
        rounds: random swaps; also the largest number of swaps that are tried one and all.
        seed: of the swaps.

    Raises:
        ValueError: the two differ in length, or in how much is gold in a sample.
    """
    return randomisation_over_seeds([first], [second], rounds=rounds, seed=seed)


def randomisation_over_seeds(
    first: Sequence[Counts], second: Sequence[Counts], *, rounds: int = 10_000, seed: int = 0
) -> Comparison:
    """The same for systems with a run a seed: the difference is that of their mean F1, and a sample is swapped in all runs at once.

    So the test samples stay the units, however many seeds there are. p is about other test samples; how much another training with
    other seeds would differ is not in it.

    Args:
        first, second: counts of the same test samples in the same order, for each seed.
        rounds, seed: as in ``paired_randomisation``.

    Raises:
        ValueError: runs differ in length, or in how much is gold in a sample.
    """
    tables = [_table(counts) for counts in (*first, *second)]
    for table in tables:
        if not np.array_equal(table[:, 2], tables[0][:, 2]):
            raise ValueError(
                f"{len(tables[0])} and {len(table)} samples, or other gold: only runs on one test set can be compared"
            )
    a, b = (
        np.stack(tables[: len(first)], 1),
        np.stack(tables[len(first) :], 1),
    )  # [samples, seeds, 3]
    totals = a.sum(0), b.sum(0)
    observed = _f1(totals[0]).mean() - _f1(totals[1]).mean()
    apart = (a != b).any((1, 2))
    gap = (b - a)[apart]
    exact = 2 ** int(apart.sum()) <= rounds
    swaps = _all_swaps(len(gap)) if exact else _random_swaps(len(gap), rounds, seed)
    hits = tried = 0
    for swapped in swaps:
        moved = np.tensordot(swapped, gap, 1)
        differences = _f1(totals[0] + moved).mean(-1) - _f1(totals[1] - moved).mean(-1)
        hits += int((np.abs(differences) >= abs(observed) - TIE).sum())
        tried += len(swapped)
    return Comparison(float(observed), hits / tried if exact else (1 + hits) / (1 + tried), exact)


def bootstrap_interval(
    counts: Counts, *, samples: int = 1000, seed: int = 0
) -> tuple[float, float]:
    """The 95 % percentile bootstrap interval of micro F1, drawn over test samples: (low, high); (0, 0) without samples."""
    table = _table(counts)
    if not len(table):
        return 0.0, 0.0
    draws = np.random.default_rng(seed).multinomial(
        len(table), np.full(len(table), 1 / len(table)), size=samples
    )
    low, high = np.percentile(_f1(draws @ table), [2.5, 97.5])
    return float(low), float(high)


def mean_and_deviation(values: Sequence[float]) -> tuple[float, float | None]:
    """Mean and standard deviation (n - 1) over seeds; no deviation of one value."""
    return mean(values), stdev(values) if len(values) > 1 else None


def _table(counts: Counts) -> np.ndarray:
    return np.array(counts, dtype=np.int64).reshape(-1, 3)


def _f1(counts: np.ndarray) -> np.ndarray:
    """2 correct / (predicted + gold) of [..., 3] counts, 0 where nothing is predicted or gold."""
    return 2 * counts[..., 0] / np.maximum(counts[..., 1] + counts[..., 2], 1)


def _all_swaps(size: int) -> list[np.ndarray]:
    return [(np.arange(2**size)[:, None] >> np.arange(size)) & 1]


def _random_swaps(size: int, rounds: int, seed: int) -> list[np.ndarray]:
    generator = np.random.default_rng(seed)
    rows = max(1, CHUNK // size)
    return [
        generator.integers(0, 2, (min(rows, rounds - start), size))
        for start in range(0, rounds, rows)
    ]
