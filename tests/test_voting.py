from mmie.types import Quintuple
from mmie.voting import majority_answer, majority_vote, most_frequent

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


def test_the_most_frequent_whole_answer_wins() -> None:
    answers = [[A, B], [A], [A, B], [A], [A], [C]]
    assert majority_answer(answers) == {A}
    assert majority_vote(answers) == {A}
    split = [[A, B], [A, C], [B, C], [A, B]]  # each quintuple is in three or two of four answers
    assert majority_answer(split) == {A, B}
    assert majority_vote(split) == {A, B}
    assert majority_answer([[A, B], [A, C], [B]]) == {A, B}  # a tie of three
    assert majority_vote([[A, B], [A, C], [B]]) == {A, B}
    assert majority_answer([[A], [B], [B, C], [B]]) == {B}


def test_the_two_ways_of_voting_differ() -> None:
    answers = [[A], [A], [B, C], [B], [B, A]]
    assert majority_answer(answers) == {A}  # twice; the others once each
    assert majority_vote(answers) == {A, B}  # three of five each


def test_of_equally_frequent_answers_the_first_one_wins() -> None:
    assert majority_answer([[B], [A], [A], [B]]) == {B}
    assert majority_answer([[A], [B], [A], [B]]) == {A}
    assert majority_answer([None, [C], [A]]) == {C}


def test_order_and_repetition_make_no_other_answer() -> None:
    assert majority_answer([[C], [A, B], [B, A, A]]) == {A, B}


def test_empty_answers_have_a_vote_and_unparsable_ones_have_none() -> None:
    assert majority_answer([[A], [], []]) == set()
    assert majority_answer([None, None, None, [A]]) == {A}
    assert majority_answer([None, None]) == set()
    assert majority_answer([]) == set()


def test_the_most_frequent_label() -> None:
    assert most_frequent(["none", "a", None, "a", None, None]) == "a"
    assert most_frequent(["none", "a", "a", "none"]) == "none"
    assert most_frequent([None, "b", "a"]) == "b"
    assert most_frequent([None, None]) is None
    assert most_frequent([]) is None
