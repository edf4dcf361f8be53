"""Prompts are filled once, and one that could not be filled is refused with the configuration."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from helpers.configured import run_config
from mmie.artifacts import Artifact
from mmie.config import RunConfig
from mmie.errors import InputError
from mmie.stages import keys
from mmie.stages.samples import Samples
from mmie.templates import Places, fill


def test_what_a_value_holds_is_not_filled() -> None:
    filled = fill("{{text}} {chain}", text="a {chain} b", chain="{text} \\1 \\g<0>")
    assert filled == "{a {chain} b} {text} \\1 \\g<0>"


@pytest.mark.parametrize("text", ['{"a": 1}', "{}", "{ text }", "{Browns place WR}", "{{}}", "}{"])
def test_braces_around_anything_but_one_word_stay(text: str) -> None:
    assert fill(text) == text
    assert Places().problem(text) is None


def test_a_place_is_missing_or_unknown() -> None:
    places = Places(("text",), optional=("types",))
    assert places.problem("{text} {text} {types}") is None
    assert places.problem("{text} {tpyes}") == (
        "the place {tpyes} is unknown; it may hold {text}, {types}"
    )
    assert (
        places.problem("{types}")
        == "the place {text} is missing; put it where the text shall stand"
    )
    assert Places().problem("{text}") == "the place {text} is unknown; nothing is filled in here"


@pytest.mark.parametrize(
    ("overrides", "key"),
    [
        (["task.instruction='What is in it? {tweet}'"], "task.instruction"),
        (["task.instruction='What is in it?'"], "task.instruction"),
        (["task=more", "task.instruction='{text} {relations}'"], "task.instruction"),
        (["task=more", "task.instruction='{text}'"], "task.instruction"),
        (["cot.chains.distil='{text}'"], "cot.chains.distil"),
        (["cot.chains.repredict='{text} {chain} {answer}'"], "cot.chains.repredict"),
        (["cot.chains.score='{chain}'"], "cot.chains.score"),
        (["cot.chains.score=3"], "cot.chains.score"),
        (["task=more", "cot.chains.related='{object_type}'"], "cot.chains.related"),
        (["task=more", "cot.chains.unrelated='{label}'"], "cot.chains.unrelated"),
        (["reasoning_instruction='Think about {text}'"], "reasoning_instruction"),
    ],
)
def test_a_prompt_that_cannot_be_filled_is_refused_under_its_key(
    overrides: list[str], key: str
) -> None:
    with pytest.raises(InputError) as caught:
        run_config(*overrides)
    assert str(caught.value).startswith(f"{key}: ")
    assert "\n" not in str(caught.value)


def distil_parts(config: RunConfig) -> dict[str, Any]:
    """All that the stage distil depends on."""
    context: Any = SimpleNamespace(config=config)
    return keys.distil(context, Samples(Artifact(Path("data"), "mark")))


def test_another_prompt_is_another_distillation() -> None:
    default = run_config()
    rubric = default.cot.chains["score"].replace("0.4", "0.5").replace("'", "")
    changed = run_config(f"cot.chains.score='{rubric}'")
    assert distil_parts(run_config()) == distil_parts(default)
    assert distil_parts(changed) != distil_parts(default)
    assert distil_parts(run_config("cot.chains.distil='{text} {answer}'")) != distil_parts(default)
