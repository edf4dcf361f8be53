"""The configuration: composed as Hydra does it, and single values for tests that build one part."""

from __future__ import annotations

from copy import deepcopy
from functools import cache
from pathlib import Path

import hydra
from omegaconf import DictConfig, OmegaConf

from mmie.config import CONF, RunConfig, to_run_config


@cache
def _composed(overrides: tuple[str, ...], conf: Path, *, whole: bool) -> DictConfig:
    with hydra.initialize_config_dir(str(conf), version_base="1.3"):
        return hydra.compose("config", list(overrides), return_hydra_config=whole)


def compose(*overrides: str, conf: Path = CONF, whole: bool = False) -> DictConfig:
    """A copy of its own of the configuration with these overrides; ``whole`` keeps Hydra's node.

    The same overrides are composed only once, because that takes about 0.15 s.
    """
    return deepcopy(_composed(overrides, conf, whole=whole))


def run_config(*overrides: str, conf: Path = CONF, artifacts: Path | None = None) -> RunConfig:
    """The checked configuration; ``artifacts`` is set last, so that it does not hinder the cache."""
    cfg = compose(*overrides, conf=conf)
    if artifacts is not None:
        cfg.artifacts = str(artifacts)
    return to_run_config(cfg)


def prompts(task: str) -> dict[str, str]:
    """The teacher's prompts of a task, by the names under which its chains take them."""
    chains = OmegaConf.to_container(OmegaConf.load(CONF / "cot" / f"{task}.yaml"))["chains"]
    return {
        name: text
        for name, text in chains.items()
        if name not in ("_target_", "types", "relations", "labels")
    }


def instruction(task: str) -> str:
    """The task's instruction at the paper's scale."""
    return OmegaConf.load(CONF / "task" / f"{task}.yaml").instruction


def reasoning_instruction() -> str:
    """What asks for think and answer blocks at the paper's scale (Figure 11)."""
    return OmegaConf.load(CONF / "config.yaml").reasoning_instruction
