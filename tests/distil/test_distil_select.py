from __future__ import annotations

from collections import Counter

from mmie.distil.filters import apply_filters
from mmie.tasks.jmere.reprediction import RepredictionFilter
from mmie.tasks.jmere.rule_score import RuleScoreFilter
from mmie.types import Candidate, Quintuple

A = Quintuple("Josh Gordon", "per", "Browns", "org", "member_of")
GOLD = {f"train-{n}": (A,) for n in range(200)}


def candidate(sample, index, chain, repredicted=None, score=None):
    return Candidate(sample, index, chain, {"repredicted": repredicted, "score": score})


ROWS = [
    candidate("train-0", 0, "right, poor", [A], 0.7),
    candidate("train-0", 1, "right, good", [A], 0.9),
    candidate("train-0", 2, "wrong, best", [], 1.0),
    candidate("train-1", 0, ""),
    candidate("train-1", 1, "right, bad", [A], 0.2),
    candidate("train-2", 0, ""),
]


def tied(samples, candidates=5):
    return [
        candidate(f"train-{n}", i, f"chain {i}", [A], 0.9)
        for n in range(samples)
        for i in range(candidates)
    ]


def test_each_stage_is_counted_in_order():
    filters = {"reprediction": RepredictionFilter(), "rule_score": RuleScoreFilter(threshold=0.7)}
    selection = apply_filters(ROWS, filters, GOLD, seed=0)
    assert selection.chosen == [ROWS[1]]
    assert selection.counts == [
        {"stage": "distilled", "candidates": 6, "samples": 3},
        {"stage": "usable", "candidates": 4, "samples": 2},
        {"stage": "reprediction", "candidates": 3, "samples": 2},
        {"stage": "rule_score", "candidates": 1, "samples": 1},
        {"stage": "selected", "candidates": 1, "samples": 1},
    ]


def test_the_order_of_the_filters_matters():
    filters = {"rule_score": RuleScoreFilter(threshold=0.7), "reprediction": RepredictionFilter()}
    assert apply_filters(ROWS, filters, GOLD, seed=0).chosen == []


def test_without_filters_every_sample_with_a_chain_keeps_one():
    selection = apply_filters(ROWS, {}, GOLD, seed=0)
    assert [chosen.example_id for chosen in selection.chosen] == ["train-0", "train-1"]
    assert [count["stage"] for count in selection.counts] == ["distilled", "usable", "selected"]


def test_a_tie_is_broken_at_random_but_the_same_way_again():
    rows = tied(200)
    chosen = apply_filters(rows, {}, GOLD, seed=0).chosen
    assert chosen == apply_filters(rows, {}, GOLD, seed=0).chosen
    assert chosen != apply_filters(rows, {}, GOLD, seed=1).chosen
    drawn = Counter(candidate.index for candidate in chosen)
    assert sorted(drawn) == [0, 1, 2, 3, 4]
    assert max(drawn.values()) < 70


def test_one_more_sample_changes_nothing_for_the_others():
    rows = tied(200)
    chosen = apply_filters(rows, {}, GOLD, seed=0).chosen
    assert apply_filters(rows[5:], {}, GOLD, seed=0).chosen == chosen[1:]
    assert apply_filters(rows[:-5], {}, GOLD, seed=0).chosen == chosen[:-1]


def test_nothing_distilled_nothing_chosen():
    selection = apply_filters([], {"reprediction": RepredictionFilter()}, {}, seed=0)
    assert selection.chosen == []
    assert [count["candidates"] for count in selection.counts] == [0, 0, 0, 0]
