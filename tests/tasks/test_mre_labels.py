"""Labels of relations: how they are written and read, and how head and tail are marked."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from helpers.configured import task_file
from mmie.errors import InputError
from mmie.tasks.mre.labels import NONE, checked_labels, label_of, parse_label, parts_of, read_label
from mmie.tasks.mre.marks import mark_names, mark_words

PATHS = ["/per/org/member_of", "/per/per/peer", "/per/loc/place_of_birth", "/per/per/parent"]
LABELS = [*checked_labels(PATHS), NONE]
MEMBER, PEER, BIRTH, PARENT, _ = LABELS


@pytest.mark.parametrize(
    ("path", "label"),
    [
        ("/per/org/member_of", "per, org, member of"),
        (" /per/per/peer ", "per, per, peer"),
        ("per/per/peer", None),
        ("/per/peer", None),
        ("/per/per/_", None),
        ("/per/per/a, b", None),
        ("none", None),
    ],
)
def test_labels_of_the_data(path: str, label: str | None) -> None:
    assert label_of(path) == label


def test_the_parts_of_a_label() -> None:
    assert parts_of(MEMBER) == ["per", "org", "member of"]


@pytest.mark.parametrize(
    "paths",
    [[], "/per/per/peer", None, ["peer"], ["/per/per/peer", "/per/per/peer"], [1]]
    + [["/per/per/peer", "/Per/per/Peer"]],
)
def test_labels_that_are_none_are_refused(paths: object) -> None:
    with pytest.raises(InputError, match=r"^task\.labels: .*/per/org/member_of"):
        checked_labels(paths)  # type: ignore[arg-type]


def test_the_shipped_labels_are_the_classes_of_the_data() -> None:
    assert len(checked_labels(list(task_file("mre").task.labels))) == 22


@pytest.mark.parametrize(
    ("answer", "label"),
    [
        (" per, org, member of ", MEMBER),
        ("per, org, member_of", MEMBER),
        ("none", NONE),
        ("None", None),
        ("member of", None),
        ("per, org, member of.", None),
        ("/per/org/member_of", None),
        ("per, org, member of, none", None),
        ("", None),
    ],
)
def test_strict_answers(answer: str, label: str | None) -> None:
    assert parse_label(answer, labels=LABELS) == label


@pytest.mark.parametrize(
    ("response", "expected"),
    [
        ("<think> per, per, peer </think> <answer> none </answer>", (NONE, 0)),
        ("The label is **Per, Org, Member of**.", (MEMBER, 0)),
        ("/per/org/member_of", (MEMBER, 0)),
        ("`[per, org, member\\_of]`", (MEMBER, 0)),
        ("not per, per, peer but per, per, parent", (PARENT, 0)),
        ("none of these fits: per, per, peer", (PEER, 0)),
        ("per, per, peer? None.", (NONE, 0)),
        ("none of them", (None, 0)),
        ("per, per, peers", (None, 1)),  # another word
        ("per, per, enemy", (None, 1)),
        ("per, per, peer; no: org, per, boss", (None, 1)),
        ("nonetheless", (None, 0)),
        ("they are peers", (None, 0)),
        ("", (None, 0)),
    ],
)
def test_lenient_answers(response: str, expected: tuple[str | None, int]) -> None:
    assert read_label(response, labels=LABELS) == expected


def test_the_longest_of_several_labels_is_meant() -> None:
    labels = checked_labels(["/misc/misc/part", "/misc/misc/part_of"])
    assert read_label("it is misc, misc, part of that", labels=labels) == (labels[1], 0)
    assert read_label("it is misc, misc, part.", labels=labels) == (labels[0], 0)


@given(st.text("</>answerthink,_ perogmbf\n\\", max_size=60))
def test_any_text_can_be_read(text: str) -> None:
    label, invalid = read_label(text, labels=LABELS)
    assert label is None or (label in LABELS and invalid == 0)


@pytest.mark.parametrize("label", LABELS)
def test_what_is_written_is_read_back(label: str) -> None:
    assert parse_label(label, labels=LABELS) == label
    assert read_label(f"<answer> {label} </answer>", labels=LABELS) == (label, 0)


@pytest.mark.parametrize(
    ("head", "tail", "marked"),
    [
        ((0, 2), (3, 4), "<head>a b</head> c <tail>d</tail>"),
        ((3, 4), (0, 1), "<tail>a</tail> b c <head>d</head>"),
        ((0, 3), (0, 1), "<head><tail>a</tail> b c</head> d"),
        ((2, 3), (0, 3), "<tail>a b <head>c</head></tail> d"),
        ((1, 2), (0, 4), "<tail>a <head>b</head> c d</tail>"),
    ],
)
def test_words_are_marked(head: tuple[int, int], tail: tuple[int, int], marked: str) -> None:
    assert mark_words("a b c d".split(), {"head": head, "tail": tail}) == marked


def test_names_are_marked_where_they_first_stand() -> None:
    names = {"head": "Ann Lee", "tail": "Ann"}
    assert mark_names("by Ann Lee and Ann", names, "") == (
        "by <head><tail>Ann</tail> Lee</head> and Ann"
    )
    with pytest.raises(InputError, match=r"^f:1: tail: 'Bob' is not in the text"):
        mark_names("by Ann", {"head": "Ann", "tail": "Bob"}, "f:1: ")
