"""The two readers of entities, and what is written so that they read it back."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mmie.tasks.mner.entities import Entity, format_entities, numbered, parse_entities
from mmie.tasks.mner.reading import read_entities
from mmie.text import fold

TYPES = ["per", "loc", "org", "misc"]
ANN, APEX = Entity("Ann Lee", "per"), Entity("Apex", "org")
NAMES = st.text("ab ,[]\\(){}\"'\u00e9", max_size=8) | st.sampled_from(
    ["x, per", "a\\, per, b", "<answer>", "a </Answer >", "<\\think>"]
)
ENTITIES = st.lists(st.builds(Entity, NAMES.map(fold).filter(bool), st.sampled_from(TYPES)))


@pytest.mark.parametrize(
    ("answer", "expected"),
    [
        ("[]", []),
        (" [Ann Lee, per] ", [ANN]),
        ("[Ann  Lee , per], [Apex, org]", [ANN, APEX]),
        ("[Ann Lee, per][Apex, org]", [ANN, APEX]),
        ("[Apex, org]\n[Apex, org]", [APEX, APEX]),
        ("[10,000 Maniacs, org]", [Entity("10,000 Maniacs", "org")]),
        (r"[a\[b\], misc]", [Entity("a[b]", "misc")]),
        (r"[x\, per, org]", [Entity("x, per", "org")]),
        (r"[AC\DC, org]", [Entity(r"AC\DC", "org")]),
        (r"[<\answer>, misc]", [Entity("<answer>", "misc")]),
    ],
)
def test_strict_answers(answer: str, expected: list[Entity]) -> None:
    assert parse_entities(answer, types=TYPES) == expected


@pytest.mark.parametrize(
    "answer",
    [
        "",
        "none",
        "Ann Lee, per",
        "[Ann Lee]",
        "[Ann Lee, PER]",
        "[Ann Lee, person]",
        "[, per]",
        "[Ann Lee, per],",
        "[Ann Lee, per], [Apex]",
        "[Ann Lee, per] and [Apex, org]",
        "[Ann Lee, per, Apex, org]",
        "[Ann Lee, per], []",
        "[[Ann Lee, per]]",
        "[a[b, per]",
        "[Ann Lee, per",
    ],
)
def test_what_is_wrong_is_no_strict_answer(answer: str) -> None:
    assert parse_entities(answer, types=TYPES) is None


@settings(max_examples=60)
@given(ENTITIES)
def test_what_is_written_is_read_back(entities: list[Entity]) -> None:
    answer = format_entities(entities, types=TYPES)
    assert parse_entities(answer, types=TYPES) == entities
    assert read_entities(answer, types=TYPES) == (entities, 0)
    response = f"<think> why </think> <answer> {answer} </answer>"
    assert read_entities(response, types=TYPES) == (entities, 0)


def test_plain_names_are_written_as_they_are() -> None:
    entities = [ANN, Entity("Paris, Texas", "loc")]
    assert format_entities(entities, types=TYPES) == "[Ann Lee, per], [Paris, Texas, loc]"
    assert format_entities([], types=TYPES) == "[]"


@pytest.mark.parametrize(
    ("response", "expected"),
    [
        ("<think> [Bob, per] </think> <answer> [Ann Lee, per] </answer>", ([ANN], 0)),
        ("The entities are [Ann Lee, PER] and [**Apex**, `org`].", ([ANN, APEX], 0)),
        ('<answer>[["Ann Lee", "per"], ["Apex", "org"]]</answer>', ([ANN, APEX], 0)),
        (
            '[{"entity": "Ann Lee", "type": "Per"}, {"name": "Apex", "label": "org"}]',
            ([ANN, APEX], 0),
        ),
        ("[Ann Lee, person], [Apex, org]", ([APEX], 1)),
        ("[Ann Lee, per], [Apex, or", ([ANN], 1)),
        ("[Ann Lee, per], [Apex, org", ([ANN], 1)),  # cut off, however near to its end
        ("[entity, entity type]: [Ann Lee, per]", ([ANN], 0)),
        ("(Ann Lee, per), (see below, of course)", ([ANN], 0)),
        ("<answer>- Ann Lee: per\n2. Apex: org\nno more: sorry</answer>", ([ANN, APEX], 0)),
        ("<answer>Ann Lee, per</answer>", ([ANN], 0)),
        ("Ann Lee, per", (None, 0)),  # prose, without an answer block
        ("<answer> [ ] </answer>", ([], 0)),
        ("[1] see [Apex]", (None, 0)),
        ("[Ann Lee, person]", (None, 1)),
        ("[, per]", (None, 1)),
        ("[“Apex”, org]", ([Entity("“Apex”", "org")], 0)),  # the quotation marks are the name's
        ("", (None, 0)),
    ],
)
def test_lenient_answers(response: str, expected: tuple[list[Entity] | None, int]) -> None:
    assert read_entities(response, types=TYPES) == expected


@given(st.text('[](){}<>/,:"\\ \nthinkanswerAnnper', max_size=60))
def test_any_text_can_be_read(text: str) -> None:
    parse_entities(text, types=TYPES)
    entities, invalid = read_entities(text, types=TYPES)
    assert invalid >= 0
    assert all(name and kind in TYPES for name, kind in entities or ())


def test_mentions_are_numbered() -> None:
    assert numbered([ANN, APEX, Entity(" Ann  Lee", "per"), Entity("Ann Lee", "misc")]) == [
        ("Ann Lee", "1", "per"),
        ("Apex", "1", "org"),
        ("Ann Lee", "2", "per"),
        ("Ann Lee", "1", "misc"),
    ]
    assert numbered(None) == []
