import pytest
from hypothesis import given
from hypothesis import strategies as st

from helpers.counting import calls
from mmie.parsing import TYPES, format_quintuples, parse_quintuples, parse_response
from mmie.text import fold
from mmie.types import Quintuple, Response

RELATIONS = ["peer", "member_of", "contain", "place_of_residence", "locate_at", "part_of", "alumi"]
JOSH = Quintuple("Josh Gordon", "per", "Browns", "org", "member_of")
PARIS = Quintuple("Paris", "loc", "Lyon", "loc", "contain")

WHITE = list(" \t\n\r\v\f\x1c\x85\xa0\u2003\u3000")
PIECES = [
    *TYPES,
    *RELATIONS[:3],
    *WHITE,
    "member of",
    "party",
    "a",
    "Müller",
    "東京",
    "🎉",
    'O\'Neil "x"',
    "<answer>",
    "\\",
    "\\\\",
    "_",
    "¯\\_(ツ)_/¯",
    ",",
    ", ",
    "[",
    "]",
    "], [",
    "][",
    "]\n[",
    "[]",
    ", per, ",
    ",org",
    ", per, b, org, peer], [",
    ", org, peer]",
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


def parse(answer: str) -> list[Quintuple] | None:
    return parse_quintuples(answer, types=TYPES, relations=RELATIONS)


def names(answer: str) -> tuple[str, str] | None:
    parsed = parse(answer)
    assert parsed is None or len(parsed) == 1
    return parsed and (parsed[0].head, parsed[0].tail)


@pytest.mark.parametrize(
    "text",
    [
        "<think>why</think><answer>[]</answer>",
        "<think> why </think> <answer>\n[] </answer>",
        "\n <think>why</think>\n\n<answer>[]</answer>\t",
    ],
)
def test_response_of_the_right_form(text: str) -> None:
    assert parse_response(text) == Response(think="why", answer="[]")


def test_response_may_be_long_and_its_blocks_empty() -> None:
    assert parse_response("<think></think><answer></answer>") == Response("", "")
    assert parse_response("<think>a\nb < c > d</think><answer>x\ny</answer>") == Response(
        "a\nb < c > d", "x\ny"
    )


@pytest.mark.parametrize(
    "text",
    [
        "",
        "[]",
        "<think>a</think>",
        "<answer>b</answer>",
        "<answer>b</answer><think>a</think>",
        "<think>a</think><answer>b",
        "<think>a<answer>b</answer></think>",
        "<think><think>a</think></think><answer>b</answer>",
        "<think>a</think><think>a</think><answer>b</answer>",
        "<think>a</think><answer>b</answer><answer>b</answer>",
        "<think>a</think><answer>b</answer></answer>",
        "<think>a</think><answer><think>b</answer>",
        "so <think>a</think><answer>b</answer>",
        "<think>a</think> so <answer>b</answer>",
        "<think>a</think><answer>b</answer> so",
        "<Think>a</Think><answer>b</answer>",
    ],
)
def test_response_of_another_form_is_none(text: str) -> None:
    assert parse_response(text) is None


@given(
    st.lists(
        st.sampled_from(["<think>", "</think>", "<answer>", "</answer>", "x", " "]), max_size=12
    ).map("".join)
)
def test_response_has_each_tag_once_and_in_order(text: str) -> None:
    order = [
        tag
        for tag in text.replace("<", " <").replace(">", "> ").replace("x", " x ").split()
        if tag != "x"
    ]
    outside = (
        text.split("<think>")[0],
        text.split("</answer>")[-1],
        text.partition("</think>")[2].partition("<answer>")[0],
    )
    is_response = (
        order == ["<think>", "</think>", "<answer>", "</answer>"] and not "".join(outside).strip()
    )
    assert (parse_response(text) is not None) == is_response


def test_answer_of_the_paper() -> None:
    assert parse("[Josh Gordon, per, Browns, org, member of]") == [JOSH]


@pytest.mark.parametrize("answer", ["[]", " []\n"])
def test_empty_answer_is_valid(answer: str) -> None:
    assert parse(answer) == []


@pytest.mark.parametrize("between", [", ", ",", "", " ", "\n", " ,\n"])
def test_items_in_order_whatever_is_between(between: str) -> None:
    first, second = "[Josh Gordon, per, Browns, org, member of]", "[Paris, loc, Lyon, loc, contain]"
    assert parse(first + between + second + between + first) == [JOSH, PARIS, JOSH]


def test_white_space_is_folded() -> None:
    assert parse(" [ Josh \n Gordon ,per,  Browns,org , member  of ] ") == [JOSH]


@pytest.mark.parametrize("written", ["member of", "member_of", "member  of"])
@pytest.mark.parametrize("known", ["member of", "member_of"])
def test_relation_comes_back_as_the_label_set_spells_it(written: str, known: str) -> None:
    answer = f"[Josh Gordon, per, Browns, org, {written}]"
    assert parse_quintuples(answer, types=TYPES, relations=[known]) == [
        JOSH._replace(relation=known)
    ]


@pytest.mark.parametrize(
    ("answer", "head", "tail"),
    [
        ("[Washington, D.C., loc, Smith, Jr., per, contain]", "Washington, D.C.", "Smith, Jr."),
        ("[Foo [live], misc, [x], per, peer]", "Foo [live]", "[x]"),
        ("[[, per, ], per, peer]", "[", "]"),
        ("[,, per, ,, per, peer]", ",", ","),
        ("[per, per, loc, loc, peer]", "per", "loc"),
        ("[peer, per, member of], x, org, peer]", "peer", "member of], x"),
        ("[\"A\", per, 'B' <b>, org, peer]", '"A"', "'B' <b>"),
        ("[東京, loc, 🎉🎉 München, misc, peer]", "東京", "🎉🎉 München"),
        ("[¯\\_(ツ)_/¯, per, a_b, per, peer]", "¯\\_(ツ)_/¯", "a_b"),
        ("[a, org, org, peer x] b, org, peer]", "a", "org, peer x] b"),
        ("[a, org, b, peer] c, org, peer]", "a", "b, peer] c"),
        ("[a, org, b, per, peer, org, peer]", "a", "b, per, peer"),
        ("[per, x, per, PER, x, org, peer]", "per, x", "PER, x"),
    ],
)
def test_names_are_free_text(answer: str, head: str, tail: str) -> None:
    assert names(answer) == (head, tail)


def test_of_several_readings_the_shortest_head() -> None:
    assert names("[Paris, loc, France, loc, Bob, per, peer]") == ("Paris", "France, loc, Bob")


@pytest.mark.parametrize(
    ("written", "name"),
    [
        (r"a\, per", "a, per"),
        (r"\[a\]\, \[b\]", "[a], [b]"),
        (r"a\\", "a\\"),
        (r"\ a\ ", " a "),
        (r"  \ a \  ", " a  "),
        ("a\\\nb", "a\nb"),
        (r"\a\b", r"\a\b"),
        (r"\\\\", "\\\\"),
    ],
)
def test_escapes(written: str, name: str) -> None:
    assert names(f"[{written}, per, {written}, org, peer]") == (name, name)


GOOD = "[Josh Gordon, per, Browns, org, member of]"
BAD = [
    "[Josh Gordon, person, Browns, org, member of]",
    "[Josh Gordon, Per, Browns, org, member of]",
    "[Josh Gordon, per, Browns, company, member of]",
    "[Josh Gordon, person, Browns, company, member of]",
    "[Josh Gordon, per, Browns, org, works for]",
    "[Josh Gordon, per, Browns, org, Member of]",
    "[Josh Gordon, per, Browns, org]",
    "[Josh Gordon, per, Browns]",
    "[Josh Gordon]",
    "[]",
    "[, per, Browns, org, member of]",
    "[Josh Gordon, per, , org, member of]",
    "[Josh Gordon, per, org, member of]",
    "[Josh Gordon, per, Browns, org, member of, per]",
]


@pytest.mark.parametrize(
    "bad", [b for b in BAD if b != "[]"] + [r"[Josh Gordon, per, Browns, org, member of\]"]
)
def test_bad_item_alone_is_none(bad: str) -> None:
    assert parse(bad) is None


@pytest.mark.parametrize("between", [", ", " ", "\n"])
@pytest.mark.parametrize("bad", BAD)
def test_bad_item_spoils_the_answer_and_is_not_swallowed_by_a_name(bad: str, between: str) -> None:
    for items in ([bad, GOOD], [GOOD, bad], [GOOD, bad, GOOD]):
        assert parse(between.join(items)) is None


@pytest.mark.parametrize(
    "answer",
    [
        "",
        "[",
        "]",
        "][",
        "none",
        f"x{GOOD[1:]}",
        f"{GOOD[:-1]})",
        f"{GOOD},",
        f",{GOOD}",
        f"{GOOD},, {GOOD}",
        f"{GOOD}; {GOOD}",
        f"{GOOD} and {GOOD}",
        f"[{GOOD}]",
        f"{GOOD} x",
    ],
)
def test_text_around_or_between_items_is_none(answer: str) -> None:
    assert parse(answer) is None


@pytest.mark.parametrize(
    "name",
    ["Washington, D.C.", "Foo [live]", "per", "¯\\_(ツ)_/¯", "a\\b", "x], y", "[", 'O\'Neil, "x"'],
)
def test_ordinary_names_are_written_plain(name: str) -> None:
    assert (
        format_quintuples([PARIS._replace(head=name, tail=name)])
        == f"[{name}, loc, {name}, loc, contain]"
    )


@pytest.mark.parametrize(
    ("name", "written"),
    [
        ("a, per", r"a\, per"),
        ("loc,a [b]", r"loc\,a \[b\]"),
        ("], [", r"\]\, \["),
        ("] [", r"\] \["),
        (" a,  b ", r"\ a\,\ \ b\ "),
        ("a\tb", "a\\\tb"),
        ("a\\", r"a\\"),
        ("a\\[b]", r"a\\\[b\]"),
    ],
)
def test_names_that_would_be_misread_are_escaped(name: str, written: str) -> None:
    assert format_quintuples([PARIS._replace(head=name)]) == f"[{written}, loc, Lyon, loc, contain]"


def test_own_types_are_escaped_too() -> None:
    quintuple = Quintuple("a, team", "team", "b, natural person", "natural person", "peer")
    answer = format_quintuples([quintuple])
    assert answer == r"[a\, team, team, b\, natural person, natural person, peer]"
    assert parse_quintuples(answer, types=["team", "natural person"], relations=RELATIONS) == [
        quintuple
    ]


def test_format() -> None:
    assert format_quintuples([]) == "[]"
    assert (
        format_quintuples(q for q in (JOSH, PARIS)) == f"{GOOD}, [Paris, loc, Lyon, loc, contain]"
    )


@pytest.mark.parametrize("field", ["head", "tail"])
def test_empty_name_cannot_be_written(field: str) -> None:
    with pytest.raises(ValueError, match="a name is empty"):
        format_quintuples([JOSH._replace(**{field: ""})])


@given(st.lists(QUINTUPLES, max_size=4))
def test_parse_undoes_format(quintuples: list[Quintuple]) -> None:
    assert parse(format_quintuples(quintuples)) == quintuples


@given(st.lists(st.sampled_from(PIECES), max_size=40).map("".join))
def test_any_text_parses_to_quintuples_that_can_be_written_or_to_none(answer: str) -> None:
    parsed = parse(f"[{answer}]")
    assert parsed is None or parse(format_quintuples(parsed)) == parsed


@given(st.text(alphabet=["a", *WHITE], max_size=8))
def test_fold_leaves_single_blanks_between_words(text: str) -> None:
    assert fold(text).split(" ") == (text.split() or [""])


GARBAGE = [
    "[a, per, ",
    "[",
    "]",
    "] ",
    "] ,",
    "], [",
    "\\",
    "\\,",
    ", ",
    ", per",
    " ",
    GOOD,
    GOOD + ", ",
    BAD[0] + ", ",
    "<think>",
    "</think> ",
    "<think></think><answer>",
]


@pytest.mark.parametrize("piece", GARBAGE)
def test_work_grows_linearly_with_garbage(piece: str) -> None:
    text = piece * (20_000 // len(piece))
    for answer in (text, f"[{text}]", f"[a, per, {text}, per, peer]"):
        assert calls(lambda answer=answer: parse(answer)) < 5 * len(answer)
    assert calls(lambda: parse_response(f"<think>{text}</think><answer>{text}</answer>")) < 20


@pytest.mark.parametrize("piece", GARBAGE)
def test_long_garbage_ends(piece: str) -> None:
    """Quadratic backtracking in a regular expression would not end on a million characters."""
    text = piece * (1_000_000 // len(piece))
    assert parse(f"[{text}x]") is None
    parse_response(f"<think>{text}</answer>")
