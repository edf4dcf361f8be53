from __future__ import annotations

import pytest

from mmie.tasks.jmere.reprediction import RepredictionFilter
from mmie.tasks.jmere.rule_score import RuleScoreFilter
from mmie.types import Candidate, Quintuple

A = Quintuple("Josh Gordon", "per", "Browns", "org", "member_of")
B = Quintuple("Browns", "org", "Ohio", "loc", "locate_at")


def candidate(index, *, sample="train-0", repredicted=None, score=None):
    verdicts = {"repredicted": repredicted, "score": score}
    return Candidate(sample, index, "A chain.", verdicts)


@pytest.mark.parametrize(
    ("repredicted", "kept"),
    [
        ((A, B), True),
        ((B, A, B), True),
        ((A,), False),
        ((A, B, B._replace(tail="Akron")), False),
        ((A, B._replace(tail_type="misc")), False),
        ((), False),
        (None, False),
    ],
)
def test_reprediction_keeps_equal_sets(repredicted, kept):
    one = candidate(0, repredicted=repredicted)
    assert RepredictionFilter()([one], {"train-0": (A, B)}) == [one] * kept


def test_reprediction_looks_at_each_samples_own_gold_and_keeps_the_order():
    rows = [
        candidate(0, repredicted=(A,)),
        candidate(1, repredicted=(B,)),
        candidate(2, repredicted=(A,)),
        candidate(0, sample="train-1", repredicted=(A,)),
        candidate(1, sample="train-1", repredicted=(B,)),
    ]
    assert RepredictionFilter()(rows, {"train-0": [A], "train-1": [B]}) == [
        rows[0],
        rows[2],
        rows[4],
    ]


def test_an_empty_answer_equals_an_empty_gold_but_an_unparsable_one_does_not():
    rows = [candidate(0, repredicted=()), candidate(1, repredicted=None)]
    assert RepredictionFilter()(rows, {"train-0": ()}) == rows[:1]


def test_rule_score_keeps_the_best_of_each_sample_with_ties():
    scores = {"a": [0.7, 0.9, 0.9, None, 0.8], "b": [0.69, None], "c": [0.7, 0.6], "d": [1.0, 1.0]}
    rows = [
        candidate(i, sample=name, score=score)
        for name, row in scores.items()
        for i, score in enumerate(row)
    ]
    kept = [(c.example_id, c.index) for c in RuleScoreFilter(threshold=0.7)(rows, {})]
    assert kept == [("a", 1), ("a", 2), ("c", 0), ("d", 0), ("d", 1)]


def test_rule_score_threshold_is_kept_itself_and_zero_lets_every_number_through():
    rows = [candidate(0, score=0.0), candidate(1, score=None)]
    assert RuleScoreFilter(threshold=0.0)(rows, {}) == rows[:1]
    assert RuleScoreFilter(threshold=0.1)(rows, {}) == []


@pytest.mark.parametrize("keep", [RepredictionFilter(), RuleScoreFilter(threshold=0.7)])
def test_nothing_in_nothing_out(keep):
    assert keep([], {}) == []


def test_reprediction_compares_names_in_one_form():
    composed = Quintuple("Beyonc\u00e9", "per", "Browns", "org", "member of")
    decomposed = composed._replace(head="Beyonce\u0301 ")
    one = candidate(0, repredicted=[list(decomposed)])
    assert RepredictionFilter()([one], {"train-0": [composed]}) == [one]
