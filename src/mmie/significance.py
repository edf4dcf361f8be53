"""Are two runs different? All tests work on the counts of each test sample.

The counts of a sample are (correct, predicted, gold).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from statistics import mean, stdev

import numpy as np

Counts = Sequence[Sequence[int]]

TIE = 1e-12  # differences in F1 that are closer than this count as equal
CHUNK = 1 << 22  # swaps held in memory at once


@dataclass(frozen=True)
class Comparison:
    """The result of a paired randomisation test.

    Attributes:
        difference: micro F1 of the first system minus that of the second, in -1..1.
        p: two-sided p-value.
        exact: whether all swaps were tried, and not a random selection of them.
    """

    difference: float
    p: float
    exact: bool


def paired_randomisation(
    first: Counts, second: Counts, *, rounds: int = 10_000, seed: int = 0
) -> Comparison:
    """Paired approximate randomisation test of micro F1.

    Source: Noreen 1989; Yeh, "More accurate tests", COLING 2000. Under the null hypothesis either
    run could have given either answer to a sample. So the two are swapped at random, sample by
    sample, and p is how often the difference is then at least as large as the observed one:
    (1 + hits) / (1 + rounds). If only few samples differ, all 2^n swaps are tried, and p is
    hits / 2^n.

    Args:
        first, second: counts of the same test samples in the same order.
        rounds: random swaps, and the largest number of swaps that are all tried.
        seed: of the random swaps.

    Raises:
        ValueError: the two differ in length or in the gold count of a sample.
    """
    return randomisation_over_seeds([first], [second], rounds=rounds, seed=seed)


def randomisation_over_seeds(
    first: Sequence[Counts], second: Sequence[Counts], *, rounds: int = 10_000, seed: int = 0
) -> Comparison:
    """``paired_randomisation`` for systems with one run per seed.

    The difference is that of their mean F1, and a sample is swapped in all runs at once. So the
    test samples remain the units, however many seeds there are: p says whether another test set
    would show the difference. How much trainings with other seeds would differ is not part of it.

    Args:
        first, second: for each seed, counts of the same test samples in the same order.
        rounds, seed: as in ``paired_randomisation``.

    Raises:
        ValueError: two runs differ in length or in the gold count of a sample.
    """
    tables = [_table(counts) for counts in (*first, *second)]
    _check_same_samples(tables)
    a = np.stack(tables[: len(first)], 1)  # [samples, seeds, 3]
    b = np.stack(tables[len(first) :], 1)
    totals = a.sum(0), b.sum(0)
    observed = _f1(totals[0]).mean() - _f1(totals[1]).mean()
    # Swapping a sample on which all runs agree changes nothing, so only the others are swapped.
    differs = (a != b).any((1, 2))
    gap = (b - a)[differs]
    exact = 2 ** len(gap) <= rounds
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
    """The 95 % percentile bootstrap interval of micro F1: (low, high).

    Test samples are drawn with replacement. Without any sample the interval is (0, 0).

    Args:
        counts: of each test sample.
        samples: number of bootstrap draws.
        seed: of the draws.
    """
    table = _table(counts)
    if not len(table):
        return 0.0, 0.0
    draws = np.random.default_rng(seed).multinomial(
        len(table), np.full(len(table), 1 / len(table)), size=samples
    )
    low, high = np.percentile(_f1(draws @ table), [2.5, 97.5])
    return float(low), float(high)


def mean_and_deviation(values: Sequence[float]) -> tuple[float, float | None]:
    """Mean and standard deviation (n - 1) over seeds; the deviation of a single value is None."""
    return mean(values), stdev(values) if len(values) > 1 else None


def _check_same_samples(tables: Sequence[np.ndarray]) -> None:
    first = tables[0]
    for table in tables:
        if not np.array_equal(table[:, 2], first[:, 2]):
            raise ValueError(
                f"{len(first)} and {len(table)} samples, or other gold: "
                "only runs on one test set can be compared"
            )


def _table(counts: Counts) -> np.ndarray:
    return np.array(counts, dtype=np.int64).reshape(-1, 3)


def _f1(counts: np.ndarray) -> np.ndarray:
    """2 correct / (predicted + gold) of [..., 3] counts; 0 if nothing is predicted or gold."""
    return 2 * counts[..., 0] / np.maximum(counts[..., 1] + counts[..., 2], 1)


def _all_swaps(size: int) -> list[np.ndarray]:
    """All 0/1 vectors of this size, as the bits of the numbers 0 … 2^size - 1."""
    return [(np.arange(2**size)[:, None] >> np.arange(size)) & 1]


def _random_swaps(size: int, rounds: int, seed: int) -> list[np.ndarray]:
    generator = np.random.default_rng(seed)
    rows = max(1, CHUNK // size)
    chunks = []
    for start in range(0, rounds, rows):
        chunks.append(generator.integers(0, 2, (min(rows, rounds - start), size)))
    return chunks
