"""Chains from templates over the gold: right where the rates are zero, else caught by a verdict."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from helpers.labels import RELATIONS, TYPES
from mmie.distil.chain_text import extract_chain
from mmie.distil.teacher import Request
from mmie.errors import InputError
from mmie.reading import read_answer
from mmie.tasks.jmere.gold_teacher import GoldTeacher, read_lines, score, words_between
from mmie.tasks.jmere.mnre import MNRE
from mmie.types import Example, Quintuple

REAL = Path(__file__).parents[3] / "shared/data/mnre"
JOSH = Quintuple("Josh Gordon", "per", "Browns", "org", "member of")
OHIO = Quintuple("Browns", "org", "Ohio (US)", "loc", "locate at")
SAMPLE = Example("train-0", "Browns , of Ohio (US) , place WR Josh Gordon", (), (JOSH, OHIO))
CHAIN = (
    'Josh Gordon (per) and Browns (org): ", of Ohio (US) , place WR", so member of.\n'
    'Browns (org) and Ohio (US) (loc): ", of", so locate at.'
)


def said(purpose: str, chain: str = "", *, candidate: int = 0, **rates: float) -> str:
    settings = {"wrong_relation": 0.0, "wrong_words": 0.0, **rates}
    teacher = GoldTeacher(seed=3, relations=RELATIONS, **settings)
    request = Request(purpose, SAMPLE, candidate, "", chain)
    return asyncio.run(teacher.ask(request)).text


def test_a_chain_quotes_the_words_between_the_names() -> None:
    assert said("distil") == CHAIN


def test_the_quintuples_are_read_off_the_chain() -> None:
    answer = said("repredict", CHAIN)
    assert read_answer(answer, types=TYPES, relations=list(RELATIONS)) == ([JOSH, OHIO], 0)
    assert list(read_lines("no line of this form")) == []


def test_a_wrong_relation_joins_the_same_types() -> None:
    wrong = {
        quintuple
        for candidate in range(20)
        for quintuple, _ in read_lines(said("distil", candidate=candidate, wrong_relation=1.0))
    } - {JOSH, OHIO}
    # per-org has no other relation, org-loc neither: so it is one of any types.
    assert len(wrong) > 4
    assert {quintuple._replace(relation="") for quintuple in wrong} == {
        JOSH._replace(relation=""),
        OHIO._replace(relation=""),
    }


def test_wrong_words_cost_the_score() -> None:
    assert said("score", CHAIN) == "Score: 1.00"
    wrong = said("distil", wrong_words=1.0)
    assert [quintuple for quintuple, _ in read_lines(wrong)] == [JOSH, OHIO]
    assert said("score", wrong) == "Score: 0.00"
    assert score(SAMPLE.text, "") == 0


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("A B", ""),
        ("B x y A", "x y"),
        (f"A {' '.join('12345678')} B", "1 2 3 4 5 6 7 8"),
        (f"A {' '.join('123456789')} B", "1 2 3 4 … 6 7 8 9"),
        ("a b c", "a b c"),
    ],
)
def test_what_is_quoted(text: str, words: str) -> None:
    assert words_between(text, "A", "B") == words


def test_it_does_not_do_the_task_itself() -> None:
    with pytest.raises(InputError, match="knows the right answers and cannot be evaluated"):
        said("answer")


@pytest.mark.skipif(not REAL.is_dir(), reason="the MNRE-2 text files are not at hand")
def test_real_tweets_give_chains_that_lead_to_their_gold() -> None:
    source = MNRE(REAL, None, types=TYPES, relations=RELATIONS)
    teacher = GoldTeacher(relations=RELATIONS, wrong_relation=0.0, wrong_words=0.0)
    samples = source.load("test")
    assert len(samples) == 475
    for sample in samples:
        chain = extract_chain(teacher.write(Request("distil", sample, 0, "")))
        assert {quintuple for quintuple, _ in read_lines(chain)} == set(sample.gold)
        assert score(sample.text, chain) == 1
