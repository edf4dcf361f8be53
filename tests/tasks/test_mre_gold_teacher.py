"""Chains from a template over gold labels: right where the rate is zero, else caught."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from helpers.configured import prompts, task_file
from mmie.distil.teacher import Request
from mmie.tasks.mre.chains import MREChains
from mmie.tasks.mre.gold_teacher import GoldTeacher, words_between
from mmie.tasks.mre.reader import MNREFacts
from mmie.tasks.mre.reprediction import RepredictionFilter
from mmie.types import Candidate, Example

REAL = Path("../shared/data/mnre")
PATHS = list(task_file("mre").task.labels)
CHAINS = MREChains(labels=PATHS, **prompts("mre"))
MARKED = "WR <head>Josh</head> of the <tail>Browns</tail>"


def chain_of(gold: str, *, wrong_label: float = 0.0, number: int = 0) -> Candidate:
    extra = {"head": "Josh", "tail": "Browns", "marked": MARKED}
    return candidate(
        Example("train-0", "WR Josh of the Browns", (), gold, extra), wrong_label, number
    )


def candidate(example: Example, wrong_label: float = 0.0, number: int = 0) -> Candidate:
    teacher = GoldTeacher(seed=3, labels=PATHS, wrong_label=wrong_label)

    async def ask(purpose: str, prompt: str, *, chain: str = "") -> str:
        return (await teacher.ask(Request(purpose, example, number, prompt, chain))).text

    return asyncio.run(CHAINS(ask, example, number))


@pytest.mark.parametrize("label", ["per, org, member of", "none"])
def test_a_chain_quotes_the_words_between_and_leads_to_the_label(label: str) -> None:
    made = chain_of(label)
    assert made.chain == f'Josh and Browns: "of the", so {label}.'
    assert RepredictionFilter()([made], {"train-0": label}) == [made]


def test_a_wrong_label_has_the_same_types_and_is_caught() -> None:
    made = [chain_of("per, loc, place of birth", wrong_label=1.0, number=n) for n in range(5)]
    assert {one.verdicts["repredicted"] for one in made} == {"per, loc, place of residence"}
    # No other label has these types.
    others = {
        chain_of("per, org, member of", wrong_label=1.0, number=n).verdicts["repredicted"]
        for n in range(20)
    }
    assert len(others) > 5
    assert "per, org, member of" not in others


@pytest.mark.parametrize(
    ("marked", "words"),
    [
        ("<tail>A</tail> x y <head>B</head>", "x y"),
        ("<head>A</head><tail>B</tail>", ""),
        ("<head>A <tail>B</tail></head> c", ""),
        (f"<head>A</head> {' '.join('12345678')} <tail>B</tail>", "1 2 3 4 5 6 7 8"),
        (f"<head>A</head> {' '.join('123456789')} <tail>B</tail>", "1 2 3 4 … 6 7 8 9"),
    ],
)
def test_what_is_quoted(marked: str, words: str) -> None:
    assert words_between(marked) == words


@pytest.mark.skipif(not REAL.exists(), reason=f"MNRE-2 is not at hand in {REAL}")
def test_the_chains_of_real_tweets_lead_to_the_gold() -> None:
    examples = MNREFacts(REAL, None, labels=PATHS, missing_images="blank").load("val")
    made = [candidate(example) for example in examples]
    kept = RepredictionFilter()(made, {example.id: example.gold for example in examples})
    assert len(kept) == len(examples)
