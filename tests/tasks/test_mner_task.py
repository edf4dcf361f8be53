"""MNER's prompts, judgements, scores and votes, by hand."""

from __future__ import annotations

import pytest

from helpers.configured import instruction, prompts
from mmie.errors import InputError
from mmie.tasks.mner.chains import MNERChains
from mmie.tasks.mner.entities import Entity
from mmie.tasks.mner.errors import judge_entities
from mmie.tasks.mner.task import MNER
from mmie.tasks.responses import Direct, Reasoned
from mmie.types import Example, Judged, Reading

TYPES = ["per", "loc", "org", "misc"]
TASK = MNER(types=TYPES, response=Reasoned())
GEORGE, BALTIMORE = Entity("George Zimmerman", "per"), Entity("Baltimore", "loc")
TOWER = Entity("Tower", "loc")


def example(*gold: Entity) -> Example:
    return Example("x", "a tweet", (), gold)


def test_the_prompt_offers_text_and_types() -> None:
    prompt = MNER(types=TYPES, response=Direct(), instruction=instruction("mner")).prompt(example())
    assert "The entity types are: per, loc, org, misc." in prompt
    assert "The text data is: {a tweet}" in prompt


def test_the_target_is_read_back() -> None:
    sample = example(GEORGE, TOWER, TOWER)
    target = TASK.target(sample, "why")
    assert target.endswith("<answer> [George Zimmerman, per], [Tower, loc], [Tower, loc] </answer>")
    assert TASK.parse(target) == sample.gold
    assert TASK.read(target, lenient=True) == Reading(sample.gold)
    assert TASK.revive_gold([["Tower", "loc"]]) == (TOWER,)


def test_the_strict_reader_drops_what_the_lenient_one_counts() -> None:
    response = "<think>x</think><answer>[Tower, loc], [Ann, person]</answer>"
    assert TASK.read(response, lenient=False) == Reading(None)
    assert TASK.read(response, lenient=True) == Reading((TOWER,), 1)
    assert TASK.read("[Tower, loc]", lenient=False) == Reading(None)  # no think block


@pytest.mark.parametrize(
    ("said", "kinds"),
    [
        ([GEORGE], [""]),
        ([Entity("George", "per")], ["wrong span"]),
        ([Entity("George", "org")], ["wrong span"]),
        ([GEORGE._replace(type="org")], ["wrong type"]),
        ([Entity("Bob", "per")], ["invented", "missed"]),
        ([GEORGE, GEORGE], ["", "invented"]),
        ([GEORGE, Entity("George", "per")], ["", "invented"]),  # the gold one is taken
        ([], ["missed"]),
    ],
)
def test_one_slip_is_one_error(said: list[Entity], kinds: list[str]) -> None:
    assert [part.kind for part in judge_entities(said, [GEORGE])] == kinds


def test_a_mention_that_is_said_once_of_two_is_missed_once() -> None:
    assert judge_entities([TOWER], [TOWER, TOWER]) == [
        Judged(TOWER, TOWER, ""),
        Judged(None, TOWER, "missed"),
    ]


def test_what_cannot_be_read_comes_first() -> None:
    unreadable = Judged(None, None, "invalid answer")
    assert TASK.judge((TOWER,), example(TOWER), truncated=False, invalid=2) == [
        unreadable,
        unreadable,
        Judged(TOWER, TOWER, ""),
    ]
    cut = TASK.judge(None, example(TOWER), truncated=True)
    assert [part.kind for part in cut] == ["truncated", "missed"]
    assert TASK.is_right((TOWER,), example(TOWER))
    assert not TASK.is_right((TOWER,), example(TOWER), invalid=1)


@pytest.mark.parametrize(
    ("said", "invalid", "expected"),
    [
        ((TOWER, GEORGE), 0, (2, 2, 3)),
        ((TOWER, TOWER, TOWER), 0, (2, 3, 3)),
        ((TOWER,), 2, (1, 3, 3)),
        (None, 1, (0, 1, 3)),
    ],
)
def test_mentions_are_counted(
    said: tuple[Entity, ...] | None, invalid: int, expected: tuple[int, int, int]
) -> None:
    sample = example(TOWER, GEORGE, TOWER)
    assert TASK.counts(said, sample, invalid=invalid) == {"entity": expected}


def test_scores_and_breakdown() -> None:
    samples = [example(GEORGE, TOWER), example(BALTIMORE)]
    said = [(GEORGE, Entity("Tower", "org")), None]
    score = TASK.score(said, samples, bootstrap_samples=0, seed=0, invalid=[1, 0])["entity"]
    assert (score["correct"], score["predicted"], score["gold"]) == (1, 3, 3)
    groups = TASK.breakdown(said, samples, invalid=[1, 0])
    counts = {
        label: (of["correct"], of["predicted"], of["gold"])
        for label, of in groups["entity type"].items()
    }
    assert counts == {"per": (1, 1, 1), "org": (0, 1, 0), "loc": (0, 0, 2)}
    names = groups["ignoring type"]["all"]
    assert (names["correct"], names["predicted"], names["gold"]) == (2, 3, 3)


def test_votes() -> None:
    said = [(GEORGE, TOWER), (TOWER, GEORGE), None, (TOWER, TOWER), (BALTIMORE, TOWER)]
    votes = TASK.votes(said)
    assert votes["entity"] == (TOWER,)  # four of four; George has two of four; the second Tower one
    assert votes["answer"] == (GEORGE, TOWER)  # twice, in any order
    assert TASK.votes([None, None]) == {"entity": (), "answer": None}


def test_what_the_statistics_count() -> None:
    sample = example(GEORGE, TOWER, TOWER)
    assert TASK.labels_of(sample) == {"entity type": ["per", "loc", "loc"]}
    assert (TASK.size(sample), TASK.stratum(sample)) == (3, "loc loc per")
    assert TASK.describe((GEORGE,)) == ["George Zimmerman · per"]


@pytest.mark.parametrize(
    "types", ["per", None, [], ["per", "a b"], ["per", "[x]"], [1], ["per", "per"], ["per", "PER"]]
)
def test_types_that_no_answer_can_hold_are_refused(types: object) -> None:
    with pytest.raises(InputError, match=r"^task\.types: "):
        MNER(types=types, response=Direct())  # type: ignore[arg-type]
    with pytest.raises(InputError, match=r"^cot\.chains\.types: "):
        MNERChains(types=types, **prompts("mner"))  # type: ignore[arg-type]
