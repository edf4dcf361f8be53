"""The labels of the papers' data, as the configuration lists them."""

from __future__ import annotations

from omegaconf import DictConfig, OmegaConf

from mmie.config import CONF
from mmie.tasks.jmere.relations import relation_pairs


def _task(name: str) -> DictConfig:
    return OmegaConf.load(CONF / "tasks" / name / "task" / f"{name}.yaml").task


TYPES = tuple(_task("jmere").types)
RELATIONS = relation_pairs(_task("jmere").relations)  # with blanks for underscores
LABELS = tuple(_task("more").labels)
