"""What the configuration files hold, for tests that build one part by hand."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from omegaconf import OmegaConf

from mmie.resolvers import CONF

OTHERS = ("_target_", "types", "relations", "labels")  # what chains hold besides prompts


def experiment_files() -> dict[str, Path]:
    """Every experiment's file by its name."""
    return {path.stem: path for path in sorted(CONF.glob("tasks/*/experiment/*.yaml"))}


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
