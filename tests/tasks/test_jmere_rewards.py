import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mmie.errors import InputError
from mmie.parsing import TYPES, parse_quintuples, parse_response
from mmie.tasks.jmere.rewards import (
    JMEREReward,
    accuracy_reward,
    format_reward,
    partial_reward,
    total_reward,
)
from mmie.types import Quintuple

A = Quintuple("Josh Gordon", "per", "Browns", "org", "member_of")
B = Quintuple("France", "loc", "Paris", "loc", "contain")
C = Quintuple("Ann", "per", "Bob", "per", "couple")
GOOD_FORM = "<think>why</think><answer>kitten</answer>"

FEW = st.sampled_from(["x", "y", " x "])
QUINTUPLES = st.lists(st.builds(Quintuple, FEW, FEW, FEW, FEW, FEW), max_size=5)


def matching(predicted: list[Quintuple], gold: list[Quintuple]) -> float:
    """The first term of eq. 3: with wholly different strings the second is 0."""
    return partial_reward(predicted, gold, "aaa", "bb")


@pytest.mark.parametrize(
    ("predicted", "gold", "expected"),
    [
        ([A], [A], 1.0),
        ([A, C], [A, B], 0.5),  # 2·1 / (2 + 2)
        ([A], [A, B], 2 / 3),  # 2·1 / (2 + 1)
        ([A, B, C], [A, B], 0.8),  # 2·2 / (2 + 3)
        ([C], [A, B], 0.0),
        ([], [A], 0.0),
        ([A], [], 0.0),
        ([], [], 1.0),
        ([A, A, A], [A, B], 2 / 3),  # a set
        ([A._replace(head=" Josh  Gordon ")], [A], 1.0),
        ([A._replace(head="josh gordon")], [A], 0.0),
        ([A._replace(head="Beyonc\u00e9")], [A._replace(head="Beyonce\u0301")], 1.0),
    ],
)
def test_accuracy_reward(predicted: list, gold: list, expected: float) -> None:
    assert accuracy_reward(predicted, gold) == pytest.approx(expected)


@pytest.mark.parametrize(
    ("predicted", "gold", "expected"),
    [
        ([A], [A], 1.0),
        ([A._replace(tail_type="loc")], [A], 0.8),  # 4 of 5
        ([A], [A, B], 1.0),  # n counts what is predicted
        ([A, C], [A], 0.5),  # C stays without a partner: 5 / 10
        ([A, A._replace(head=" Josh  Gordon ")], [A], 1.0),  # n counts distinct quintuples
        ([B, A], [A, B], 1.0),
        ([], [A], 0.0),
        ([A], [], 0.0),
        ([], [], 0.0),
        ([C], [A], 0.2),  # the head's type
    ],
)
def test_matched_components(predicted: list, gold: list, expected: float) -> None:
    assert matching(predicted, gold) == pytest.approx(expected)


def test_matching_is_the_best_one_not_the_greedy_one() -> None:
    gold = [Quintuple("a", "per", "b", "org", "r"), Quintuple("a", "per", "b", "loc", "s")]
    predicted = [Quintuple("a", "per", "b", "org", "t"), Quintuple("x", "misc", "y", "org", "r")]
    # equal components [[4, 3], [2, 0]]: 3 + 2 beats 4 + 0, so w = 5 and 5 / (5·2)
    assert matching(predicted, gold) == pytest.approx(0.5)


@pytest.mark.parametrize(
    ("answer", "gold_answer", "expected"),
    [
        ("kitten", "sitting", 1 - 3 / 7),
        ("", "", 1.0),
        ("", "abc", 0.0),
        ("abc", "", 0.0),
        ("🎉é", "🎉e", 0.5),  # characters, not bytes
        ("Beyonc\u00e9", "Beyonce\u0301", 1.0),  # one name in two Unicode forms
    ],
)
def test_similarity_of_the_answers(answer: str, gold_answer: str, expected: float) -> None:
    assert partial_reward([], [], answer, gold_answer) == pytest.approx(expected)


def test_partial_reward_adds_both_terms() -> None:
    assert partial_reward([A._replace(relation="peer")], [A], "kitten", "sitting") == pytest.approx(
        0.8 + 4 / 7
    )


def test_format_reward() -> None:
    assert format_reward("<think>a</think> <answer>b</answer>") == 1.0
    assert format_reward("<answer>b</answer>") == 0.0


def test_total_reward() -> None:
    assert total_reward(0.5, 1.5, r_f=1.0, alpha=0.2, beta=0.1) == pytest.approx(
        0.9
    )  # 0.5 + 0.3 + 0.1


def test_valid_response_gets_eq_5() -> None:
    parts = JMEREReward(alpha=0.2, beta=0.1)(GOOD_FORM, [A], [A, B], "kitten", "sitting")
    r_q, r_p = 2 / 3, 1 + 4 / 7
    assert parts == pytest.approx(
        {"reward": r_q + 0.2 * r_p + 0.1, "r_q": r_q, "r_p": r_p, "r_f": 1.0}
    )


@pytest.mark.parametrize("gold", [[A], []])
def test_invalid_quintuple(gold: list) -> None:
    parts = {"r_q": 0.0, "r_p": pytest.approx(4 / 7), "r_f": 1.0}
    total, accuracy = (
        JMEREReward(alpha=0.2, beta=0.1, invalid_zeroes=zeroed) for zeroed in ("total", "accuracy")
    )
    assert total(GOOD_FORM, None, gold, "kitten", "sitting") == {"reward": 0.0, **parts}
    expected = {"reward": pytest.approx(0.2 * 4 / 7 + 0.1), **parts}
    assert accuracy(GOOD_FORM, None, gold, "kitten", "sitting") == expected


def test_broken_form_loses_even_right_quintuples() -> None:
    parts = {"r_q": 0.0, "r_p": pytest.approx(4 / 7), "r_f": 0.0}
    total, accuracy = (
        JMEREReward(alpha=0.2, beta=0.1, invalid_zeroes=zeroed) for zeroed in ("total", "accuracy")
    )
    assert total("kitten", [A], [A], "kitten", "sitting") == {"reward": 0.0, **parts}
    assert accuracy("kitten", [A], [A], "kitten", "sitting") == {
        "reward": pytest.approx(0.2 * 4 / 7),
        **parts,
    }


def test_valid_empty_answer_is_not_invalid() -> None:
    parts = JMEREReward(alpha=0.2, beta=0.1)(GOOD_FORM, [], [], "[]", "[]")
    assert parts == pytest.approx(
        {"reward": 1.3, "r_q": 1.0, "r_p": 1.0, "r_f": 1.0}
    )  # 1 + 0.2·(0 + 1) + 0.1


def test_an_invalid_response_loses_the_accuracy_alone_unless_told_otherwise() -> None:
    parts = JMEREReward(alpha=0.2, beta=0.1)(GOOD_FORM, None, [A], "kitten", "sitting")
    assert parts["reward"] == pytest.approx(0.2 * 4 / 7 + 0.1)


@pytest.mark.parametrize("weight", [-0.2, math.nan])
def test_a_negative_weight_names_its_key(weight: float) -> None:
    with pytest.raises(InputError, match=r"^reward\.alpha: .* is out of range"):
        JMEREReward(alpha=weight, beta=0.1)
    with pytest.raises(InputError, match=r"^reward\.beta: .* is out of range"):
        JMEREReward(alpha=0.2, beta=weight)


def test_unknown_choice_names_its_key() -> None:
    with pytest.raises(InputError, match=r"^reward\.invalid_zeroes: 'all'.*total or accuracy"):
        JMEREReward(alpha=0.2, beta=0.1, invalid_zeroes="all")


@given(QUINTUPLES, QUINTUPLES, st.randoms(use_true_random=False))
def test_order_does_not_matter(predicted: list, gold: list, random) -> None:
    shuffled = [random.sample(quintuples, len(quintuples)) for quintuples in (predicted, gold)]
    assert accuracy_reward(*shuffled) == accuracy_reward(predicted, gold)
    assert matching(*shuffled) == matching(predicted, gold)


@given(QUINTUPLES, QUINTUPLES, st.text(max_size=20), st.text(max_size=20))
def test_ranges(predicted: list, gold: list, answer: str, gold_answer: str) -> None:
    assert 0 <= accuracy_reward(predicted, gold) <= 1
    assert 0 <= matching(predicted, gold) <= 1
    assert 0 <= partial_reward(predicted, gold, answer, gold_answer) <= 2


TEXTS = st.text(max_size=40) | st.lists(
    st.sampled_from(
        [
            "<think>",
            "</think>",
            "<answer>",
            "</answer>",
            "[",
            "]",
            "[]",
            "a, per",
            ", b, org",
            ", peer",
            ", ",
            "\ud800",
            "\n",
        ]
    ),
    max_size=20,
).map("".join)


@given(TEXTS, QUINTUPLES, st.text(max_size=20), st.sampled_from(["total", "accuracy"]))
def test_any_response_gets_a_finite_reward(
    response: str, gold: list, gold_answer: str, zeroed: str
) -> None:
    parsed = parse_response(response)
    answer = parsed.answer if parsed else response
    predicted = parse_quintuples(answer, types=TYPES, relations=["peer"])
    parts = JMEREReward(alpha=0.2, beta=0.1, invalid_zeroes=zeroed)(
        response, predicted, gold, answer, gold_answer
    )
    assert set(parts) == {"reward", "r_q", "r_p", "r_f"}
    assert all(math.isfinite(part) for part in parts.values())
    assert 0 <= parts["reward"] <= 1 + 0.2 * 2 + 0.1 + 1e-9
