"""What the files of ``conf/`` can ask for in a value: ``${scale:…}``, ``${times:…}`` and more.

Hydra and OmegaConf know these names as soon as this module is imported.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from omegaconf import DictConfig, OmegaConf

from mmie.errors import InputError

CONF = Path(__file__).parents[2] / "conf"  # of the checkout


def scale(values: Mapping[str, Any], *, _root_: DictConfig) -> Any:
    """The value of the chosen profile: ``${scale:{toy:8,paper:20,small:3}}``.

    In a defaults list it chooses a file; the root then holds the choices of the groups.

    Raises:
        InputError: there is no value for this profile.
    """
    profile = _root_.profile
    if profile not in values:
        raise InputError(f"no value for profile={profile}; there is one for {', '.join(values)}")
    return values[profile]


def task_folders() -> list[str]:
    """The folders of the tasks as Hydra's search path takes them."""
    folders = [path for path in (CONF / "tasks").iterdir() if path.is_dir()]
    return [folder.as_uri() for folder in sorted(folders)]


def times(value: float, factor: float) -> float:
    """A product, for ranges around what a profile sets."""
    return value * factor


OmegaConf.register_new_resolver("scale", scale, replace=True)
OmegaConf.register_new_resolver("task_folders", task_folders, replace=True)
OmegaConf.register_new_resolver("times", times, replace=True)
