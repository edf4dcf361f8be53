"""MNER's toy version: the tweets of JMERE's world, a teacher that errs, and a whole run."""

from __future__ import annotations

import asyncio
import random
from pathlib import Path

import pytest

from helpers.configured import prompts, run_config
from helpers.small_runs import SMALL
from mmie.distil.teacher import Request
from mmie.errors import InputError
from mmie.pipeline import execute
from mmie.reporting.casebook.__main__ import write_casebook
from mmie.results import read_results
from mmie.tasks.mner.chains import MNERChains
from mmie.tasks.mner.entities import Entity
from mmie.tasks.mner.reprediction import RepredictionFilter
from mmie.tasks.mner.toy_source import ToyMNERSource
from mmie.tasks.mner.toy_teacher import MNERTemplateTeacher
from mmie.toy.words import NAMES
from mmie.toy.world import distinct_scenes
from mmie.types import Candidate, Example

CHAINS = MNERChains(types=list(NAMES), **prompts("mner"))


@pytest.fixture(scope="module")
def samples(tmp_path_factory: pytest.TempPathFactory) -> list[Example]:
    images = tmp_path_factory.mktemp("images")
    return ToyMNERSource(sizes={"train": 1, "val": 1, "test": 20}, images=images).load("test")


def candidates(teacher: MNERTemplateTeacher, samples: list[Example]) -> list[Candidate]:
    async def one(example: Example) -> Candidate:
        async def ask(purpose: str, prompt: str, *, chain: str = "") -> str:
            return (await teacher.ask(Request(purpose, example, 0, prompt, chain))).text

        return await CHAINS(ask, example, 0)

    return [asyncio.run(one(example)) for example in samples]


def test_gold_is_what_the_tweet_mentions(samples: list[Example]) -> None:
    scenes = distinct_scenes(random.Random("toy-world-0"), 20, set())
    assert [one.text for one in samples] == [scene.text for scene in scenes]
    for one, scene in zip(samples, scenes, strict=True):
        assert one.gold == scene.entities
        assert all(entity.name in one.text for entity in one.gold)


def test_a_faultless_teacher_leads_to_the_gold(samples: list[Example]) -> None:
    made = candidates(MNERTemplateTeacher(wrong_type=0, broken_format=0), samples)
    gold = {one.id: one.gold for one in samples}
    assert RepredictionFilter()(made, gold) == made
    first = samples[0]
    reasons = " ; ".join(f"{name} is a {kind}" for name, kind in first.gold)
    shown, linked = first.extra["shown"], first.extra["linked"]
    assert made[0].chain == f"picture : {shown} . link : {linked} . reason : {reasons} ."
    assert all(f"{entity.name} " in linked for entity in first.gold)


@pytest.mark.parametrize("error", ["wrong_type", "broken_format"])
def test_the_filter_catches_what_the_teacher_gets_wrong(samples: list[Example], error: str) -> None:
    rates = {"wrong_type": 0.0, "broken_format": 0.0, error: 1.0}
    made = candidates(MNERTemplateTeacher(**rates), samples)
    gold = {one.id: one.gold for one in samples}
    assert RepredictionFilter()(made, gold) == []


def test_the_filter_wants_every_mention() -> None:
    gold = {"x": (Entity("Tower", "loc"), Entity("Tower", "loc"))}
    once, twice = [["Tower", "loc"]], [["Tower", "loc"], ["Tower ", "loc"]]
    made = [Candidate("x", 0, "c", {"repredicted": read}) for read in (once, twice, None, [])]
    assert RepredictionFilter()([*made, Candidate("x", 4, "c")], gold) == [made[1]]
    assert RepredictionFilter()(made, {"x": ()}) == [made[3]]  # None is not the empty answer


def test_the_prompts_of_the_teacher(samples: list[Example]) -> None:
    one = samples[0]
    first = one.gold[0]
    distil, repredict = CHAINS.distil_prompt(one), CHAINS.repredict_prompt(one, "because")
    assert f"The entities are: {{[{first.name}, {first.type}], [" in distil
    assert f"The text data is: {{{one.text}}}" in distil
    assert "The reasoning is: {because}" in repredict
    assert f"[{first.name}, " not in repredict


def test_the_teacher_knows_its_own_world_only() -> None:
    teacher = MNERTemplateTeacher(wrong_type=0, broken_format=0)
    request = Request("distil", Example("x", "t", (), ()), 0, "", "")
    with pytest.raises(InputError, match="teacher=mner_toy knows its own toy world only"):
        asyncio.run(teacher.ask(request))


@pytest.mark.slow
def test_every_stage_and_the_case_book(tmp_path: Path, no_pictures: None) -> None:
    small = [value for value in SMALL if not value.startswith("filter=")]
    overrides = ["+experiment=mner_r1", *small, "evaluation.samples=2"]
    (tmp_path / "out").mkdir()
    path = execute(run_config(*overrides, artifacts=tmp_path / "artifacts"), tmp_path / "out")
    assert path is not None
    results = read_results(path)
    assert (results.task, results.main_measure, results.unit) == ("mner", "entity", "entities")
    assert list(results.systems) == ["zero-shot", "warm-up", "MNER-R1"]
    assert list(results.chains)[-4:] == ["usable", "mner_reprediction", "selected", "samples"]
    assert set(results.voting["MNER-R1"].curves) == {"entity", "answer"}
    assert set(results.analysis["MNER-R1"].breakdown) == {"entity type", "ignoring type"}
    write_casebook([str(tmp_path / "out")], tmp_path / "cases.html")
    page = (tmp_path / "cases.html").read_text(encoding="utf-8")
    assert "MNER-R1" in page
    assert "gold label" in page
