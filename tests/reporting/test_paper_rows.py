"""Which model a run is said to be of, and which of a paper's rows its results carry."""

from __future__ import annotations

from typing import Any

import pytest

from helpers.configured import run_config
from mmie.json_types import from_json
from mmie.reporting.backbones import LLAVA, QWEN, name_of, on_paper_data
from mmie.reporting.published import paper_row
from mmie.results import Node, Settings
from mmie.stages.report import paper_of

TOY = "toy Qwen2.5-VL, 1.1 M"
QWEN_TARGET, LLAVA_TARGET = "mmie.models.qwen2_5_vl.Qwen25VL", "mmie.models.llava.Llava"


@pytest.mark.parametrize(
    ("model", "profile", "name"),
    [
        ({"path": "mmie:toy/qwen2_5_vl", "_target_": QWEN_TARGET}, "toy", TOY),
        ({"path": "mmie:toy/qwen2_5_vl_more"}, "paper", TOY),
        ({"path": "Qwen/Qwen2.5-VL-7B-Instruct"}, "paper", QWEN),
        ({"path": "Qwen/Qwen2.5-VL-7B-Instruct"}, "toy", QWEN),
        ({"path": "/models/llava-1.5-7b-hf/"}, "paper", LLAVA),
        ({"path": "Qwen/Qwen2.5-VL-3B-Instruct"}, "paper", "Qwen/Qwen2.5-VL-3B-Instruct"),
        ({}, "toy", TOY),
        ({}, "paper", QWEN),
        ({"_target_": LLAVA_TARGET}, "paper", LLAVA),
        ({"_target_": LLAVA_TARGET}, "toy", "toy LLaVA"),
    ],
)
def test_names(model: dict[str, Any], profile: str, name: str) -> None:
    assert name_of(Node(**model), profile=profile) == name


def test_the_toy_world_is_no_paper_data_in_any_profile() -> None:
    mnre = Node(_target_="mmie.tasks.jmere.mnre.MNRE")
    assert on_paper_data("paper", mnre)
    assert on_paper_data("paper", Node())
    assert not on_paper_data("toy", mnre)
    assert not on_paper_data("paper", Node(_target_="mmie.tasks.jmere.toy_source.ToySource"))


def test_an_experiment_that_the_paper_has_no_row_of_has_none() -> None:
    settings = Settings(model=Node(path="Qwen/Qwen2.5-VL-7B-Instruct"))
    assert paper_row("figure5_voting", "jmere", settings, profile="paper") is None


@pytest.mark.parametrize(
    ("overrides", "source", "f1"),
    [
        (["+experiment=jmere_r1", "profile=paper"], "JMERE-R1, Table 1; Qwen2.5-VL-7B", 0.5684),
        (
            ["+experiment=jmere_r1", "profile=paper", "model=llava_1_5_7b"],
            "JMERE-R1, Table 1; LLaVA-1.5-7B",
            0.5460,
        ),
        (
            ["+experiment=zero_shot", "profile=paper", "model=llava_1_5_7b"],
            "JMERE-R1, Table 3; LLaVA-1.5-7B",
            0.0952,
        ),
        (["+experiment=ablation_no_filter", "profile=paper", "model=llava_1_5_7b"], None, None),
        (["+experiment=jmere_r1", "profile=paper", "model.path=/mine/Qwen2.5-VL-3B"], None, None),
        (["+experiment=jmere_r1", "profile=paper", "data=jmere_toy"], None, None),
        (["+experiment=jmere_r1"], None, None),
        # These train another method than the row's.
        (["+experiment=jmere_r1", "profile=paper", "grpo=none"], None, None),
        (["+experiment=jmere_r1", "profile=paper", "filter=[]"], None, None),
        (["+experiment=jmere_r1", "profile=paper", "reward.alpha=0"], None, None),
        (
            ["+experiment=jmere_r1", "profile=paper", "memory=fast", "grpo.group_size=4"],
            "JMERE-R1, Table 1; Qwen2.5-VL-7B",
            0.5684,
        ),
    ],
)
def test_results_carry_the_row_of_their_own_model(
    overrides: list[str], source: str | None, f1: float | None
) -> None:
    config = run_config(*overrides)
    settings = from_json(Settings, {"model": config.model, "data": config.data})
    found = paper_of(config, "jmere", settings)
    assert (found and found["source"]) == source
    assert (found and found["quintuple"]["f1"]) == f1
