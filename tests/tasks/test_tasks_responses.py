"""Both ways to respond: what is written is read back."""

import pytest

from helpers.configured import reasoning_instruction
from mmie.tasks.responses import Direct, Reasoned

ANSWER = "[Josh Gordon, per, Browns, org, member of]"


def test_a_reasoned_response_has_the_papers_form() -> None:
    response = Reasoned().wrap("A player.", ANSWER)
    assert response == f"<think> A player. </think> <answer> {ANSWER} </answer>"
    assert Reasoned().answer_of(response) == ANSWER


def test_the_reasoning_instruction_is_that_of_figure_11() -> None:
    assert reasoning_instruction() == (
        "First output the thinking process in <think> </think> tags "
        "and then output the final answer in <answer> </answer> tags."
    )
    assert Reasoned("think then answer .").instruction == "think then answer ."
    assert Reasoned().instruction == ""


@pytest.mark.parametrize(
    "response",
    ["", ANSWER, f"<answer>{ANSWER}</answer>", f"<think>x</think> so <answer>{ANSWER}</answer>"],
)
def test_no_answer_is_read_from_another_form(response: str) -> None:
    assert Reasoned().answer_of(response) == ""


def test_a_reasoned_response_needs_a_chain() -> None:
    with pytest.raises(ValueError, match="needs a chain"):
        Reasoned().wrap(None, ANSWER)


@pytest.mark.parametrize("chain", [None, "A player."])
def test_a_direct_response_is_the_answer_alone(chain: str | None) -> None:
    assert Direct().wrap(chain, ANSWER) == ANSWER
    assert Direct().answer_of(f"\n {ANSWER} \n") == ANSWER
    assert Direct().instruction == ""
