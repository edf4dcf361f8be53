import time

import pytest

from mmie.types import Quintuple
from mmie.voting import (
    answer_entropy,
    chain_distance,
    distinct_answers,
    majority_answer,
    majority_vote,
)

A, B, C = (
    Quintuple(name, "per", "Browns", "org", "member_of") for name in ("Beyonc\u00e9", "b", "c")
)
A_OTHER = A._replace(head=" Beyonce\u0301")


def test_distinct_answers_are_sets_of_folded_quintuples() -> None:
    assert distinct_answers([[A, B], [B, A_OTHER, A], [A], [], None]) == 3
    assert distinct_answers(["none", "/per/per/peer", "none", None]) == 2
    assert distinct_answers([None]) == 0


def test_entropy_in_bits() -> None:
    # shares 1/2, 1/4, 1/4: 1/2 · 1 + 2 · 1/4 · 2 = 1.5
    assert answer_entropy([[A], [A_OTHER], [B], [C], None]) == pytest.approx(1.5)
    assert answer_entropy(["none", "none"]) == 0
    assert answer_entropy(["a", "b", "c", "d"]) == pytest.approx(2)
    assert answer_entropy([None, None]) == 0


def test_distance_of_chains() -> None:
    # kitten and sitting 3/7, kitten and "" 1, sitting and "" 1
    assert chain_distance(["kitten", "sitting", ""]) == pytest.approx((3 / 7 + 2) / 3)
    assert chain_distance(["a  b\n", "a b"]) == 0
    assert chain_distance(["", ""]) == 0
    assert chain_distance(["alone"]) is None
    assert chain_distance([]) is None


def test_pairs_are_chosen_at_even_intervals() -> None:
    # of (0,1) (0,2) (0,3) (1,2) (1,3) (2,3) the first, third and fifth: 0, 1, 1
    assert chain_distance(["aa", "aa", "aa", "bb"], max_pairs=3) == pytest.approx(2 / 3)


def test_a_hundred_long_chains_are_bounded() -> None:
    chains = [f"{number} " * 300 for number in range(100)]
    start = time.perf_counter()
    assert 0 < chain_distance(chains) < 1
    assert time.perf_counter() - start < 20


def test_votes_compare_names_in_one_form() -> None:
    assert majority_vote([[A], [A_OTHER], [B]]) == {A}
    assert majority_answer([[B], [A], [A_OTHER]]) == {A}


def test_items_of_any_task_are_compared() -> None:
    first, second = ("Ann", "per"), ("Bob", "per")
    assert distinct_answers([[first, second], [second, first], [first], ["red"], ["red "]]) == 3
