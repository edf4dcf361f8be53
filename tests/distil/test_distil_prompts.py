from __future__ import annotations

import re
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from helpers.configured import prompts
from mmie.distil.chain_text import extract_chain
from mmie.parsing import parse_response
from mmie.tasks.jmere.chains import JMEREChains
from mmie.tasks.jmere.rule_score import parse_score
from mmie.types import Example, Quintuple

TWEET = "Browns place {WR} Josh Gordon on list # {0} {answer}"
EXAMPLE = Example(
    id="train-0",
    text=TWEET,
    pictures=(),
    gold=(Quintuple("never", "per", "shown", "org", "member of"),),
)
CHAINS = JMEREChains(types=["per", "org"], relations=["member_of", "locate_at"], **prompts("jmere"))


def test_the_distil_prompt_ends_like_figure_10():
    prompt = CHAINS.distil_prompt(EXAMPLE)
    assert prompt.endswith(
        f"The text data is: {{{TWEET}}}\nThe 5-tuple is: {{[never, per, shown, org, member of]}}"
    )
    parts = [
        "1. A description of the image content.",
        "2. The connection between the text and the image.",
        "3. A reasoning process for extracting the 5-tuple (keep it concise).",
    ]
    assert [line for line in prompt.splitlines() if line[:2] in ("1.", "2.", "3.")] == parts


def test_the_repredict_prompt_offers_labels_with_blanks_and_no_gold():
    prompt = CHAINS.repredict_prompt(EXAMPLE, "A {chain}.")
    assert "Entity types: per, org.\nRelation types: member of, locate at.\n" in prompt
    assert f"The text data is: {{{TWEET}}}\nThe reasoning is: {{A {{chain}}.}}\n" in prompt
    assert "never" not in prompt


def test_the_score_prompt_ends_with_text_and_chain():
    assert CHAINS.score_prompt(EXAMPLE, "A {chain}.").endswith(
        f"The text data is: {{{TWEET}}}\nThe reasoning is: {{A {{chain}}.}}"
    )


def test_the_scoring_rules_add_up_to_one_and_the_examples_follow_them():
    rules, examples = CHAINS.score.split("Example 1")
    points = [
        [float(p) for p in re.findall(r"^  (\d\.\d) ", part, re.MULTILINE)]
        for part in rules.split(":\n")[1:]
    ]
    assert sum(max(part) for part in points) == pytest.approx(1.0)
    parts = re.findall(
        r"^(?:Image description|Association|Completeness): (.*)$", examples, re.MULTILINE
    )
    scores = re.findall(r"^Score: (.*)$", examples, re.MULTILINE)
    assert len(scores) == 2
    for number, score in enumerate(scores):
        given_points = [float(p) for p in parts[3 * number : 3 * number + 3]]
        assert all(p in allowed for p, allowed in zip(given_points, points, strict=True))
        assert float(score) == pytest.approx(sum(given_points))


@pytest.mark.parametrize(
    ("text", "score"),
    [
        ("Score: 0.7", 0.7),
        ("Image description: 0.4\nScore: 0.2\nno, wait\n  Score:  1  \n", 1.0),
        ("**Score: 0.9**", 0.9),
        ("**Score:** 0.9", 0.9),
        ("Score: 0", 0.0),
        ("Score: 0.8/1.0", 0.8),
        ("**Score:** 0.8 / 1", 0.8),
        ("score: 0.8", 0.8),
        ("### Score: 0.8", 0.8),
        ("- Score: [0.8]", 0.8),
        ("Score: `0.8`", 0.8),
        ("Score: 0.7.", 0.7),
        ("Score: 8/10", None),
        ("Score: 0.8/", 0.8),
        ("Score: /1.0", None),
        ("Score: 0.8/1/1", None),
        ("\n" * 400_000 + "Score: 0.7", 0.7),
        (" " * 400_000, None),
        ("Score: 1.1", None),
        ("Score: -0.1", None),
        ("Score: nan", None),
        ("Score: inf", None),
        ("Score: 0,8", None),
        ("Score: 0.8 of 1", None),
        ("Score: 0.8\nScore: high", None),
        ("Score:\n0.8", None),
        ("The Score: 0.8", None),
        ("score 0.8", None),
        ("", None),
    ],
)
def test_the_score_is_the_last_whole_score_line(text, score):
    assert parse_score(text) == score


@pytest.mark.parametrize(
    ("text", "chain"),
    [
        ("  1. A field. ", "1. A field."),
        ("```\n1. A field.\n2. Both.\n```", "1. A field.\n2. Both."),
        ("```markdown\n1. A field.\n```\n", "1. A field."),
        ("<think>\n1. A field.\n</think>", "1. A field."),
        ("```\n<think>```\n1. A field.\n```</think>\n```", "1. A field."),
        ("1. See ```x``` here.", "1. See ```x``` here."),
        ("a < b and <thinking> aloud", "a < b and <thinking> aloud"),
        ("", ""),
        ("```\n```", ""),
        ("<think></think>", ""),
        ("<think>one</think> <think>two</think>", ""),
        ("<think>one</think> <answer>[]</answer>", ""),
        ("one </think>", ""),
        ("one < / Answer >", ""),
        ("<think>Hm, a field?</think>\n\n1. A field.", "1. A field."),
        ("Hm, a field?\n</think>\n1. A field.", "1. A field."),
        ("<thinking>Hm.</thinking> 1. A field.", "1. A field."),
        ("<think>The tag </think> ends this.</think>1. A field.", "1. A field."),
        ("<think>Hm.</think>\n```markdown\n1. A field.\n```", "1. A field."),
        ("```\n<think>Hm.</think>\n1. A field.\n```", "1. A field."),
        ("<think></think>1. A field.", "1. A field."),
        ("<think>Hm.</think> <think>1. A field.", ""),
        ("<think>it was cut", ""),
        ("<THINK>Hm.</THINK> 1. A field.", "1. A field."),
        ("<thought>Hm.</thought>\n1. A field.", "1. A field."),
        ("[THINK]Hm.[/THINK]1. A field.", "1. A field."),
        ("\u25c1think\u25b7Hm.\u25c1/think\u25b71. A field.", "1. A field."),
        ("```markdown \r\n1. A field.\r\n```", "1. A field."),
        ("1. A field. <think>Hm.</think>", ""),
    ],
)
def test_the_chain_is_what_stands_inside(text, chain):
    assert extract_chain(text) == chain


@pytest.mark.parametrize("read", [extract_chain, parse_score])
@pytest.mark.parametrize(
    "piece",
    ["\n", " \n", "<answer>", "</answer>", "</think>", "<think>", "< ", "```\n", "Score:", "*"],
)
def test_reading_grows_linearly(read, piece):
    """Ten times the text takes about ten times as long, whatever it repeats, and not a hundred."""

    def seconds(count):
        text = "<" + piece * count
        start = time.perf_counter()
        read(text)
        return time.perf_counter() - start

    seconds(1_000)
    short = min(seconds(20_000) for _ in range(3))
    assert min(seconds(200_000) for _ in range(2)) < 40 * short + 0.5


@given(
    st.lists(
        st.sampled_from(
            ["<think>", "</think>", "<answer>", "</answer>", "```\n", "\n```", "word", " "]
        )
    ).map("".join)
)
def test_a_chain_never_breaks_the_format_of_a_response(text):
    chain = extract_chain(text)
    response = parse_response(f"<think> {chain} </think> <answer> [] </answer>")
    assert response is not None
    assert response.think == chain
