"""The rewards of MNER, worked out by hand."""

from __future__ import annotations

import math

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mmie.errors import InputError
from mmie.tasks.mner.entities import Entity
from mmie.tasks.mner.matching import best_pairs, nearness, overlap
from mmie.tasks.mner.rewards import (
    MNERReward,
    accuracy_reward,
    format_reward,
    overlap_reward,
    similarity_reward,
)

GEORGE, BALTIMORE = Entity("George Zimmerman", "per"), Entity("Baltimore", "loc")
TOWER = Entity("Tower", "loc")
FORM = "<think>why</think><answer>kitten</answer>"
FEW = st.sampled_from(["x", "y", "x y", " x ", "y x y"])
ENTITIES = st.lists(st.builds(Entity, FEW, st.sampled_from(["per", "org"])), max_size=5)


@pytest.mark.parametrize(
    ("predicted", "gold", "expected"),
    [
        ([GEORGE], [GEORGE], 1.0),
        ([GEORGE], [GEORGE, BALTIMORE], 2 / 3),  # 2·1 / (2 + 1)
        ([TOWER], [TOWER, TOWER], 2 / 3),  # meant twice, said once
        ([TOWER, TOWER], [TOWER, TOWER], 1.0),
        ([TOWER, TOWER, TOWER], [TOWER, TOWER], 0.8),  # 2·2 / (2 + 3)
        ([Entity("George  Zimmerman ", "per")], [GEORGE], 1.0),
        ([Entity("george zimmerman", "per")], [GEORGE], 0.0),
        ([Entity("George Zimmerman", "org")], [GEORGE], 0.0),
        ([], [GEORGE], 0.0),
        ([GEORGE], [], 0.0),
        ([], [], 1.0),
    ],
)
def test_accuracy(predicted: list, gold: list, expected: float) -> None:
    assert accuracy_reward(predicted, gold) == pytest.approx(expected)


@pytest.mark.parametrize(
    ("one", "other", "expected"),
    [
        ("George Zimmerman", "George", 2 / 3),  # 2·1 / (2 + 1)
        ("Du Du Dum", "Du", 0.5),  # 2·1 / (3 + 1): the repeated word counts as often
        ("a b", "b a", 1.0),
        ("Ann", "ann", 0.0),
        ("", "", 0.0),
    ],
)
def test_words_in_common(one: str, other: str, expected: float) -> None:
    assert overlap(one, other) == pytest.approx(expected)


def test_a_type_is_worth_nothing_without_a_word_of_the_name() -> None:
    assert nearness(Entity("Bob", "per"), GEORGE) == 0
    assert nearness(GEORGE._replace(type="org"), GEORGE) == 0.5
    assert nearness(Entity("George", "per"), GEORGE) == pytest.approx(2 / 3)
    assert nearness(Entity("George", "org"), GEORGE) == pytest.approx(1 / 3)


@pytest.mark.parametrize(
    ("predicted", "gold", "expected"),
    [
        ([GEORGE], [GEORGE, BALTIMORE], 1.0),  # n counts what is predicted
        ([GEORGE, Entity("Bob", "per")], [GEORGE], 0.5),
        ([Entity("George", "per"), BALTIMORE], [GEORGE, BALTIMORE], 5 / 6),  # (2/3 + 1) / 2
        ([TOWER, TOWER], [TOWER], 0.5),  # the second one has no partner
        ([BALTIMORE, GEORGE], [GEORGE, BALTIMORE], 1.0),
        ([], [GEORGE], 0.0),
        ([], [], 0.0),
    ],
)
def test_overlap_with_the_gold(predicted: list, gold: list, expected: float) -> None:
    assert overlap_reward(predicted, gold) == pytest.approx(expected)


def test_the_matching_is_the_best_one_not_the_greedy_one() -> None:
    gold = [Entity("a b", "per"), Entity("a", "org")]
    said = [Entity("a b", "org"), Entity("b", "per")]
    # nearness [[1/2, 2/3], [2/3, 0]]: 2/3 + 2/3 beats 1/2 + 0
    assert [pair[:2] for pair in best_pairs(said, gold)] == [(0, 1), (1, 0)]
    assert overlap_reward(said, gold) == pytest.approx(2 / 3)


@pytest.mark.parametrize(
    ("answer", "gold_answer", "expected"),
    [("kitten", "sitting", 4 / 7), ("", "", 1.0), ("", "ab", 0.0), ("🎉e", "🎉é", 0.5)],
)
def test_similarity(answer: str, gold_answer: str, expected: float) -> None:
    assert similarity_reward(answer, gold_answer) == pytest.approx(expected)


def test_the_parts_add_up() -> None:
    parts = MNERReward(alpha=0.2, beta=0.1)(
        FORM, [GEORGE], [GEORGE, BALTIMORE], "kitten", "sitting"
    )
    r_q, r_p = 2 / 3, 1 + 4 / 7
    reward = r_q + 0.2 * r_p + 0.1
    assert parts == pytest.approx({"reward": reward, "r_q": r_q, "r_p": r_p, "r_f": 1.0})


@pytest.mark.parametrize(("response", "predicted"), [("kitten", [GEORGE]), (FORM, None)])
def test_an_invalid_response_keeps_similarity_and_form(response: str, predicted: list) -> None:
    parts = MNERReward(alpha=0.2, beta=0.1)(response, predicted, [GEORGE], "kitten", "sitting")
    r_f = format_reward(response)
    expected = {"reward": 0.2 * 4 / 7 + 0.1 * r_f, "r_q": 0.0, "r_p": 4 / 7, "r_f": r_f}
    assert parts == pytest.approx(expected)
    assert {format_reward("kitten"), format_reward(FORM)} == {0.0, 1.0}


def test_a_tweet_without_entities_is_answered_by_an_empty_list() -> None:
    parts = MNERReward(alpha=0.2, beta=0.1)(FORM, [], [], "[]", "[]")
    assert parts["reward"] == pytest.approx(1 + 0.2 + 0.1)


@pytest.mark.parametrize("weight", [-0.2, math.nan])
def test_a_negative_weight_names_its_key(weight: float) -> None:
    with pytest.raises(InputError, match=r"^reward\.alpha: .* is out of range"):
        MNERReward(alpha=weight, beta=0.1)
    with pytest.raises(InputError, match=r"^reward\.beta: .* is out of range"):
        MNERReward(alpha=0.2, beta=weight)


@settings(max_examples=50)
@given(ENTITIES, ENTITIES, st.randoms(use_true_random=False))
def test_ranges_and_order(predicted: list, gold: list, random) -> None:
    shuffled = [random.sample(entities, len(entities)) for entities in (predicted, gold)]
    assert 0 <= accuracy_reward(predicted, gold) <= 1
    assert 0 <= overlap_reward(predicted, gold) <= 1 + 1e-9
    assert accuracy_reward(*shuffled) == accuracy_reward(predicted, gold)
    assert overlap_reward(*shuffled) == pytest.approx(overlap_reward(predicted, gold))
