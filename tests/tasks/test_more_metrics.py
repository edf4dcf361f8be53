"""Hand-counted scores of MORE's metric."""

import pytest

from mmie.metrics import micro_prf
from mmie.tasks.more.metrics import (
    RelationScores,
    bootstrap_accuracy,
    bootstrap_relation_f1,
    by_group,
    relation_scores,
)

A, B, C = "/per/per/partner", "/per/org/member_of", "/loc/loc/contain"


def test_scores_by_hand() -> None:
    gold = [A, A, B, "none", "none", B, "none", A]
    predicted = [A, B, B, "none", A, "none", None, None]
    # right: 0, 2 (relations) and 3 (none): accuracy 3/8.
    # Predicted ≠ none: 0, 1, 2, 4; gold ≠ none: 0, 1, 2, 5, 7. P 2/4, R 2/5, F1 4/9.
    # A: correct 1, predicted 2, gold 3: F1 2/5. B: correct 1, predicted 2, gold 2: F1 1/2.
    assert relation_scores(predicted, gold) == RelationScores(
        accuracy=3 / 8,
        precision=2 / 4,
        recall=2 / 5,
        f1=pytest.approx(4 / 9),
        macro_f1=pytest.approx((2 / 5 + 1 / 2) / 2),
        correct=2,
        predicted=4,
        gold=5,
        samples=8,
    )


def test_macro_f1_counts_each_relation_that_is_gold_or_predicted_once() -> None:
    # A: 3 of 3 right, F1 1; B only gold, C only predicted: F1 0 each
    assert relation_scores([A, A, A, C], [A, A, A, B]).macro_f1 == pytest.approx(1 / 3)
    assert relation_scores([A, A, "none"], [A, A, "none"]).macro_f1 == 1.0


@pytest.mark.parametrize(
    ("predicted", "gold", "accuracy", "f1", "counts"),
    [
        ([], [], 0.0, 0.0, (0, 0, 0)),
        (["none"], ["none"], 1.0, 0.0, (0, 0, 0)),
        ([None], ["none"], 0.0, 0.0, (0, 0, 0)),
        ([None], [A], 0.0, 0.0, (0, 0, 1)),
        ([A], ["none"], 0.0, 0.0, (0, 1, 0)),
        (["none"], [A], 0.0, 0.0, (0, 0, 1)),
        ([B], [A], 0.0, 0.0, (0, 1, 1)),
        ([A], [A], 1.0, 1.0, (1, 1, 1)),
    ],
)
def test_single_samples(
    predicted: list, gold: list, accuracy: float, f1: float, counts: tuple[int, int, int]
) -> None:
    scores = relation_scores(predicted, gold)
    assert (scores.accuracy, scores.f1, (scores.correct, scores.predicted, scores.gold)) == (
        accuracy,
        f1,
        counts,
    )
    assert scores.macro_f1 == f1


@pytest.mark.parametrize("function", [relation_scores, bootstrap_relation_f1, bootstrap_accuracy])
def test_different_lengths_are_refused(function) -> None:
    with pytest.raises(ValueError, match="predictions for|shorter|longer"):
        function([A, A], [A])


def test_bootstrap_of_certain_results_has_no_width() -> None:
    for function in (bootstrap_relation_f1, bootstrap_accuracy):
        assert function([A] * 5, [A] * 5) == (1.0, 1.0)
        assert function([B, None], [A, A]) == (0.0, 0.0)
        assert function([], []) == (0.0, 0.0)
    assert bootstrap_accuracy(["none"] * 4, ["none"] * 4) == (1.0, 1.0)
    assert bootstrap_relation_f1(["none"] * 4, ["none"] * 4) == (0.0, 0.0)


def test_bootstrap_has_the_width_of_the_binomial() -> None:
    # A hit in every second of 400 samples: sd √(0.5·0.5/400) = 0.025, and 0.5 ± 1.96·0.025.
    predicted = [A if i % 2 else B for i in range(400)]
    for function in (bootstrap_relation_f1, bootstrap_accuracy):
        assert function(predicted, [A] * 400, samples=4000) == pytest.approx(
            (0.451, 0.549), abs=0.006
        )


def test_bootstrap_is_seeded() -> None:
    predicted, gold = [A, B, "none", None] * 6, [A, A, "none", B] * 6
    for function in (bootstrap_relation_f1, bootstrap_accuracy):
        assert function(predicted, gold, seed=1) == function(predicted, gold, seed=1)
    assert bootstrap_relation_f1(predicted, gold, seed=1) != bootstrap_relation_f1(
        predicted, gold, seed=2
    )


def test_groups_are_measured_apart_and_in_order() -> None:
    predicted, gold, groups = [A, B, None, "none"], [A, A, B, "none"], [10, 2, 2, 10]
    found = by_group(predicted, gold, groups=groups, measure=lambda p, g: (p, g))
    assert found == {2: ([B, None], [A, B]), 10: ([A, "none"], [A, "none"])}
    assert list(found) == [2, 10]
    scores = by_group(predicted, gold, groups=groups, measure=relation_scores)
    assert (scores[2].accuracy, scores[10].accuracy) == (0.0, 1.0)
    with pytest.raises(ValueError, match="shorter|longer"):
        by_group(predicted, gold, groups=[1], measure=micro_prf)
