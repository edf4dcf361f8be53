"""The three rewards of MORE-R1, each 0 or 1."""

import pytest

from mmie.errors import InputError
from mmie.tasks.more.rewards import MOREReward, answer_reward, format_reward, length_reward

A = "/per/misc/awarded"
CHAIN = " ".join(f"Step {number}: text {number}." for number in range(1, 7))


def response(chain: str = CHAIN, answer: str = A) -> str:
    return f"<think> {chain} </think> <answer>{answer}</answer>"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (response(), 1.0),
        (response(CHAIN.lower()), 1.0),
        (response(CHAIN.replace(" Step", "\n\n## Step")), 1.0),
        (response(answer="no label at all"), 1.0),
        (response(CHAIN.replace("Step 6: text 6.", "")), 0.0),
        (response(CHAIN + " Step 7: more."), 0.0),
        (response(CHAIN + " Step 6: again."), 0.0),
        (response(CHAIN.replace("Step 2", "Step 3", 1)), 0.0),
        (
            response(
                CHAIN.replace("Step 3", "Step X")
                .replace("Step 4", "Step 3")
                .replace("Step X", "Step 4")
            ),
            0.0,
        ),
        (response("text"), 0.0),
        (response("text", answer=CHAIN), 0.0),
        (CHAIN, 0.0),
        (response() + "!", 0.0),
        (response() + response(), 0.0),
        (response(f"{CHAIN} <answer> x"), 0.0),
        ("", 0.0),
    ],
)
def test_format_reward(text: str, expected: float) -> None:
    assert format_reward(text, steps=6) == expected


def test_the_number_of_steps_is_an_argument() -> None:
    three = response("Step 1: a Step 2: b Step 3: c")
    assert [format_reward(three, steps=steps) for steps in (2, 3, 4, 6)] == [0.0, 1.0, 0.0, 0.0]


@pytest.mark.parametrize(
    ("text", "threshold", "unit", "expected"),
    [
        ("abcde", 4, "characters", 1.0),
        ("abcde", 5, "characters", 0.0),
        ("abcde", 6, "characters", 0.0),
        ("éé🎉", 2, "characters", 1.0),  # characters, not bytes
        ("éé🎉", 3, "characters", 0.0),
        ("one  two\nthree", 2, "words", 1.0),
        ("one  two\nthree", 3, "words", 0.0),
        ("", 0, "characters", 0.0),
    ],
)
def test_length_reward(text: str, threshold: int, unit: str, expected: float) -> None:
    assert length_reward(text, threshold=threshold, unit=unit) == expected


@pytest.mark.parametrize(
    ("predicted", "gold", "expected"),
    [
        (A, A, 1.0),
        ("none", "none", 1.0),
        (A, "none", 0.0),
        ("none", A, 0.0),
        (None, A, 0.0),
        (None, "none", 0.0),
    ],
)
def test_answer_reward(predicted: str | None, gold: str, expected: float) -> None:
    assert answer_reward(predicted, gold) == expected


@pytest.mark.parametrize(
    ("text", "predicted", "r_f", "r_l", "r_a"),
    [
        (response(), A, 1.0, 1.0, 1.0),
        (response(), "none", 1.0, 1.0, 0.0),
        (response(), None, 1.0, 1.0, 0.0),
        (response("short"), A, 0.0, 0.0, 1.0),
        (response("no steps " * 20), A, 0.0, 1.0, 1.0),
        ("garbage", None, 0.0, 0.0, 0.0),
    ],
)
def test_the_reward_is_the_sum_of_its_parts(
    text: str, predicted: str | None, r_f: float, r_l: float, r_a: float
) -> None:
    parts = MOREReward(threshold=100, unit="characters", steps=6)(text, predicted, A, "any", "text")
    assert parts == {"reward": r_f + r_l + r_a, "r_f": r_f, "r_l": r_l, "r_a": r_a}


def test_unit_and_steps_are_passed_on() -> None:
    made = MOREReward(threshold=3, unit="words", steps=1)
    assert made(response("Step 1: a"), A, A, A, A) == {
        "reward": 3.0,
        "r_f": 1.0,
        "r_l": 1.0,
        "r_a": 1.0,
    }
    assert made("three words only", None, A, "", A)["r_l"] == 0.0


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"unit": "tokens"}, r"^reward\.unit: 'tokens' is unknown; use characters or words"),
        ({"threshold": -1}, "^reward: threshold -1"),
        ({"steps": 0}, "^reward: .* steps 0"),
    ],
)
def test_wrong_settings_are_refused(settings: dict, message: str) -> None:
    with pytest.raises(InputError, match=message):
        MOREReward(**{"threshold": 1024, "unit": "characters", "steps": 6, **settings})
