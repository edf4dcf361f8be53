import pytest
from hypothesis import given
from hypothesis import strategies as st

from mmie.metrics import (
    PRF,
    bootstrap_f1,
    folded_set,
    micro_prf,
    per_relation,
)
from mmie.tasks.jmere.task import direction_blind, entities
from mmie.types import Quintuple

JOSH = Quintuple("Josh Gordon", "per", "Browns", "org", "member_of")
PARIS = Quintuple("France", "loc", "Paris", "loc", "contain")
LYON = Quintuple("France", "loc", "Lyon", "loc", "contain")


def test_counts_run_over_all_samples() -> None:
    # correct 1 + 0 + 1 = 2, predicted 2 + 0 + 1 = 3, gold 2 + 1 + 1 = 4: P 2/3, R 2/4, F1 4/7
    predicted = [["a", "b"], None, ["e", "e"]]
    gold = [["a", "c"], ["d"], {"e"}]
    result = micro_prf(predicted, gold)
    assert (result.correct, result.predicted, result.gold) == (2, 3, 4)
    assert (result.precision, result.recall, result.f1) == pytest.approx((2 / 3, 1 / 2, 4 / 7))


def test_an_item_counts_only_in_its_own_sample() -> None:
    assert micro_prf([["a"], ["b"]], [["b"], ["a"]]).correct == 0


@pytest.mark.parametrize(
    ("predicted", "gold", "expected"),
    [
        ([], [], PRF(0.0, 0.0, 0.0, 0, 0, 0)),
        ([[]], [[]], PRF(0.0, 0.0, 0.0, 0, 0, 0)),
        ([None], [["a"]], PRF(0.0, 0.0, 0.0, 0, 0, 1)),
        ([["a"]], [[]], PRF(0.0, 0.0, 0.0, 0, 1, 0)),
        ([["b"]], [["a"]], PRF(0.0, 0.0, 0.0, 0, 1, 1)),
    ],
)
def test_zero_denominators_give_zero(predicted: list, gold: list, expected: PRF) -> None:
    assert micro_prf(predicted, gold) == expected


def test_all_five_fields_count_and_direction_does() -> None:
    for i in range(5):
        changed = Quintuple(*("other" if i == j else part for j, part in enumerate(JOSH)))
        assert micro_prf([[changed]], [[JOSH]]).correct == 0
    assert (
        micro_prf(
            [[Quintuple("Browns", "org", "Josh Gordon", "per", "member_of")]], [[JOSH]]
        ).correct
        == 0
    )


def test_white_space_is_folded_and_case_kept() -> None:
    assert micro_prf([[JOSH._replace(head=" Josh\n Gordon ")]], [[JOSH]]).correct == 1
    assert micro_prf([[JOSH, JOSH._replace(head="Josh  Gordon")]], [[JOSH]]).predicted == 1
    assert micro_prf([[JOSH._replace(head="josh Gordon")]], [[JOSH]]).correct == 0
    assert folded_set([" a  b", ("c\t", "d")]) == {"a b", ("c", "d")}


@pytest.mark.parametrize("function", [micro_prf, bootstrap_f1, per_relation])
@pytest.mark.parametrize(("predicted", "gold"), [([["a"]], []), ([], [["a"]])])
def test_different_lengths_are_refused(function, predicted, gold) -> None:
    with pytest.raises(ValueError, match="predictions for"):
        function(predicted, gold)


def test_entities_are_pairs_of_name_and_type() -> None:
    assert entities([PARIS, LYON]) == {("France", "loc"), ("Paris", "loc"), ("Lyon", "loc")}
    assert entities([JOSH]) == {("Josh Gordon", "per"), ("Browns", "org")}
    assert entities([]) == set()


def test_direction_blind_forgets_only_the_direction() -> None:
    swapped = Quintuple("Browns", "org", " Josh  Gordon", "per", "member_of")
    assert direction_blind([swapped]) == direction_blind([JOSH])
    assert len(direction_blind([JOSH, swapped])) == 1
    assert direction_blind(
        [Quintuple("Browns", "per", "Josh Gordon", "org", "member_of")]
    ) != direction_blind([JOSH])
    assert direction_blind([swapped._replace(relation="peer")]) != direction_blind([JOSH])
    # equal names: the types decide
    assert direction_blind([Quintuple("a", "per", "a", "org", "r")]) == direction_blind(
        [Quintuple("a", "org", "a", "per", "r")]
    )


def test_per_relation() -> None:
    # contain: correct 1, predicted 1, gold 2
    # member_of: predicted 0, gold 1
    # peer: predicted 1, gold 0
    peer = Quintuple("a", "per", "b", "per", "peer")
    result = per_relation([[PARIS], None, [peer]], [[PARIS, LYON], [JOSH], []])
    assert list(result) == ["contain", "member_of", "peer"]
    assert result["contain"] == PRF(1.0, 0.5, pytest.approx(2 / 3), 1, 1, 2)
    assert result["member_of"] == PRF(0.0, 0.0, 0.0, 0, 0, 1)
    assert result["peer"] == PRF(0.0, 0.0, 0.0, 0, 1, 0)


def test_bootstrap_of_certain_results_has_no_width() -> None:
    assert bootstrap_f1([["a"]] * 5, [["a"]] * 5) == (1.0, 1.0)
    assert bootstrap_f1([["b"], None], [["a"]] * 2) == (0.0, 0.0)
    assert bootstrap_f1([None], [[]]) == (0.0, 0.0)
    assert bootstrap_f1([], []) == (0.0, 0.0)


def test_bootstrap_has_the_width_of_the_binomial() -> None:
    # There is one item per sample, so F1 is the share of right samples. Its standard deviation is
    # √(0.5·0.5/400) = 0.025, and 0.5 ± 1.96·0.025 = 0.5 ± 0.049.
    predicted = [["a" if i % 2 else "b"] for i in range(400)]
    low, high = bootstrap_f1(predicted, [["a"]] * 400, samples=4000)
    assert (low, high) == pytest.approx((0.451, 0.549), abs=0.006)


def test_bootstrap_is_seeded() -> None:
    predicted, gold = [["a"], ["b"], ["a", "b"], None] * 5, [["a"], ["a"], ["b"], ["a"]] * 5
    assert bootstrap_f1(predicted, gold, seed=1) == bootstrap_f1(predicted, gold, seed=1)
    assert bootstrap_f1(predicted, gold, seed=1) != bootstrap_f1(predicted, gold, seed=2)


SAMPLES = st.lists(
    st.tuples(st.frozensets(st.sampled_from("abcd")), st.frozensets(st.sampled_from("abcd"))),
    max_size=6,
)


@given(SAMPLES)
def test_f1_is_the_harmonic_mean_and_symmetric(samples: list) -> None:
    predicted, gold = [p for p, _ in samples], [g for _, g in samples]
    result, swapped = micro_prf(predicted, gold), micro_prf(gold, predicted)
    p, r = result.precision, result.recall
    assert result.f1 == pytest.approx(2 * p * r / (p + r) if p + r else 0.0)
    assert (swapped.precision, swapped.recall, swapped.f1) == (r, p, result.f1)


def test_invalid_items_cost_precision() -> None:
    # correct 1, predicted 1 + 2 invalid in the first, 0 + 1 in the second: P 1/4, R 1/2, F1 2/6
    result = micro_prf([["a"], None], [["a"], ["b"]], invalid=[2, 1])
    assert result == PRF(1 / 4, 1 / 2, pytest.approx(1 / 3), 1, 4, 2)
    assert bootstrap_f1([["a"]] * 5, [["a"]] * 5, invalid=[1] * 5) == pytest.approx((2 / 3, 2 / 3))
    with pytest.raises(ValueError, match="shorter"):
        micro_prf([["a"]] * 2, [["a"]] * 2, invalid=[1])


def test_names_are_compared_in_one_unicode_form() -> None:
    composed, decomposed = "Beyonc\u00e9", "Beyonce\u0301"
    assert (
        micro_prf([[JOSH._replace(head=decomposed)]], [[JOSH._replace(head=composed)]]).correct == 1
    )
    assert len(direction_blind([JOSH._replace(head=composed), JOSH._replace(head=decomposed)])) == 1


def test_the_unicode_form_is_found_in_linear_time() -> None:
    """Sorting a run of marks is quadratic in its length: unbounded, this one takes minutes."""
    assert len(folded_set(["a" + "\u0301\u0323" * 100_000])) == 1
