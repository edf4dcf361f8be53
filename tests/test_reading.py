"""The lenient readers, on answers as instruct models write them.

Quintuples and invalid items are counted by hand.
"""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from helpers.counting import calls
from mmie.parsing import (
    TYPES,
    format_quintuples,
    parse_quintuples,
    parse_response,
)
from mmie.reading import read_answer
from mmie.response_blocks import answer_text, think_text
from mmie.tasks.responses import Reasoned
from mmie.types import Quintuple


def read_quintuples(text: str, **labels: Any) -> tuple[list[Quintuple], int]:
    quintuples, invalid = read_answer(text, **labels)
    return quintuples or [], invalid


RELATIONS = ["peer", "member_of", "contain", "place_of_residence", "locate_at"]
A = Quintuple("Josh Gordon", "per", "Browns", "org", "member_of")
B = Quintuple("Cleveland", "loc", "Ohio", "loc", "contain")
A_TEXT, B_TEXT = (
    "[Josh Gordon, per, Browns, org, member of]",
    "[Cleveland, loc, Ohio, loc, contain]",
)
JSON_LISTS = """```json
[
  ["Josh Gordon", "per", "Browns", "org", "member of"],
  ["Cleveland", "loc", "Ohio", "loc", "contain"]
]
```"""
JSON_OBJECTS = """Here is the result:
{"quintuples": [
  {"head": "Josh Gordon", "head_type": "per", "tail": "Browns", "tail_type": "org",
   "relation": "member_of"},
  {"head entity": "Cleveland", "head entity type": "LOC",
   "tail entity": "Ohio", "tail entity type": "LOC", "relation type": "contain"}
]}"""
PYTHON_DICT = (
    "[{'head': 'Josh Gordon', 'head_type': 'per', 'tail': \"Browns\", 'tail_type': 'org', "
    "'relation': 'member of'}]"
)
FORM = "[head entity, head entity type, tail entity, tail entity type, relation type]"
THOUGHT = f"<think> Perhaps {B_TEXT}, or [Ohio, loc, Cleveland, loc, in]. </think>"

ANSWERS: list[tuple[str, list[Quintuple], int]] = [
    # the form asked for
    (A_TEXT, [A], 0),
    # underscores escaped for Markdown
    ("[Josh Gordon, per, Browns, org, member\\_of]", [A], 0),
    (
        "[@josh\\_gordon, per, Browns, org, member\\_of]",
        [Quintuple("@josh_gordon", "per", "Browns", "org", "member_of")],
        0,
    ),
    (f"{A_TEXT}, {B_TEXT}", [A, B], 0),
    ("[]", [], 0),
    (f"{THOUGHT} <answer> {A_TEXT} </answer>", [A], 0),
    # prose around and between
    (f"Here are the tuples: {A_TEXT}", [A], 0),
    (
        f"The 5-tuples are:\n\n{A_TEXT}\n\nJosh Gordon plays for the Browns, as the jersey shows.",
        [A],
        0,
    ),
    (f"{A_TEXT} and {B_TEXT}.", [A, B], 0),
    (f"{A_TEXT}; {B_TEXT}", [A, B], 0),
    (f"1. {A_TEXT}\n2. {B_TEXT}", [A, B], 0),
    (f"- {A_TEXT}\n- {B_TEXT} (from the caption, not the image)", [A, B], 0),
    (f"**{A_TEXT}**", [A], 0),
    (f"```\n{A_TEXT}\n{B_TEXT}\n```", [A, B], 0),
    (f"```python\n[{A_TEXT},\n {B_TEXT}]\n```", [A, B], 0),
    (f"[{A_TEXT}, {B_TEXT}]", [A, B], 0),
    (f"[[{A_TEXT}]]", [A], 0),
    (f"In the form {FORM}:\n{A_TEXT}", [A], 0),
    (f"The text data is: {{Browns place Gordon, WR, on a list}}\n{A_TEXT}", [A], 0),
    (f"Josh Gordon [1] is a member of the Browns [2]. {A_TEXT} [1](https://t.co/a,b)", [A], 0),
    # JSON and Python
    ('["Josh Gordon", "per", "Browns", "org", "member of"]', [A], 0),
    (JSON_LISTS, [A, B], 0),
    (JSON_OBJECTS, [A, B], 0),
    (PYTHON_DICT, [A], 0),
    ("[('Josh Gordon', 'per', 'Browns', 'org', 'member of')]", [A], 0),
    ("(Josh Gordon, per, Browns, org, member of)", [A], 0),
    (
        '[["Josh \\"Flash\\" Gordon", "per", "Browns", "org", "peer"]]',
        [Quintuple('Josh "Flash" Gordon', "per", "Browns", "org", "peer")],
        0,
    ),
    ('[{"head": "Josh Gordon", "head_type": "per", "relation": "peer"}]', [], 1),
    ('{"image": "a field, a player", "mood": "calm"}', [], 0),
    # labels
    ("[Josh Gordon, PER, Browns, Org, Member_Of]", [A], 0),
    ("[Josh Gordon, 'per', Browns, `org`, member of.]", [A], 0),
    ("[**Josh Gordon**, per, **Browns**, org, member of].", [A], 0),
    ("[Josh Gordon, person, Browns, org, member of]", [], 1),
    (f"{A_TEXT}, [Cleveland, loc, Ohio, loc, lies in]", [A], 1),
    (f"[Cleveland, city, Ohio, state, contain] and also {A_TEXT}", [A], 1),
    (f"[Cleveland, loc, Ohio, loc, lies in] and also {A_TEXT}", [A], 1),
    # numbers of fields
    (f"[Josh Gordon, member of, Browns], {B_TEXT}", [B], 1),
    ("[Josh Gordon, per, Browns, org, member of, 0.9]", [], 1),
    ("[Josh Gordon, per], [Browns, org]", [], 2),
    ("Entities: [Josh Gordon], [Browns]", [], 0),
    # names with commas and brackets
    (
        "So: [Washington, D.C., loc, Ohio, loc, contain]!",
        [Quintuple("Washington, D.C.", "loc", "Ohio", "loc", "contain")],
        0,
    ),
    (
        "1. [Gordon [WR, Browns], per, Browns, org, peer]",
        [Quintuple("Gordon [WR, Browns]", "per", "Browns", "org", "peer")],
        0,
    ),
    ("1. [Gordon [WR, Browns], per, Browns, org, plays for]", [], 1),
    ("1. [Gordon (born 1991, Houston), per, Browns, org, plays for]", [], 1),
    (
        "[Gordon :], per, Browns, org, peer]",
        [Quintuple("Gordon :]", "per", "Browns", "org", "peer")],
        0,
    ),
    (
        "Answer: [Gordon :), per, Browns, org, peer]",
        [Quintuple("Gordon :)", "per", "Browns", "org", "peer")],
        0,
    ),
    # repeated and cut off
    (f"{A_TEXT}\n{A_TEXT}", [A, A], 0),
    (f"{A_TEXT}, [Cleveland, loc, Oh", [A], 1),
    (f"[{A_TEXT}, [Cleveland, loc, Ohio, loc, contain", [A], 1),
    ('[["Josh Gordon", "per", "Browns", "org", "member of"], ["Cleve', [A], 0),
    # blocks
    (f"<answer>{A_TEXT}", [A], 0),
    (f"{THOUGHT}\n{A_TEXT}", [A], 0),
    (f"Perhaps {B_TEXT}. </think> {A_TEXT}", [A], 0),
    (f"<think> Perhaps {B_TEXT}", [], 0),
    (f"<think> Perhaps {B_TEXT} <answer> {A_TEXT} </answer>", [A], 0),
    (f"<Answer>{B_TEXT}</Answer> No, wait: <ANSWER> {A_TEXT} </ANSWER> I am sure.", [A], 0),
    (f"{THOUGHT} Final answer: {A_TEXT} </answer>", [A], 0),
    # nothing
    ("There are no 5-tuples in this tweet.", [], 0),
    ("Josh Gordon, per, Browns, org, member of", [], 0),
    ("", [], 0),
]

TABLE = """| Head | Type | Tail | Type | Relation |
|------|:----:|------|------|----------|
| Josh Gordon | per | Browns | org | member of |
| **Cleveland** | LOC | Ohio | `loc` | contain |"""
BARE = "Josh Gordon, per, Browns, org, member of"
BARE_B = "Cleveland, loc, Ohio, loc, contain"
WITHOUT_BRACKETS: list[tuple[str, list[Quintuple], int]] = [
    # Markdown tables
    (TABLE, [A, B], 0),
    (f"The relations are:\n\n{TABLE}\n\nJosh Gordon [1] plays there.", [A, B], 0),
    ("|Josh Gordon|per|Browns|org|member_of|", [A], 0),
    ("| Josh Gordon | per | Browns | org | member of", [A], 0),
    (f"{A_TEXT}\n| Cleveland | loc | Ohio | loc | contain |", [A, B], 0),
    (f"| Cleveland | loc | Ohio | loc | contain |\n{A_TEXT}", [B, A], 0),
    (
        "| Gordon [WR, Browns] | per | A\\|B | org | peer |",
        [Quintuple("Gordon [WR, Browns]", "per", "A|B", "org", "peer")],
        0,
    ),
    ("| Josh Gordon | per | Browns | org | plays for |", [], 1),
    ("| Josh Gordon | player | Browns | org | member of |", [], 1),
    ("| | per | Browns | org | member of |", [], 1),
    (f"| 1 | {A_TEXT} |", [A], 0),
    # other tables
    ("| 1 | Josh Gordon | per | Browns | org | member of |", [], 0),
    ("| Josh Gordon | per | Browns | org |", [], 0),
    ("| a | b | c | d | e |", [], 0),
    ("Josh Gordon | per | Browns | org | member of", [], 0),
    ("[Josh Gordon | per | Browns | org | member of]", [], 0),
    # bare lines: only in an answer block
    (f"<answer>{BARE}</answer>", [A], 0),
    (f"<answer>\n- {BARE}\n- {BARE_B}\n</answer>", [A, B], 0),
    (f"<answer>1. {BARE}\n2) {BARE_B}", [A, B], 0),
    (f"{THOUGHT} <answer> {BARE}; {BARE_B} </answer>", [A, B], 0),
    (f"<answer>{BARE};\n{BARE_B};</answer>", [A, B], 0),
    (
        "<answer>AT&amp;T, org, Marks &amp; Spencer, org, peer; "
        "a; b, per, c, org, member_of</answer>",
        [
            Quintuple("AT&amp;T", "org", "Marks &amp; Spencer", "org", "peer"),
            Quintuple("a; b", "per", "c", "org", "member_of"),
        ],
        0,
    ),
    ("<answer>Josh Gordon, per, Browns, org, plays for</answer>", [], 1),
    (f"<answer>{BARE}\nCleveland, loc, Ohio, state, contain</answer>", [A], 1),
    # prose, or a guess
    (f"<think>{BARE}</think>", [], 0),
    (f"{BARE}; {BARE_B}", [], 0),
    (f"- {BARE}", [], 0),
    ("<answer>Washington, D.C., loc, Ohio, loc, contain</answer>", [], 0),
    ("<answer>Josh Gordon, per, Browns, org</answer>", [], 0),
    ("<answer>There is Josh Gordon, and Browns, I think, as ever, so</answer>", [], 0),
    (f"<answer>{A_TEXT}\n{BARE_B}</answer>", [A], 0),
    (f"<answer>[Josh Gordon, per]\n{BARE_B}</answer>", [], 1),
    (f"<answer>{BARE}]</answer>", [], 0),
]


def read(text: str) -> tuple[list[Quintuple], int]:
    return read_quintuples(text, types=TYPES, relations=RELATIONS)


@pytest.mark.parametrize(("answer", "quintuples", "invalid"), ANSWERS, ids=range(len(ANSWERS)))
def test_answers_of_instruct_models(answer: str, quintuples: list[Quintuple], invalid: int) -> None:
    assert read(answer) == (quintuples, invalid)


@pytest.mark.parametrize(
    ("answer", "quintuples", "invalid"), WITHOUT_BRACKETS, ids=range(len(WITHOUT_BRACKETS))
)
def test_answers_without_brackets(answer: str, quintuples: list[Quintuple], invalid: int) -> None:
    assert read(answer) == (quintuples, invalid)


def test_only_an_answer_that_says_so_is_empty() -> None:
    labels = {"types": TYPES, "relations": RELATIONS}
    for empty in ("[]", "<answer>[ ]</answer>", "There are none: []", '{"quintuples": []}'):
        assert read_answer(empty, **labels) == ([], 0)
    for nothing in ("", "none", f"<think>{A_TEXT}</think>", "[a, per]"):
        assert read_answer(nothing, **labels)[0] is None


def test_labels_come_back_as_the_configuration_spells_them() -> None:
    found = read_quintuples(
        "So [a, per, b, Org, member of].", types=["PER", "ORG"], relations=["Member_Of"]
    )
    assert found == ([Quintuple("a", "PER", "b", "ORG", "Member_Of")], 0)


def test_the_answer_is_never_read_from_a_thought() -> None:
    assert answer_text("<think> the <answer> tag </think> yes") == "\n yes"
    assert answer_text("before <think> x </think> after") == "before \n after"
    assert think_text("<think> why </think> <answer>x</answer>") == "why"
    assert think_text("why </think> x") == "why"
    assert think_text("<think> why <answer>x") == "why"
    assert think_text("x") == ""


PIECES = [
    *TYPES,
    "PER",
    *RELATIONS[:2],
    "member of",
    "a",
    "Müller",
    "e\u0301",
    "東京",
    "🎉",
    " ",
    "\n",
    "\\",
    "\\\\",
    "_",
    ",",
    ", ",
    "[",
    "]",
    "(",
    ")",
    "{",
    "}",
    '"',
    "'",
    "**",
    "], [",
    "][",
    "[]",
    ", per, ",
    ", PER",
    ", per, b, org, peer], [",
    "<answer>",
    "</answer>",
    "<think>",
    "</think>",
    "<",
    "/",
    "think>",
    "< / Answer >",
    "<\\answer>",
    "<|im_end|>",
    "|",
    "\n| a | per | b | org | peer |\n",
    "\na, per, b, org, peer; ",
]
NAMES = st.lists(st.sampled_from(PIECES), min_size=1, max_size=6).map("".join) | st.text(
    min_size=1, max_size=8
)
QUINTUPLES = st.builds(
    Quintuple,
    NAMES,
    st.sampled_from(TYPES),
    NAMES,
    st.sampled_from(TYPES),
    st.sampled_from(RELATIONS),
)


@given(st.lists(QUINTUPLES, max_size=4))
def test_what_was_written_is_read_back(quintuples: list[Quintuple]) -> None:
    assert read(format_quintuples(quintuples)) == (quintuples, 0)


@given(st.lists(QUINTUPLES, max_size=3))
def test_hostile_names_do_not_break_the_response(quintuples: list[Quintuple]) -> None:
    """SFT learns such targets; each has to be a response that parses to its gold."""
    answer = format_quintuples(quintuples)
    response = Reasoned().wrap("why", answer)
    parsed = parse_response(response)
    assert parsed is not None
    assert parsed.think == "why"
    assert parse_quintuples(parsed.answer, types=TYPES, relations=RELATIONS) == quintuples
    assert read(response) == (quintuples, 0)


@pytest.mark.parametrize(
    "name", ["<answer>", "</think>", "a <THINK > b", "<\\answer>", "<\\\\/answer>"]
)
def test_tags_in_names_are_hidden(name: str) -> None:
    quintuple = A._replace(head=name)
    written = format_quintuples([quintuple])
    assert name not in written
    assert parse_quintuples(written, types=TYPES, relations=RELATIONS) == [quintuple]


@given(st.lists(st.sampled_from(PIECES), max_size=40).map("".join))
def test_any_text_is_read(text: str) -> None:
    quintuples, invalid = read(text)
    assert invalid >= 0
    assert all(
        q.head and q.tail and q.head_type in TYPES and q.relation in RELATIONS for q in quintuples
    )


GARBAGE = [
    "[a, per, ",
    "[",
    "]",
    "[,",
    "],",
    "{,",
    "(,",
    '{"head": "',
    "{'head': '",
    "'a':\"\\",
    "[[a, per",
    "]]",
    ")(",
    "\\",
    "\\,",
    ", per",
    " ",
    "\n",
    A_TEXT,
    f"[{A_TEXT}",
    "[per, per, per, per, peer",
    "<think>",
    "</think>",
    "<answer>",
    "<answer>[",
    "<",
    "< ",
    "/per",
    "/per/org/",
    "none ",
    "per/",
    "a\u0301\u0323",
    "*",
    '"',
    '["',
    "|",
    "| a ",
    "\n|",
    "| a | per | b | org | peer |\n",
    "| a | per | b | org | none |\n",
    ";",
    "a, per, b, org, peer;",
    ", peer;",
    "\\|",
    "- ",
    "1",
]


@pytest.mark.parametrize("piece", GARBAGE)
def test_work_grows_linearly(piece: str) -> None:
    """Calls double with the text. A quadratic regular expression would not end on the long one."""
    for wrap in ("{}", "|{}", "[{}]", "<answer>{}", "[a, per, {}, per, peer]"):
        small, large = (
            wrap.replace("{}", piece * (size // len(piece))) for size in (4_000, 16_000)
        )
        counts = [calls(lambda text=text: read(text)) for text in (small, large)]
        assert counts[1] < 6 * counts[0] + 1_000
    read(piece * (300_000 // len(piece)))
