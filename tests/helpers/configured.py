"""What the configuration files hold, for tests that build one part by hand."""

from __future__ import annotations

from pathlib import Path

from omegaconf import DictConfig, OmegaConf

CONF = Path(__file__).parents[2] / "conf"


def _file(task: str) -> DictConfig:
    return OmegaConf.load(CONF / "tasks" / task / "task" / f"{task}.yaml")


def prompts(task: str) -> dict[str, str]:
    """The teacher's prompts of a task, by the names under which its chains take them."""
    chains = OmegaConf.to_container(_file(task).cot.chains)
    return {
        name: text
        for name, text in chains.items()
        if name not in ("_target_", "types", "relations", "labels")
    }


def instruction(task: str) -> str:
    """The task's instruction at the paper's scale."""
    return _file(task).task.instruction


def reasoning_instruction() -> str:
    """What asks for think and answer blocks at the paper's scale (Figure 11)."""
    return OmegaConf.load(CONF / "config.yaml").reasoning_instruction
