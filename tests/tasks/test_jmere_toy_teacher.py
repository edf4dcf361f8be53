"""The template teacher: right where its rates are zero, else caught by the right verdict."""

from __future__ import annotations

import asyncio
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from helpers.configured import prompts
from helpers.labels import TYPES
from mmie.distil.candidates import run_distillation
from mmie.distil.record import Record
from mmie.distil.teacher import Request
from mmie.errors import InputError
from mmie.parsing import parse_quintuples
from mmie.tasks.jmere.chains import JMEREChains
from mmie.tasks.jmere.rule_score import parse_score
from mmie.tasks.jmere.toy_source import ToySource
from mmie.tasks.jmere.toy_teacher import TemplateTeacher, reread
from mmie.toy import words
from mmie.types import Example, Quintuple

RIGHT: dict[str, float] = {
    "wrong_description": 0.0,
    "wrong_alignment": 0.0,
    "wrong_quintuple": 0.0,
    "broken_format": 0.0,
    "wrong_score": 0.0,
}
RELATIONS = sorted({relation for relations in words.RELATIONS.values() for relation in relations})


@pytest.fixture(scope="module")
def samples(tmp_path_factory: pytest.TempPathFactory) -> list[Example]:
    sizes = {"train": 250, "val": 1, "test": 1}
    return ToySource(seed=1, sizes=sizes, images=tmp_path_factory.mktemp("images")).load("train")


def judge(example: Example, candidate: int = 0, **rates: float) -> tuple[str, Any, float | None]:
    """The chain, what is read off it, and its score, all through the teacher's own words."""
    teacher = TemplateTeacher(seed=5, **{**RIGHT, **rates})

    def ask(purpose: Any, chain: str = "") -> str:
        return asyncio.run(teacher.ask(Request(purpose, example, candidate, "", chain))).text

    chain = ask("distil")
    read = ask("repredict", chain).removeprefix("<answer>").removesuffix("</answer>")
    return (
        chain,
        parse_quintuples(read, types=TYPES, relations=RELATIONS),
        parse_score(ask("score", chain)),
    )


def test_a_teacher_without_faults_is_always_right(samples: list[Example]) -> None:
    for example in samples:
        chain, read, score = judge(example)
        assert reread(chain) == read == list(example.gold)
        assert score == 1.0
        assert chain.startswith("picture : a ")
        assert "<" not in chain


def test_a_chain_by_hand() -> None:
    extra = {
        "icons": [["red", "heart", 0], ["blue", "boat", 2], ["pink", "tree", 3]],
        "badges": {
            "Ann Lee": ["blue", "boat"],
            "Bob Ray": ["red", "heart"],
            "Apex Club": ["pink", "tree"],
        },
        "facts": [
            {
                "quintuple": ["Ann Lee", "per", "Bob Ray", "per", "couple"],
                "icons": ["boat", "heart"],
                "verb": "weds",
            },
            {
                "quintuple": ["Bob Ray", "per", "Apex Club", "org", "member of"],
                "icons": ["heart", "tree"],
                "verb": "",
            },
        ],
    }
    chain, read, score = judge(Example("x", "Ann Lee in blue weds Bob Ray", (), (), extra))
    assert chain == (
        "picture : a red heart , a blue boat , a pink tree . "
        "link : Ann Lee blue boat fun ; Bob Ray red heart love ; Apex Club pink tree love . "
        "reason : Ann Lee per weds Bob Ray per means couple ; "
        "Bob Ray per love and Apex Club org love means member of ."
    )
    assert read == [Quintuple(*fact["quintuple"]) for fact in extra["facts"]]  # type: ignore[index]
    assert score == 1.0


@pytest.mark.parametrize(
    ("kind", "score"), [("wrong_description", {0.2, 0.6}), ("wrong_alignment", {0.6})]
)
def test_a_wrong_icon_is_caught_by_the_score(
    samples: list[Example], kind: str, score: set[float]
) -> None:
    assert {judge(example, **{kind: 1.0})[2] for example in samples} == score


@pytest.mark.parametrize("kind", ["wrong_description", "wrong_alignment"])
def test_a_wrong_icon_is_caught_by_re_prediction_unless_its_mood_means_the_same(
    samples: list[Example], kind: str
) -> None:
    """The chain ends in the gold answer all the same: the teacher was given it."""
    passed = 0
    for example in samples:
        chain, read, _ = judge(example, **{kind: 1.0})
        assert all(chain.count(f"means {quintuple.relation}") for quintuple in example.gold)
        passed += read == list(example.gold)
    assert 0.1 < passed / len(samples) < 0.8


def test_a_wrong_quintuple_is_caught_by_re_prediction(samples: list[Example]) -> None:
    for example in samples:
        _, read, _ = judge(example, wrong_quintuple=1.0)
        assert set(read) != set(example.gold)


def test_missing_reasoning_is_caught_by_re_prediction(samples: list[Example]) -> None:
    for example in samples:
        chain, read, score = judge(example, broken_format=1.0)
        assert "reason :" not in chain
        assert (read, score) == ([], 0.8)


def test_a_wrong_score_is_off_by_four_tenths(samples: list[Example]) -> None:
    assert {judge(example, wrong_score=1.0)[2] for example in samples} == {0.6}
    assert {judge(example, wrong_score=1.0, wrong_alignment=1.0)[2] for example in samples} == {0.2}


def test_errors_come_at_their_rates_and_belong_to_the_candidate(samples: list[Example]) -> None:
    found = [
        judge(example, candidate, broken_format=0.3)[0]
        for example in samples
        for candidate in range(2)
    ]
    assert 0.22 < sum("reason :" not in chain for chain in found) / len(found) < 0.38
    assert found == [
        judge(example, candidate, broken_format=0.3)[0]
        for example in samples
        for candidate in range(2)
    ]
    pairs = Counter(
        ("reason" in one, "reason" in other)
        for one, other in zip(found[::2], found[1::2], strict=True)
    )
    assert len(pairs) == 4


def test_the_pipeline_reads_the_teacher(samples: list[Example], tmp_path: Path) -> None:
    teacher = TemplateTeacher(**RIGHT)
    candidates = run_distillation(
        samples[:5],
        teacher,
        Record(tmp_path / "record.jsonl"),
        candidates=2,
        chains=JMEREChains(types=TYPES, relations=RELATIONS, **prompts("jmere")),
        progress=lambda _: None,
    )
    assert [(candidate.example_id, candidate.index) for candidate in candidates] == [
        (s.id, n) for s in samples[:5] for n in (0, 1)
    ]
    gold = {example.id: example.gold for example in samples}
    for candidate in candidates:
        right = [list(quintuple) for quintuple in gold[candidate.example_id]]
        assert candidate.verdicts == {"repredicted": right, "score": 1.0}


def test_it_knows_only_its_own_world() -> None:
    with pytest.raises(
        InputError, match="sample train-1: teacher=jmere_toy knows its own toy world only"
    ):
        judge(Example("train-1", "Browns place Josh Gordon", (), ()))
    with pytest.raises(InputError, match=r"teacher.wrong_quintuple=1.5: a share between 0 and 1"):
        TemplateTeacher(**{**RIGHT, "wrong_quintuple": 1.5})


def test_its_record_depends_on_its_settings() -> None:
    one, other = TemplateTeacher(**RIGHT), TemplateTeacher(seed=1, **{**RIGHT, "wrong_score": 0.5})
    assert dict(one.parameters) == {"seed": 0, **RIGHT}
    assert dict(other.parameters) == {"seed": 1, **RIGHT, "wrong_score": 0.5}
