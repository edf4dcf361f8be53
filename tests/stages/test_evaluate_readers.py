"""The scores of an evaluation by both readers, counted by hand."""

import json
from dataclasses import replace
from pathlib import Path

import pytest

from helpers.labels import LABELS, RELATIONS, TYPES
from mmie.config import EvaluationConfig
from mmie.stages.analysis import analysis
from mmie.stages.evaluate import scores_of_both
from mmie.tasks.jmere.task import JMERE
from mmie.tasks.more.task import MORE
from mmie.tasks.responses import Direct, Reasoned
from mmie.types import Example, Quintuple

A = Quintuple("Josh Gordon", "per", "Browns", "org", "member of")
B = Quintuple("Cleveland", "loc", "Ohio", "loc", "contain")
A_TEXT, B_TEXT = (
    "[Josh Gordon, per, Browns, org, member of]",
    "[Cleveland, loc, Ohio, loc, contain]",
)
LENIENT = EvaluationConfig(
    temperature=0.8,
    training_temperature=None,
    max_new_tokens=8,
    batch_size=1,
    bootstrap_samples=0,
    validation_samples=None,
    samples=1,
    vote_rows=1,
    reader="lenient",
)
STRICT = replace(LENIENT, reader="strict")
EXAMPLES = [
    Example(f"test-{number}", "x", (), gold) for number, gold in enumerate([(A,), (A, B), (B,)])
]
RESPONSES = [
    f"<think> why </think> <answer> {A_TEXT} </answer>",  # both readers: 1 of 1
    # lenient: 1 right, 1 invalid
    f"<think> why </think> <answer> {A_TEXT}, [Cleveland, city] </answer>",
    f"The tuple is {B_TEXT}.",  # lenient: 1 of 1
]


def jmere() -> JMERE:
    return JMERE(types=TYPES, relations=RELATIONS, response=Reasoned())


def counts(scores: dict) -> tuple[int, int, int]:
    return scores["correct"], scores["predicted"], scores["gold"]


def test_both_readers_are_scored_and_the_chosen_one_has_the_plain_name() -> None:
    lenient = scores_of_both(jmere(), RESPONSES, EXAMPLES, LENIENT, seed=0)
    names = "test/quintuple test/entity test/quintuple_strict test/entity_strict"
    assert list(lenient) == names.split()
    assert counts(lenient["test/quintuple"]) == (3, 4, 4)
    assert lenient["test/quintuple"]["f1"] == pytest.approx(6 / 8)
    assert counts(lenient["test/quintuple_strict"]) == (1, 1, 4)
    assert counts(lenient["test/entity"]) == (6, 8, 8)  # the invalid item is two wrong entities
    strict = scores_of_both(jmere(), RESPONSES, EXAMPLES, STRICT, seed=0)
    assert list(strict) == names.replace("strict", "lenient").split()
    assert strict["test/quintuple"] == lenient["test/quintuple_strict"]
    assert strict["test/quintuple_lenient"] == lenient["test/quintuple"]


def test_the_strict_scores_are_those_of_the_parser_of_the_reward() -> None:
    task = jmere()
    plain = task.score(
        [task.parse(text) for text in RESPONSES], EXAMPLES, bootstrap_samples=50, seed=1
    )
    scores = scores_of_both(
        task, RESPONSES, EXAMPLES, replace(STRICT, bootstrap_samples=50), seed=1
    )
    assert {name: scores[f"test/{name}"] for name in plain} == plain


def test_the_analysis_counts_invalid_items() -> None:
    task = jmere()
    readings = [task.read(text, lenient=True) for text in RESPONSES]
    scores = analysis(task, readings, EXAMPLES, truncated=[False] * 3)
    assert scores["counts"]["quintuple"] == [[1, 1, 1], [1, 2, 2], [1, 1, 1]]
    assert scores["errors"] == {"invalid answer": 1, "missed": 1}
    assert scores["right"] == [True, False, True]
    assert scores["breakdown"]["ignoring direction"]["all"]["predicted"] == 4


def test_an_invalid_item_makes_an_answer_wrong() -> None:
    task = JMERE(types=TYPES, relations=RELATIONS, response=Direct())
    reading = task.read(f"{A_TEXT} [a, b]", lenient=True)
    assert (reading.prediction, reading.invalid) == ([A], 1)
    assert not task.is_right(reading.prediction, EXAMPLES[0], invalid=reading.invalid)
    assert task.is_right([A], EXAMPLES[0])


def test_an_unknown_label_costs_precision() -> None:
    extra = {"entity_count": 1, "object_count": 1}
    examples = [
        Example("test-0", "x", (), LABELS[0], extra),
        Example("test-1", "y", (), "none", extra),
    ]
    responses = [f"It is {LABELS[0]}.", "/per/per/enemy"]
    scores = scores_of_both(
        MORE(labels=LABELS, response=Direct()), responses, examples, LENIENT, seed=0
    )
    assert counts(scores["test/relation"]) == (1, 2, 1)
    assert scores["test/relation"]["accuracy"] == 0.5
    assert counts(scores["test/relation_strict"]) == (0, 0, 1)


SHIPPED = Path(__file__).parents[2] / "experiments/results/toy/jmere_r1-seed0"


@pytest.mark.parametrize("model", ["zero-shot", "warm-up", "JMERE-R1"])
def test_the_strict_reader_gives_the_figures_of_the_shipped_run(model: str) -> None:
    results = json.loads((SHIPPED / "results.json").read_text(encoding="utf-8"))
    response = Direct() if model == "zero-shot" else Reasoned()
    task = JMERE(types=TYPES, relations=results["config"]["task"]["relations"], response=response)
    lines = (
        (SHIPPED / f"predictions/{model.lower()}.jsonl").read_text(encoding="utf-8").splitlines()
    )
    rows = [json.loads(line) for line in lines]
    examples = [Example(row["id"], row["text"], (), task.revive_gold(row["gold"])) for row in rows]
    config = replace(STRICT, bootstrap_samples=results["config"]["evaluation"]["bootstrap_samples"])
    scores = scores_of_both(
        task, [row["response"] for row in rows], examples, config, seed=results["seed"]
    )
    measures = results["systems"][model]
    for measure in ("test/quintuple", "test/entity"):
        assert scores[measure] == measures.get(f"{measure}_strict", measures[measure])
