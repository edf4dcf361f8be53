"""What the teacher is asked for MORE-R1, and which of its chains stay."""

from __future__ import annotations

import asyncio
import re
from dataclasses import replace
from io import BytesIO
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from helpers.configured import prompts
from mmie.distil.record import Record
from mmie.distil.teacher import Request
from mmie.distil.teacher_pictures import encode_for_teacher
from mmie.tasks.more.chains import MOREChains
from mmie.tasks.more.six_steps import SixStepsFilter
from mmie.tasks.more.toy_teacher import MORETemplateTeacher
from mmie.types import Candidate, Example, Picture

LABELS = ["/per/misc/awarded", "/per/org/member_of"]
EXAMPLE = Example(
    "train-0", "Obama gets the {prize} {0}", (), "/per/misc/awarded", {"entity": "the {labels}"}
)
CHAIN = "\n".join(f"Step {number}: it follows." for number in range(1, 7))


def prompt_for(gold: str) -> str:
    return MOREChains(labels=LABELS, **prompts("more")).distil_prompt(replace(EXAMPLE, gold=gold))


def test_the_prompt_asks_for_six_steps_and_gives_types_and_relation():
    prompt = prompt_for("/per/org/member_of")
    assert re.findall(r"^Step (\d): ", prompt, re.MULTILINE) == list("123456")
    assert "The candidate labels are: /per/misc/awarded, /per/org/member_of, none.\n" in prompt
    assert prompt.endswith(
        'The text data is: {Obama gets the {prize} {0}}\nThe entity is: "the {labels}"\n'
        "The type of the object is: per\nThe type of the entity is: org\n"
        "The right relation is: member of\nThe right answer is: /per/org/member_of"
    )
    assert "do not mention that anything of it was given" in prompt


def test_the_prompt_of_a_none_sample_gives_no_types():
    prompt = prompt_for("none")
    assert prompt.endswith(
        'The entity is: "the {labels}"\n'
        "There is no relation between them. The right answer is: none"
    )
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
    one = Candidate("train-0", 0, chain)
    assert SixStepsFilter(steps=6)([one], {}) == [one] * kept


def test_the_filter_keeps_the_order_and_takes_another_number_of_steps():
    rows = [
        Candidate("a", 0, CHAIN),
        Candidate("a", 1, "no"),
        Candidate("b", 0, CHAIN, {"score": 0.5}),
    ]
    assert SixStepsFilter(steps=6)(rows, {}) == [rows[0], rows[2]]
    assert SixStepsFilter(steps=2)(
        [*rows, short := Candidate("c", 0, "Step 1: a Step 2: b")], {}
    ) == [short]
    assert SixStepsFilter(steps=6)([], {}) == []


def ask_with(answer: str) -> tuple[Any, list[tuple[str, str]]]:
    asked: list[tuple[str, str]] = []

    async def ask(purpose: str, prompt: str, *, chain: str = "") -> str:
        asked.append((purpose, prompt))
        return answer

    return ask, asked


def test_one_question_a_candidate() -> None:
    example = Example("a", "Ann Lee wins", (), "/per/misc/awarded", {"entity": "Jazz Prize"})
    ask, asked = ask_with("<think> Step 1: x </think>")
    candidate = asyncio.run(
        MOREChains(labels=["/per/misc/awarded"], **prompts("more"))(ask, example, 2)
    )
    assert candidate == Candidate("a", 2, "Step 1: x")
    assert [purpose for purpose, _ in asked] == ["distil"]
    assert "The right answer is: /per/misc/awarded" in asked[0][1]


def test_the_teacher_sees_the_object_and_the_record_knows_it(tmp_path: Path) -> None:
    picture = Image.new("RGB", (40, 20), "red")
    picture.paste("blue", (20, 0, 40, 20))
    picture.save(tmp_path / "p.png")
    whole = Picture(tmp_path / "p.png")
    parts = [replace(whole, box=box) for box in (None, (0, 0, 20, 20), (20, 0, 40, 20))]
    files = [encode_for_teacher(part, max_pixels=10_000).data for part in parts]
    shown = [Image.open(BytesIO(file)).convert("RGB") for file in files]
    assert [image.size for image in shown] == [(40, 20), (20, 20), (20, 20)]
    assert [image.getpixel((1, 1)) for image in shown] == [(255, 0, 0), (255, 0, 0), (0, 0, 255)]

    record, teacher = (
        Record(tmp_path / "record.jsonl"),
        MORETemplateTeacher(wrong_description=0, wrong_reason=0, broken_format=0),
    )
    keys = {
        record.key(
            teacher,
            Request(
                "distil", Example("a", "x", (whole, replace(whole, box=box)), "none"), 0, "prompt"
            ),
        )
        for box in ((0, 0, 20, 20), (20, 0, 40, 20), (0, 0, 20, 19))
    }
    assert len(keys) == 3
