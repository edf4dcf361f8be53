"""Answers judged part by part, by hand."""

from __future__ import annotations

from collections import Counter
from typing import Any

import pytest

from mmie.tasks.jmere.errors import judge_quintuples, paired
from mmie.tasks.more.errors import judge_label
from mmie.types import Judged, Quintuple

GOLD = Quintuple("Josh Gordon", "per", "Browns", "org", "member of")
OTHER = Quintuple("Ann Lee", "per", "Elm Bay", "loc", "place of birth")


def kinds(*answer: Any, truncated: bool = False, invalid: int = 0) -> Counter[str]:
    """Kind of error → count."""
    parts = judge_quintuples(*answer, truncated=truncated, invalid=invalid)
    return Counter(part.kind for part in parts if part.kind)


@pytest.mark.parametrize(
    ("change", "kind"),
    [
        ({"head": "Gordon"}, "wrong span"),
        ({"head": "Gordon", "head_type": "org"}, "wrong span"),
        ({"tail_type": "loc"}, "wrong type"),
        ({"tail_type": "loc", "relation": "peer"}, "wrong type"),
        ({"relation": "peer"}, "wrong relation"),
    ],
)
def test_one_slip_is_one_error(change: dict[str, str], kind: str) -> None:
    assert kinds([GOLD._replace(**change)], [GOLD]) == {kind: 1}


def test_a_swapped_pair() -> None:
    swapped = Quintuple("Browns", "org", "Josh Gordon", "per", "member of")
    assert kinds([swapped], [GOLD]) == {"swapped direction": 1}
    assert kinds([swapped._replace(relation="peer")], [GOLD]) == {"swapped direction": 1}


def test_what_shares_two_parts_of_five_is_no_slip() -> None:
    far = Quintuple("Ann Lee", "per", "Elm Bay", "org", "peer")
    assert kinds([far], [GOLD]) == {"invented": 1, "missed": 1}


def test_a_slip_shares_a_word_of_the_entities() -> None:
    strangers = GOLD._replace(head="Ann Lee", tail="Elm Bay")
    assert kinds([strangers], [GOLD]) == {"invented": 1, "missed": 1}
    assert kinds([strangers._replace(head="Josh Lee")], [GOLD]) == {"wrong span": 1}
    turned = Quintuple("Elm Bay", "org", "Gordon", "per", "member of")
    assert kinds([turned], [GOLD]) == {"swapped direction": 1}


def test_right_ones_are_no_error_however_often_they_come() -> None:
    spaced = GOLD._replace(head="Josh  Gordon ")
    assert kinds([GOLD, spaced], [GOLD, GOLD]) == Counter()
    assert kinds([], []) == Counter()
    assert kinds([GOLD], []) == {"invented": 1}
    assert kinds([], [GOLD, OTHER]) == {"missed": 2}


def test_each_gold_one_has_one_slip() -> None:
    slips = [GOLD._replace(relation="peer"), GOLD._replace(tail_type="loc")]
    assert sum(kinds(slips, [GOLD]).values()) == 2
    assert kinds(slips, [GOLD])["invented"] == 1


def test_the_whole_assignment_counts() -> None:
    """The first fits both gold ones; taking the better one would leave nothing to the second."""
    first, second = Quintuple("a", "per", "b", "org", "x"), Quintuple("c", "per", "b", "org", "x")
    said = [Quintuple("a", "per", "b", "loc", "y"), Quintuple("a", "per", "b", "org", "z")]
    assert {pair for pair in paired(said, [first, second]) if None not in pair} == {
        (said[0], first),
        (said[1], second),
    }


def test_invalid_and_truncated_answers_miss_all_gold() -> None:
    assert kinds(None, [GOLD, OTHER]) == {"invalid answer": 1, "missed": 2}
    assert kinds(None, [GOLD], truncated=True) == {"truncated": 1, "missed": 1}


def test_invalid_items_come_first_and_count_one_by_one() -> None:
    unreadable = Judged(None, None, "invalid answer")
    found = judge_quintuples([GOLD], [GOLD], invalid=2)
    assert found == [unreadable, unreadable, Judged(GOLD, GOLD, "")]
    assert judge_quintuples(None, [], truncated=True, invalid=2) == [
        Judged(None, None, "truncated")
    ]


@pytest.mark.parametrize(
    ("predicted", "gold", "kind"),
    [
        ("/per/org/member", "/per/org/member", ""),
        ("none", "none", ""),
        ("/per/org/leader", "/per/org/member", "wrong relation"),
        ("/org/org/member", "/per/org/member", "wrong type"),
        ("none", "/per/org/member", "missed"),
        ("/per/org/member", "none", "invented"),
    ],
)
def test_labels(predicted: str, gold: str, kind: str) -> None:
    assert judge_label(predicted, gold) == Judged((predicted,), (gold,), kind)


def test_a_label_that_cannot_be_read() -> None:
    assert judge_label(None, "none") == Judged(None, ("none",), "invalid answer")
    assert judge_label(None, "none", truncated=True) == Judged(None, ("none",), "truncated")


def test_the_parts_of_an_answer_in_order() -> None:
    slip, far = GOLD._replace(relation="peer"), Quintuple("x", "loc", "y", "loc", "contain")
    assert judge_quintuples([slip, far], [GOLD, OTHER]) == [
        Judged(slip, GOLD, "wrong relation"),
        Judged(far, None, "invented"),
        Judged(None, OTHER, "missed"),
    ]
