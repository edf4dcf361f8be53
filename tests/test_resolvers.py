"""What the files of conf/ can compute."""

from __future__ import annotations

from pathlib import Path
from urllib.parse import unquote, urlparse

import pytest
from hydra import compose, initialize_config_dir
from omegaconf import OmegaConf

from helpers.configured import CONF
from mmie.config import to_run_config
from mmie.errors import InputError
from mmie.resolvers import task_folders


@pytest.mark.parametrize(("profile", "value"), [("toy", None), ("paper", 2e-5)])
def test_a_value_of_each_profile(profile: str, value: float | None) -> None:
    cfg = OmegaConf.create({"profile": profile, "a": {"lr": "${scale:{toy:null,paper:2e-5}}"}})
    assert cfg.a.lr == value


def test_what_is_set_replaces_the_values_of_all_profiles() -> None:
    cfg = OmegaConf.create({"profile": "toy", "lr": "${scale:{toy:1,paper:2}}"})
    cfg.merge_with_dotlist(["lr=3"])
    assert cfg.lr == 3


def test_a_profile_without_a_value_is_one_line() -> None:
    with initialize_config_dir(str(CONF), version_base="1.3"):
        cfg = compose("config")
    cfg.profile = "large"
    with pytest.raises(InputError) as caught:
        to_run_config(cfg)
    assert str(caught.value) == (
        "lora.rank: no value for profile=large; there is one for toy, paper, small"
    )


def test_the_folders_of_the_tasks() -> None:
    folders = [Path(unquote(urlparse(folder).path)) for folder in task_folders()]
    assert folders == [CONF / "tasks" / task for task in ("jmere", "mner", "more", "mre")]
