"""The task's prompt, answers and metric, with hand-counted scores."""

import json
import pickle
from typing import Any

import pytest

from helpers.configured import instruction, reasoning_instruction
from helpers.labels import RELATIONS, TYPES
from mmie.tasks.jmere.task import JMERE
from mmie.tasks.responses import Direct, Reasoned
from mmie.tasks.task import Task
from mmie.types import Example, Quintuple

JOSH = Quintuple("Josh Gordon", "per", "Browns", "org", "member of")
BAKER = Quintuple("Baker, Jr. [QB]", "per", "Browns", "org", "member of")
PEER = Quintuple("Josh Gordon", "per", "Baker, Jr. [QB]", "per", "peer")
TWEET = Example("test-0", "Browns place WR Josh Gordon", (), (JOSH, PEER))
EMPTY = Example("test-1", "nothing", (), ())


def task(**changes: Any) -> JMERE:
    asked = {"response": Reasoned(reasoning_instruction()), "instruction": instruction("jmere")}
    return JMERE(**{"types": TYPES, "relations": RELATIONS, **asked, **changes})


def response(answer: str) -> str:
    return f"<think> a player </think> <answer> {answer} </answer>"


def test_the_labels_are_those_of_the_paper() -> None:
    assert len(RELATIONS) == 21
    assert {
        kind for pairs in RELATIONS.values() for pair in pairs for kind in pair.split("-")
    } == set(TYPES)


def test_the_prompt_gives_labels_and_text_then_the_form() -> None:
    prompt = task().prompt(TWEET)
    assert "The entity types are: per, org, loc, misc.\n" in prompt
    assert "The relation types are: peer, member of, contain, " in prompt
    assert "_" not in prompt
    assert "The text data is: {Browns place WR Josh Gordon}\n" in prompt
    assert prompt.endswith(
        "Extract all 5-tuples. First output the thinking process in <think> </think> tags "
        "and then output the final answer in <answer> </answer> tags."
    )


def test_the_zero_shot_prompt_is_the_same_without_the_form() -> None:
    direct = task(response=Direct()).prompt(TWEET)
    assert f"{direct} {reasoning_instruction()}" == task().prompt(TWEET)
    assert direct.endswith("Extract all 5-tuples.")


@pytest.mark.parametrize(
    "text", ["{types} {relations} {text}", "{0} {} {x!r} {{", "100 % {text", "\\1 \\g<0>"]
)
def test_text_with_braces_stays_as_it_is(text: str) -> None:
    example = Example("x", text, (), ())
    assert (
        task(instruction="[{types}|{text}]", types=["per"])
        .prompt(example)
        .startswith(f"[per|{text}] First")
    )
    assert f"The text data is: {{{text}}}\n" in task().prompt(example)


def test_a_configuration_may_give_another_instruction() -> None:
    toy = task(
        instruction="text : {text} . extract the quintuples .",
        response=Reasoned("think then answer ."),
    )
    assert toy.prompt(EMPTY) == "text : nothing . extract the quintuples . think then answer ."


@pytest.mark.parametrize("example", [TWEET, EMPTY, Example("x", "…", (), (BAKER, JOSH))])
@pytest.mark.parametrize("responder", [Reasoned(), Direct()])
def test_a_target_parses_to_its_gold(example: Example, responder: Reasoned | Direct) -> None:
    made = task(response=responder)
    target = made.target(example, "the chain")
    assert made.parse(target) == list(example.gold)
    assert made.answer_of(target) == made.gold_answer(example)
    assert ("the chain" in target) == isinstance(responder, Reasoned)


def test_the_gold_answer_has_blanks_for_underscores() -> None:
    assert task().gold_answer(TWEET) == (
        "[Josh Gordon, per, Browns, org, member of], [Josh Gordon, per, Baker, Jr. [QB], per, peer]"
    )
    assert task().gold_answer(EMPTY) == "[]"


@pytest.mark.parametrize("relation", ["member of", "member_of"])
def test_predictions_spell_relations_as_gold_does(relation: str) -> None:
    assert task().parse(response(f"[Josh Gordon, per, Browns, org, {relation}]")) == [JOSH]
    assert list(task(relations={relation: ["per-org"]}).relations) == ["member of"]


@pytest.mark.parametrize(
    "text",
    [
        "",
        "[]",
        response(""),
        response("none"),
        response("[Josh Gordon, per, Browns, org, works for]"),
        response("[a, per]"),
        response("[Josh Gordon, PERSON, Browns, org, member of]"),
        response("[]") + "[]",
    ],
)
def test_an_invalid_response_is_none(text: str) -> None:
    assert task().parse(text) is None


def test_an_empty_answer_is_a_prediction() -> None:
    assert task().parse(response("[]")) == []
    assert task(response=Direct()).parse(" [] ") == []
    assert task().answer_of(response("[]")) == "[]"
    assert task().answer_of("[]") == ""


def test_a_wrong_type_pair_is_a_wrong_quintuple_and_not_an_invalid_one() -> None:
    parsed = task().parse(response("[Browns, org, Josh Gordon, per, member of]"))
    assert parsed == [Quintuple("Browns", "org", "Josh Gordon", "per", "member of")]
    assert task().counts(parsed, TWEET)["quintuple"] == (0, 1, 2)


def test_scores_by_hand() -> None:
    examples = [
        TWEET,
        EMPTY,
        Example("test-2", "x", (), (BAKER,)),
        Example("test-3", "y", (), (JOSH,)),
    ]
    wrong = JOSH._replace(relation="peer")
    predictions = [[JOSH, JOSH, wrong], [JOSH], None, [JOSH]]
    scores = task().score(predictions, examples, bootstrap_samples=200, seed=0)
    assert list(scores) == ["quintuple", "entity"]
    quintuple, entity = scores["quintuple"], scores["entity"]
    # Predicted {JOSH, wrong}, {JOSH}, {}, {JOSH}; gold {JOSH, PEER}, {}, {BAKER}, {JOSH}.
    assert (quintuple["correct"], quintuple["predicted"], quintuple["gold"]) == (2, 4, 4)
    assert (quintuple["precision"], quintuple["recall"], quintuple["f1"]) == (0.5, 0.5, 0.5)
    # Predicted {Josh, Browns}, {Josh, Browns}, {}, {Josh, Browns};
    # gold {Josh, Browns, Baker}, {}, {Baker, Browns}, {Josh, Browns}.
    assert (entity["correct"], entity["predicted"], entity["gold"]) == (4, 6, 7)
    assert entity["f1"] == pytest.approx(8 / 13)
    low, high = quintuple["ci95"]
    assert 0 <= low < 0.5 < high <= 1
    assert json.loads(json.dumps(scores)) == scores
    assert scores == task().score(predictions, examples, bootstrap_samples=200, seed=0)
    assert (
        scores["quintuple"]["ci95"]
        != task().score(predictions, examples, bootstrap_samples=200, seed=1)["quintuple"]["ci95"]
    )


def test_without_bootstrap_samples_the_interval_says_nothing() -> None:
    examples, predictions = [TWEET, EMPTY, TWEET], [[PEER, JOSH, JOSH], [JOSH], None]
    scores = task().score(predictions, examples, bootstrap_samples=0, seed=0)
    assert scores[task().selection_metric]["correct"] == 2
    assert scores["quintuple"]["ci95"] == [0.0, 1.0]


def test_gold_survives_json() -> None:
    assert task().revive_gold(json.loads(json.dumps(TWEET.gold))) == TWEET.gold
    assert all(isinstance(quintuple, Quintuple) for quintuple in task().revive_gold([list(JOSH)]))
    assert task().revive_gold([]) == ()
    with pytest.raises(TypeError):
        task().revive_gold([["too", "short"]])


def test_the_task_is_frozen_and_picklable() -> None:
    made: Task = task()
    assert pickle.loads(pickle.dumps(made)) == made
    assert (made.name, made.selection_metric) == ("jmere", "quintuple")
    with pytest.raises(AttributeError):
        made.instruction = "x"  # type: ignore[attr-defined]


def test_without_an_instruction_the_prompt_is_the_text() -> None:
    bare = JMERE(types=TYPES, relations=RELATIONS, response=Reasoned())
    assert bare.prompt(TWEET) == TWEET.text


def test_what_a_sample_is_counted_and_explained_by() -> None:
    gold = (Quintuple("Josh Gordon", "per", "Browns", "org", "member of"),)
    said = [gold[0]._replace(tail_type="loc"), Quintuple("a", "per", "b", "per", "peer")]
    example = Example("x", "Josh Gordon Browns", (), gold, {})
    assert task().counts(said, example) == {"quintuple": (0, 2, 1), "entity": (1, 4, 2)}
    assert task().counts(None, example) == {"quintuple": (0, 0, 1), "entity": (0, 0, 2)}
    parts = task().judge(said, example, truncated=False)
    assert parts == [(said[0], gold[0], "wrong type"), (said[1], None, "invented")]
    cut = task().judge(None, example, truncated=True)
    assert cut == [(None, None, "truncated"), (None, gold[0], "missed")]
    assert (task().size(example), task().stratum(example)) == (1, "member of")
    assert task().labels_of(example)["relation"] == ["member of"]


def test_the_breakdown_by_hand() -> None:
    first = Quintuple("Josh Gordon", "per", "Browns", "org", "member of")
    turned = Quintuple("Browns", "org", "Josh Gordon", "per", "member of")
    other = Quintuple("Ann", "per", "Bob", "per", "peer")
    examples = [Example("x", "", (), (first,), {}), Example("y", "", (), (other,), {})]
    found = task().breakdown([[turned], [other, other._replace(relation="couple")]], examples)
    assert list(found) == ["relation", "entity type", "ignoring direction"]
    blind = found["ignoring direction"]["all"]
    assert (blind["correct"], blind["predicted"]) == (2, 3)
    assert {name: scores["f1"] for name, scores in found["relation"].items()} == {
        "couple": 0,
        "member of": 0,
        "peer": 1,
    }
    by_type = found["entity type"].items()
    assert {name: (scores["correct"], scores["gold"]) for name, scores in by_type} == {
        "org": (1, 1),
        "per": (3, 3),
    }


def test_votes_over_quintuples_and_over_answers() -> None:
    assert task().votes([[JOSH], [JOSH], [BAKER, PEER], [BAKER], [BAKER, JOSH], None]) == {
        "quintuple": {JOSH, BAKER},
        "answer set": {JOSH},
    }
    assert task().votes([None]) == {"quintuple": set(), "answer set": set()}


@pytest.mark.parametrize("name", ["<answer>", "</answer>", "<think>", "a </think> b"])
def test_a_name_that_is_a_tag_does_not_break_the_target(name: str) -> None:
    """As it stands it would break the form of eq. 4."""
    gold = Quintuple(name, "per", "Browns", "org", "member of")
    made = task()
    read = made.parse(made.target(Example("x", name, (), (gold,)), f"This is {name}."))
    assert read == [gold]
