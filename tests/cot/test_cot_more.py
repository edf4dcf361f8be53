"""What the teacher is asked for MORE-R1, and which of its chains stay."""

from __future__ import annotations

import re

import pytest

from mmie.cot.filters.six_steps import SixStepsFilter
from mmie.cot.more_prompts import distil_prompt
from mmie.types import Candidate, Example

LABELS = ["/per/misc/awarded", "/per/org/member_of"]
EXAMPLE = Example("train-0", "Obama gets the {prize} {0}", (), "/per/misc/awarded", {"entity": "the {labels}"})
CHAIN = "\n".join(f"Step {number}: it follows." for number in range(1, 7))


def test_the_prompt_asks_for_six_steps_and_gives_types_and_relation():
    prompt = distil_prompt(EXAMPLE, "/per/org/member_of", labels=LABELS)
    assert re.findall(r"^Step (\d): ", prompt, re.MULTILINE) == list("123456")
    assert "The candidate labels are: /per/misc/awarded, /per/org/member_of, none.\n" in prompt
    assert prompt.endswith(
        'The text data is: {Obama gets the {prize} {0}}\nThe entity is: "the {labels}"\nThe type of the object is: per\n'
        "The type of the entity is: org\nThe right relation is: member of\nThe right answer is: /per/org/member_of"
    )
    assert "do not mention that anything of it was given" in prompt


def test_the_prompt_of_a_none_sample_gives_no_types():
    prompt = distil_prompt(EXAMPLE, "none", labels=LABELS)
    assert prompt.endswith('The entity is: "the {labels}"\nThere is no relation between them. The right answer is: none')
    assert "The type of the" not in prompt


@pytest.mark.parametrize(
    ("chain", "kept"),
    [
        (CHAIN, True),
        (CHAIN.upper(), True),
        (CHAIN.replace("\n", " "), True),
        (CHAIN.replace("Step", "**Step"), True),
        (f"I look at both images.\n{CHAIN}", True),
        (CHAIN.replace("Step 4: it follows.", "Step 4: 1 < 2 and 3 > 2."), True),
        (CHAIN.replace("Step 4: it follows.", "Step 4:"), False),
        (CHAIN.replace("Step 4: it follows.", "Step 4: **."), False),
        (CHAIN.replace("Step 6: it follows.", "Step 6: "), False),
        (CHAIN.replace("Step 4: it follows.", ""), False),
        (CHAIN.replace("Step 4", "Step 5"), False),
        (f"{CHAIN}\nStep 7: more.", False),
        (f"{CHAIN}\nStep 6: again.", False),
        (f"{CHAIN} <answer>none</answer>", False),
        (f"{CHAIN} </think>", False),
        (f"{CHAIN} < / Answer >", False),
        (f"{CHAIN} <b>none</b>", False),
        ("", False),
    ],
)
def test_the_filter_keeps_whole_chains(chain: str, kept: bool):
    one = Candidate("train-0", 0, chain, None, None)
    assert SixStepsFilter()([one], {}) == [one] * kept


def test_the_filter_keeps_the_order_and_takes_another_number_of_steps():
    rows = [Candidate("a", 0, CHAIN, None, None), Candidate("a", 1, "no", None, None), Candidate("b", 0, CHAIN, None, 0.5)]
    assert SixStepsFilter()(rows, {}) == [rows[0], rows[2]]
    assert SixStepsFilter(steps=2)([*rows, short := Candidate("c", 0, "Step 1: a Step 2: b", None, None)], {}) == [short]
    assert SixStepsFilter()([], {}) == []
