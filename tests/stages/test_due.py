"""Which stages take place, for what is chosen and what the configuration has."""

from __future__ import annotations

import copy
from functools import cache
from typing import Any

import pytest

from helpers.configured import run_config
from mmie.config import RunConfig
from mmie.stages.due import due_stages

TO_GRPO = {"data", "distil", "filter", "sft", "grpo"}


@cache
def composed() -> RunConfig:
    return run_config()


def due(*chosen: str, **sections: Any) -> set[str]:
    """What is due if these stages are chosen and these sections of the toy run are others."""
    config = copy.deepcopy(composed())
    config.stages = list(chosen)
    for name, section in sections.items():
        setattr(config, name, section)
    return due_stages(config)


@pytest.mark.parametrize(
    ("chosen", "stages"),
    [
        ([], {"data"}),
        (["data"], {"data"}),
        (["distil"], {"data", "distil"}),
        (["filter"], {"data", "distil", "filter"}),
        (["sft"], {"data", "distil", "filter", "sft"}),
        (["grpo", "data"], TO_GRPO),
        (["evaluate"], {*TO_GRPO, "evaluate"}),
        (["report"], {*TO_GRPO, "evaluate", "report"}),
        (["predict"], {"predict"}),
        (["predict", "export"], {"predict", "export"}),
        (["data", "predict"], {"data", "predict"}),
        (["grpo", "predict"], {*TO_GRPO, "predict"}),
        (["plan"], {"data", "plan"}),
        (["evaluate", "export"], {*TO_GRPO, "evaluate", "export"}),
    ],
)
def test_a_stage_needs_those_before_it(chosen: list[str], stages: set[str]) -> None:
    assert due(*chosen) == stages


def test_what_the_configuration_lacks_is_left_out() -> None:
    assert due("evaluate", sft=None) == {"data", "grpo", "evaluate"}
    assert due("evaluate", grpo=None) == {"data", "distil", "filter", "sft", "evaluate"}
    assert due("evaluate", sft=None, grpo=None) == {"data", "evaluate"}
    answers_alone = copy.deepcopy(composed().sft)
    assert answers_alone is not None
    answers_alone.response = "direct"
    assert due("sft", sft=answers_alone, grpo=None) == {"data", "sft"}


def test_a_division_comes_before_distillation_and_a_difficulty_before_grpo() -> None:
    mixing = {"_target_": "mmie.training.schedules.progressive_mix.ProgressiveMix", "alpha": 0.5}
    assert due("data", sft_share=0.5) == {"data"}
    assert due("distil", sft_share=0.5) == {"data", "divide", "distil"}
    assert due("sft", schedule=mixing) == TO_GRPO - {"grpo"}
    assert due("grpo", schedule=mixing) == {*TO_GRPO, "difficulty"}


def test_an_adapter_that_is_given_needs_no_training() -> None:
    predict = copy.deepcopy(composed().predict)
    predict["adapter"] = "an/adapter"
    assert due("predict", predict=predict) == {"predict"}
    assert due("predict", "export", predict=predict) == {"predict", "export"}
    assert due("predict", "evaluate", predict=predict) == {*TO_GRPO, "evaluate", "predict"}
