"""Tweets and file names arrive as they were typed, whatever Hydra's grammar makes of them."""

from __future__ import annotations

import pytest

from helpers.configured import CONF, run_config
from mmie.command_line import readable, refuse_absent
from mmie.errors import InputError

TWEETS = [
    "RT @user: see https://t.co/abc?x=1&y=2",
    "I can't",
    'She said: "no", I\'m told',
    "a, b and c",
    "#hashtag first",
    "(brackets) [and] {more}",
    "[Josh Gordon]",
    "{text}",
    "100 % = all",
    "\U0001f602 \u6771\u4eac",
    "two\nlines\tand a tab",
    "C:\\temp\\ 'x'\\",
    "I can't pay ${price}",
    "glob(x)",
    "key: value",
    "1e5",
    "007",
    "true",
    "[1, 2, a]",
    "[]",
]


def composed(*arguments: str) -> tuple[str | None, str | None]:
    run = run_config(*readable(arguments))
    return run.predict["text"], run.predict["image"]


@pytest.mark.parametrize("tweet", TWEETS)
def test_any_tweet_arrives(tweet: str) -> None:
    path = "my pic=1, (new).png"
    assert composed(f"predict.text={tweet}", f"predict.image={path}") == (tweet, path)


@pytest.mark.parametrize("argument", ["predict.text='wow # love'", 'predict.text="wow # love"'])
def test_what_is_quoted_for_hydra_stays_so(argument: str) -> None:
    assert readable([argument]) == [argument]
    assert composed(argument)[0] == "wow # love"


def test_it_can_be_done_twice() -> None:
    once = readable([f"predict.text={tweet}" for tweet in TWEETS])
    assert readable(once) == once


def test_all_else_is_left_to_hydra() -> None:
    sweep = ["-m", "predict.text=a,b", "seed=0,1", "filter=[],[rule_score]"]
    others = [*sweep, "task.instruction=I can't"]
    boxes = ["predict.box=[1,2,3,4]", "predict.box=null"]
    assert readable(others + boxes) == others + boxes
    assert readable(["predict.text=null", "predict.text", "--cfg", "job"])[0] == "predict.text=null"


@pytest.mark.parametrize(
    "argument", ["predict.text=caf\udce9", "artifacts=/tmp/\udce9", "\udce9=1"]
)
def test_bytes_that_are_no_text_are_one_line(argument: str) -> None:
    with pytest.raises(InputError, match=r"not UTF-8 \(0xe9\)") as caught:
        readable([argument])
    assert str(caught.value).encode()
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("arguments", "key"),
    [
        (["grpo=none", "grpo.group_size=4"], "grpo.group_size"),
        (["sft.epochs=1", "sft=none"], "sft.epochs"),
        (["+experiment=only_rl", "sft.epochs=1"], "sft.epochs"),
        (["-m", "+experiment=cot_sft", "+grpo.kl_coef=0,1"], "grpo.kl_coef"),
        # In a sweep one job without the group is enough: Hydra composes all of them first.
        (["-m", "sft=none,cot", "sft.epochs=1"], "sft.epochs"),
        (["-m", "+experiment=jmere_r1,only_rl", "sft.epochs=1"], "sft.epochs"),
    ],
)
def test_a_key_of_a_group_that_is_none_is_one_line(arguments: list[str], key: str) -> None:
    with pytest.raises(InputError, match=f"^{key}: .* is none here"):
        refuse_absent(arguments, CONF)


@pytest.mark.parametrize(
    "arguments",
    [
        ["+experiment=only_rl", "grpo.group_size=4"],
        ["+experiment=only_rl", "sft=cot_warmup", "sft.epochs=1"],
        ["-m", "+experiment=jmere_r1,only_rl", "sft=cot", "sft.epochs=1"],
        ["+experiment=unknown", "sft.epochs=1"],
        ["+experiment=../config", "predict.text=grpo.x=none"],
        ["logger=none", "logger.entity=x"],
        ["grpo=none", "--cfg", "job"],
    ],
)
def test_keys_of_groups_that_are_there_pass(arguments: list[str]) -> None:
    refuse_absent(arguments, CONF)


@pytest.mark.parametrize("key", ["profile", "sft", "+memory", "task"])
def test_a_group_that_is_null_is_one_line(key: str) -> None:
    """Hydra has a traceback for it."""
    with pytest.raises(InputError, match=f"^{key.strip('+')}: null chooses nothing"):
        refuse_absent([f"{key}=null"], CONF)
    refuse_absent(["evaluation.validation_samples=null", "paper=null", "sft_share=null"], CONF)
