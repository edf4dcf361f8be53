"""The configuration: composed as Hydra does it, and single values for tests that build one part."""

from __future__ import annotations

import re
from copy import deepcopy
from functools import cache
from pathlib import Path
from typing import Any

import hydra
from hydra.core.override_parser.overrides_parser import OverridesParser
from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException

from mmie.config import RunConfig, to_run_config
from mmie.resolvers import CONF

OTHERS = ("_target_", "types", "relations", "labels")  # what chains hold besides prompts
# A dotted key, which cannot choose a file; Hydra's own node is there only where it is asked for.
VALUE = re.compile(r"(?!hydra\.)\w+(\.\w+)+=")


def experiment_files() -> dict[str, Path]:
    """Every experiment's file by its name."""
    return {path.stem: path for path in sorted(CONF.glob("tasks/*/experiment/*.yaml"))}


@cache
def _composed(overrides: tuple[str, ...], conf: Path, *, whole: bool) -> DictConfig:
    with hydra.initialize_config_dir(str(conf), version_base="1.3"):
        return hydra.compose("config", list(overrides), return_hydra_config=whole)


def compose(*overrides: str, conf: Path = CONF, whole: bool = False) -> DictConfig:
    """The configuration with these overrides; ``whole`` keeps Hydra's node.

    Composing takes 0.15 s. So each choice of files is composed only once, and single values like
    ``sft.epochs=1`` are set in a copy of it, which is what Hydra does with them, too.
    """
    values = [override for override in overrides if VALUE.match(override)]
    files = tuple(override for override in overrides if override not in values)
    cfg = deepcopy(_composed(files, conf, whole=whole))
    try:
        for override in OverridesParser.create().parse_overrides(values):
            OmegaConf.update(cfg, override.key_or_group, override.value(), merge=True)
    except OmegaConfBaseException:
        return _composed(overrides, conf, whole=whole)  # which says it in Hydra's own words
    return cfg


def run_config(*overrides: str, conf: Path = CONF, artifacts: Path | None = None) -> RunConfig:
    """The checked configuration; ``artifacts`` is a folder of the test's own."""
    cfg = compose(*overrides, conf=conf)
    if artifacts is not None:
        cfg.artifacts = str(artifacts)
    return to_run_config(cfg)


def task_file(task: str) -> Any:
    """A task's own file: what it says of the task at the paper's scale."""
    return OmegaConf.load(CONF / "tasks" / task / "task" / f"{task}.yaml")


def prompts(task: str) -> dict[str, str]:
    """The teacher's prompts of a task, by the names under which its chains take them."""
    chains = OmegaConf.to_container(task_file(task).cot.chains)
    return {name: text for name, text in chains.items() if name not in OTHERS}


def instruction(task: str) -> str:
    """The task's instruction at the paper's scale."""
    return task_file(task).task.instruction


def reasoning_instruction() -> str:
    """What asks for think and answer blocks at the paper's scale (Figure 11)."""
    return OmegaConf.load(CONF / "config.yaml").reasoning_instruction
