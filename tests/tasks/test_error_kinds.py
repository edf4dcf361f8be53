"""Error kinds by hand."""

from __future__ import annotations

from collections import Counter

import pytest

from mmie.error_kinds import KINDS
from mmie.tasks.jmere.errors import paired, quintuple_errors, relations_confused
from mmie.tasks.more.errors import label_errors
from mmie.types import Quintuple

GOLD = Quintuple("Josh Gordon", "per", "Browns", "org", "member of")
OTHER = Quintuple("Ann Lee", "per", "Elm Bay", "loc", "place of birth")


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
    assert quintuple_errors([GOLD._replace(**change)], [GOLD]) == {kind: 1}


def test_a_swapped_pair() -> None:
    swapped = Quintuple("Browns", "org", "Josh Gordon", "per", "member of")
    assert quintuple_errors([swapped], [GOLD]) == {"swapped direction": 1}
    assert quintuple_errors([swapped._replace(relation="peer")], [GOLD]) == {"swapped direction": 1}


def test_what_shares_two_parts_of_five_is_no_slip() -> None:
    far = Quintuple("Ann Lee", "per", "Elm Bay", "org", "peer")
    assert quintuple_errors([far], [GOLD]) == {"invented": 1, "missed": 1}


def test_a_slip_shares_a_word_of_the_entities() -> None:
    strangers = GOLD._replace(head="Ann Lee", tail="Elm Bay")
    assert quintuple_errors([strangers], [GOLD]) == {"invented": 1, "missed": 1}
    assert quintuple_errors([strangers._replace(head="Josh Lee")], [GOLD]) == {"wrong span": 1}
    turned = Quintuple("Elm Bay", "org", "Gordon", "per", "member of")
    assert quintuple_errors([turned], [GOLD]) == {"swapped direction": 1}


def test_right_ones_are_no_error_however_often_they_come() -> None:
    spaced = GOLD._replace(head="Josh  Gordon ")
    assert quintuple_errors([GOLD, spaced], [GOLD, GOLD]) == Counter()
    assert quintuple_errors([], []) == Counter()
    assert quintuple_errors([GOLD], []) == {"invented": 1}
    assert quintuple_errors([], [GOLD, OTHER]) == {"missed": 2}


def test_each_gold_one_has_one_slip() -> None:
    slips = [GOLD._replace(relation="peer"), GOLD._replace(tail_type="loc")]
    assert sum(quintuple_errors(slips, [GOLD]).values()) == 2
    assert quintuple_errors(slips, [GOLD])["invented"] == 1


def test_the_whole_assignment_counts() -> None:
    """The first fits both gold ones with three and four parts; taking its better one leaves the second only far ones."""
    first, second = Quintuple("a", "per", "b", "org", "x"), Quintuple("c", "per", "b", "org", "x")
    said = [Quintuple("a", "per", "b", "loc", "y"), Quintuple("a", "per", "b", "org", "z")]
    assert {pair for pair in paired(said, [first, second]) if None not in pair} == {
        (said[0], first),
        (said[1], second),
    }


def test_invalid_and_truncated_answers_miss_all_gold() -> None:
    assert quintuple_errors(None, [GOLD, OTHER]) == {"invalid answer": 1, "missed": 2}
    assert quintuple_errors(None, [GOLD], truncated=True) == {"truncated": 1, "missed": 1}


@pytest.mark.parametrize(
    ("predicted", "gold", "kinds"),
    [
        ("/per/org/member", "/per/org/member", {}),
        ("none", "none", {}),
        ("/per/org/leader", "/per/org/member", {"wrong relation": 1}),
        ("/org/org/member", "/per/org/member", {"wrong type": 1}),
        ("none", "/per/org/member", {"missed": 1}),
        ("/per/org/member", "none", {"invented": 1}),
        (None, "none", {"invalid answer": 1}),
    ],
)
def test_labels(predicted: str | None, gold: str, kinds: dict[str, int]) -> None:
    assert label_errors(predicted, gold) == kinds
    assert set(kinds) <= set(KINDS)


def test_a_truncated_label_is_called_so() -> None:
    assert label_errors(None, "none", truncated=True) == {"truncated": 1}


def test_confused_relations() -> None:
    pairs = paired(
        [GOLD._replace(relation="peer"), Quintuple("x", "loc", "y", "loc", "contain")],
        [GOLD, OTHER],
    )
    assert relations_confused(pairs) == {
        ("member of", "peer"): 1,
        ("", "contain"): 1,
        ("place of birth", ""): 1,
    }
