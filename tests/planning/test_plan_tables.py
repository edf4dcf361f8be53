"""What a plan shows on the terminal."""

from __future__ import annotations

from rich.console import Console

from mmie.planning.result import Plan
from mmie.planning.tables import tables


def shown(plan: Plan) -> str:
    console = Console(width=80)
    with console.capture() as text:
        for part in tables(plan):
            console.print(part)
    return text.get()


def test_a_finished_run_leaves_nothing_to_plan() -> None:
    requests = {"requests": 0, "recorded": 3, "prompt_tokens": 0, "answer_tokens": 0}
    plan = Plan("default", "toy", finished=["sft"], assumptions=["x"], warnings=["y"])
    plan.teacher = {
        "model": "m",
        "purposes": {"chain": requests},
        "dollars": 0.0,
        "dollars_at_most": 0.0,
    }
    text = shown(plan)
    assert "finished, and not planned again: sft" in text
    assert "nothing is left to compute or to ask" in text
    assert "Assumed" not in text


def test_requests_alone_are_something_left() -> None:
    requests = {"requests": 2, "recorded": 1, "prompt_tokens": 5, "answer_tokens": 5}
    plan = Plan("default", "toy", assumptions=["a token is a word"])
    plan.teacher = {
        "model": "m",
        "purposes": {"chain": requests},
        "dollars": None,
        "dollars_at_most": None,
    }
    text = shown(plan)
    assert "nothing is left" not in text
    assert "a token is a word" in text
