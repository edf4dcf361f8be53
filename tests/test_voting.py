from mmie.types import Quintuple
from mmie.voting import majority_vote

A, B, C = (Quintuple(name, "per", "Browns", "org", "member_of") for name in "abc")


def test_more_than_half_wins() -> None:
    assert majority_vote([[A, B], [A, B], [A, C]]) == {A, B}


def test_exactly_half_loses() -> None:
    assert majority_vote([[A, B], [A]]) == {A}
    assert majority_vote([[A], [B]]) == set()


def test_repeating_a_quintuple_in_one_answer_is_one_vote() -> None:
    assert majority_vote([[A, A, A], [B], [B]]) == {B}


def test_unparsable_answers_are_not_counted() -> None:
    assert majority_vote([[A], [A, B], None, None, None]) == {A}


def test_empty_answers_are_counted() -> None:
    assert majority_vote([[A], [], []]) == set()


def test_nothing_to_vote_on() -> None:
    assert majority_vote([]) == set()
    assert majority_vote([None, None]) == set()
