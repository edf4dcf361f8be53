"""The randomisation test and the bootstrap against hand-worked cases, closed forms and scipy."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from mmie.significance import (
    bootstrap_interval,
    mean_and_deviation,
    paired_randomisation,
    randomisation_over_seeds,
)

RIGHT, WRONG, SILENT = (1, 1, 1), (0, 1, 1), (0, 0, 1)


def hits(*right: int) -> list[tuple[int, int, int]]:
    return [(one, 1, 1) for one in right]


def f1(counts: np.ndarray) -> float:
    correct, predicted, gold = counts.sum(0)
    return 2 * correct / (predicted + gold)


def test_two_samples_by_hand() -> None:
    """Swaps: none, either, both → differences 1, 0, 0, -1: half of them are as large as 1."""
    result = paired_randomisation(hits(1, 1), hits(0, 0))
    assert (result.difference, result.p, result.exact) == (1.0, 0.5, True)


def test_samples_that_agree_do_not_count() -> None:
    assert paired_randomisation(hits(1, 1, 1, 0), hits(0, 1, 1, 0)).p == 1.0
    assert paired_randomisation([*hits(1, 1), RIGHT, SILENT], [*hits(0, 0), RIGHT, SILENT]).p == 0.5


def test_f1_with_unequal_predictions_by_hand() -> None:
    """The first has 1 of 1 predicted and 2 gold: 2/3. The second has 1 of 3 predicted: 2/5.

    One sample differs, so a swap changes only the sign of the difference: p = 1.
    """
    result = paired_randomisation([RIGHT, SILENT], [(1, 1, 1), (0, 2, 1)])
    assert result.difference == pytest.approx(2 / 3 - 2 / 5)
    assert result.p == 1.0


def test_all_one_way_is_two_in_two_to_the_n() -> None:
    for n in (3, 8, 13):
        assert paired_randomisation(hits(*[1] * n), hits(*[0] * n)).p == 2 / 2**n


def test_one_in_ten_thousand_is_the_least_that_random_swaps_can_say() -> None:
    result = paired_randomisation(hits(*[1] * 60), hits(*[0] * 60), rounds=999)
    assert (result.exact, result.p) == (False, 1 / 1000)


def test_the_order_turns_the_sign_only() -> None:
    generator = np.random.default_rng(1)
    first, second = (hits(*generator.integers(0, 2, 80)) for _ in range(2))
    forth, back = paired_randomisation(first, second), paired_randomisation(second, first)
    assert forth.difference == -back.difference
    assert forth.p == pytest.approx(back.p, abs=0.02)


def test_a_sample_is_swapped_in_all_seeds_at_once() -> None:
    """One sample is right in both seeds of the first and in none of the second.

    There are two swaps, and both give a difference as large as the observed one.
    """
    assert randomisation_over_seeds([hits(1), hits(1)], [hits(0), hits(0)]).p == 1.0
    result = randomisation_over_seeds([hits(1, 1), hits(1, 0)], [hits(0, 0), hits(0, 0)])
    assert (result.difference, result.p, result.exact) == (
        0.75,
        0.5,
        True,
    )  # swaps: 0.75, -0.25, 0.25, -0.75


def test_more_of_the_same_seed_says_nothing_new() -> None:
    first, second = hits(1, 1, 1, 1, 0), hits(0, 0, 0, 1, 1)
    once = paired_randomisation(first, second)
    assert randomisation_over_seeds([first] * 5, [second] * 5) == once


def test_the_difference_is_that_of_mean_f1() -> None:
    first, second = [[RIGHT, SILENT], [RIGHT, WRONG]], [[RIGHT, RIGHT], [SILENT, SILENT]]
    assert randomisation_over_seeds(first, second).difference == pytest.approx(
        (2 / 3 + 1 / 2) / 2 - (1 + 0) / 2
    )
    with pytest.raises(ValueError, match="1 and 2 samples"):
        randomisation_over_seeds([hits(1), hits(1, 1)], [hits(1), hits(1, 1)])


def test_same_runs_and_no_samples_are_no_difference() -> None:
    assert paired_randomisation([RIGHT, WRONG], [RIGHT, WRONG]).p == 1.0
    assert paired_randomisation([], []).p == 1.0


@pytest.mark.parametrize("second", [[RIGHT], [RIGHT, (0, 1, 2)]])
def test_other_test_sets_are_refused(second: list[tuple[int, int, int]]) -> None:
    with pytest.raises(ValueError, match="only runs on one test set"):
        paired_randomisation([RIGHT, WRONG], second)


def test_as_scipy_has_it() -> None:
    generator = np.random.default_rng(5)
    gold = generator.integers(1, 4, 60)
    tables = []
    for share in (0.7, 0.5):
        predicted = generator.integers(0, 4, 60)
        tables.append(
            np.stack(
                [np.minimum(generator.binomial(gold, share), predicted), predicted, gold], axis=1
            )
        )
    first, second = tables

    def difference(a: np.ndarray, b: np.ndarray) -> float:
        """The samples arrive as row numbers: all three counts of a sample are swapped together."""
        both = np.stack([first, second])
        rows = np.arange(60)
        return f1(both[a.astype(int), rows]) - f1(both[b.astype(int), rows])

    places = np.zeros(60), np.ones(60)
    theirs = stats.permutation_test(
        places, difference, permutation_type="samples", n_resamples=4000, rng=0
    )
    ours = paired_randomisation(first.tolist(), second.tolist(), rounds=20_000)
    assert ours.difference == pytest.approx(theirs.statistic)
    assert 0.002 < ours.p < 0.9
    assert ours.p == pytest.approx(theirs.pvalue, abs=0.03)


def test_the_bootstrap_is_scipys_percentile_interval() -> None:
    generator = np.random.default_rng(2)
    table = np.stack([generator.integers(0, 2, 200), np.ones(200, int), np.ones(200, int)], axis=1)
    low, high = bootstrap_interval(table.tolist(), samples=20_000)
    theirs = stats.bootstrap(
        (table[:, 0].astype(float),), np.mean, method="percentile", n_resamples=20_000, rng=1
    ).confidence_interval
    assert (low, high) == pytest.approx((theirs.low, theirs.high), abs=0.006)


def test_a_bootstrap_of_equal_samples_has_no_width() -> None:
    assert bootstrap_interval([RIGHT] * 5) == (1.0, 1.0)
    assert bootstrap_interval([SILENT] * 5) == (0.0, 0.0)
    assert bootstrap_interval([(0, 0, 0)] * 5) == bootstrap_interval([]) == (0.0, 0.0)


def test_spread_by_hand() -> None:
    assert mean_and_deviation([0.4, 0.6]) == pytest.approx((0.5, 0.02**0.5))
    assert mean_and_deviation([0.4]) == (0.4, None)
