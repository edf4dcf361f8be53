"""Votes are scored by all measures, and the responses by how much they differ."""

import pytest

from helpers.labels import RELATIONS, TYPES
from mmie.stages.vote import diversity, voted
from mmie.tasks.jmere.task import JMERE
from mmie.tasks.responses import Reasoned
from mmie.types import Example, Quintuple

A = Quintuple("a", "per", "Browns", "org", "member of")
B = A._replace(head="b")


def test_precision_recall_and_entities_of_the_votes() -> None:
    examples = [Example("test-0", "x", (), (A, B))]
    task = JMERE(types=TYPES, relations=RELATIONS, response=Reasoned())
    votes = voted(task, [[[A], [A], [B]]], examples, bootstrap_samples=0, seed=0)
    found, entity = votes["curves"]["quintuple"].values()
    # k=1: {A}: P 1/1, R 1/2; entities a, Browns of a, b, Browns: P 2/2, R 2/3. k=3: A again
    assert found["precision"] == [1, 1, 1]
    assert found["recall"] == [0.5, 0.5, 0.5]
    assert entity["precision"] == [1, 1, 1]
    assert entity["recall"] == pytest.approx([2 / 3] * 3)
    assert entity["f1"] == pytest.approx([0.8] * 3)
    assert len(entity["ci95"]) == 3


def test_diversity_is_the_mean_over_samples() -> None:
    predictions = [[[A], [B], [A], [B]], [[A], [A], [A], None]]
    thoughts = [["kitten", "kitten", "kitten", "kitten"], ["ab", "ac", "", ""]]
    responses = [
        [f"<think> {chain} </think> <answer> x </answer>" for chain in row] for row in thoughts
    ]
    # answers 2 and 1, entropy 1 bit and 0, distances 0 and 1/2 (the empty chains are none)
    assert diversity(predictions, responses) == {
        "distinct_answers": 1.5,
        "answer_entropy_bits": 0.5,
        "chain_distance": pytest.approx(0.25),
    }
    assert diversity([[[A]]], [["[]"]])["chain_distance"] is None
