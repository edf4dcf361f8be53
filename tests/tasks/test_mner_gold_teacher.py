"""Chains from templates over gold entities: right where the rate is zero, else caught."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from helpers.configured import prompts
from mmie.distil.teacher import Request
from mmie.tasks.mner.chains import MNERChains
from mmie.tasks.mner.entities import Entity
from mmie.tasks.mner.gold_teacher import NOTHING, GoldTeacher
from mmie.tasks.mner.reader import TaggedTweets
from mmie.tasks.mner.reprediction import RepredictionFilter
from mmie.types import Candidate, Example

REAL = Path("../shared/data/twitter2017")
TYPES = ["per", "loc", "org", "misc"]
CHAINS = MNERChains(types=TYPES, **prompts("mner"))
GOLD = (Entity("Ann", "per"), Entity("Club, Inc", "org"), Entity("Ann", "per"), Entity("x", "loc"))
TWEET = Example("train-0", 'wow "Ann" joins Club, Inc today : Ann !', (), GOLD)
EMPTY = Example("train-1", "good night", (), ())


def chain_of(example: Example, *, wrong_type: float = 0.0) -> Candidate:
    teacher = GoldTeacher(seed=3, types=TYPES, wrong_type=wrong_type)

    async def ask(purpose: str, prompt: str, *, chain: str = "") -> str:
        return (await teacher.ask(Request(purpose, example, 0, prompt, chain))).text

    return asyncio.run(CHAINS(ask, example, 0))


def test_a_chain_quotes_each_mention_in_its_own_place() -> None:
    assert chain_of(TWEET).chain.splitlines() == [
        '"wow " Ann " joins": Ann is per.',
        '""Ann" joins Club, Inc today :": Club, Inc is org.',
        '"today : Ann !": Ann is per.',
        '"x": x is loc.',  # the tweet has it otherwise
    ]
    assert chain_of(EMPTY).chain == NOTHING


@pytest.mark.parametrize("example", [TWEET, EMPTY])
def test_the_entities_are_read_off_the_chain(example: Example) -> None:
    made = chain_of(example)
    assert RepredictionFilter()([made], {example.id: example.gold}) == [made]


def test_a_wrong_type_is_caught() -> None:
    made = chain_of(TWEET, wrong_type=1.0)
    assert sum(read not in map(list, GOLD) for read in made.verdicts["repredicted"]) == 1
    assert RepredictionFilter()([made], {TWEET.id: GOLD}) == []
    assert chain_of(EMPTY, wrong_type=1.0).verdicts == {"repredicted": []}


def test_one_type_cannot_be_mistaken() -> None:
    teacher = GoldTeacher(seed=3, types=["name"], wrong_type=1.0)
    tweet = Example("train-2", "Ann !", (), (Entity("Ann", "name"),))
    assert teacher.write(Request("distil", tweet, 0, "", "")) == '"Ann !": Ann is name.'


@pytest.mark.skipif(not REAL.exists(), reason=f"the tagged tweets are not at hand in {REAL}")
def test_the_chains_of_real_tweets_lead_to_the_gold() -> None:
    source = TaggedTweets(REAL, None, types=TYPES, missing_images="blank")
    examples = source.load("val")
    made = [chain_of(example) for example in examples]
    kept = RepredictionFilter()(made, {example.id: example.gold for example in examples})
    assert len(kept) == len(examples)
