"""The door at which YAML ends: below it there are only checked Python values.

Values stand in ``conf/`` and types in ``mmie.settings``, neither twice. Closed sets of numbers are
dataclasses; open sets of things are nodes with a ``_target_`` inside mmie, held against that
target's signature.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import nullcontext
from dataclasses import asdict
from typing import Any

from hydra import compose, initialize_config_dir
from hydra.core.config_store import ConfigStore
from hydra.core.global_hydra import GlobalHydra
from hydra.errors import HydraException
from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException

from mmie.checks import foreign, locate, out_of_range, parts_of_other_tasks
from mmie.contradictions import ON_DEMAND, STAGES, contradictions
from mmie.errors import InputError
from mmie.resolvers import CONF
from mmie.settings import EvaluationConfig, GRPOConfig, RunConfig, SFTConfig, TrainerConfig

__all__ = [
    "CONF",
    "ON_DEMAND",
    "STAGES",
    "DictConfig",
    "EvaluationConfig",
    "GRPOConfig",
    "InputError",
    "RunConfig",
    "SFTConfig",
    "TrainerConfig",
    "node",
    "shipped",
    "to_run_config",
]

OWN_RESOLVER = "InputError raised while resolving interpolation: "  # OmegaConf says so

ConfigStore.instance().store(name="run_config", node=RunConfig)


def to_run_config(cfg: DictConfig) -> RunConfig:
    """The composed configuration, resolved and checked, as plain Python values.

    Raises:
        InputError: a value is missing, out of range, contradicts another or fits no target. The
            message is one line and begins with the full key.
    """
    try:
        _refuse(parts_of_other_tasks(OmegaConf.to_container(cfg)))
        run = OmegaConf.to_object(cfg)
    except OmegaConfBaseException as error:
        line = str(error).splitlines()[0].removeprefix(OWN_RESOLVER)
        raise InputError(f"{error.full_key or 'configuration'}: {line}") from error
    assert isinstance(run, RunConfig)
    _refuse(foreign("", asdict(run)))
    _refuse(out_of_range(run))
    _refuse(contradictions(run))
    return run


def _refuse(problems: Iterator[str]) -> None:
    """Raises the first of the problems, if there is one."""
    for problem in problems:
        raise InputError(problem)


def shipped(*overrides: str) -> RunConfig:
    """The configuration that ``python run.py`` runs with these overrides.

    Code that needs a whole set of values without a run of its own, like the benchmark, takes them
    from here, so that ``conf/`` stays the only place where they stand.

    Raises:
        InputError: see ``to_run_config``.
    """
    # A job of Hydra's has its own search path already, and Hydra refuses a second one beside it.
    running = GlobalHydra.instance().is_initialized()
    with nullcontext() if running else initialize_config_dir(str(CONF), version_base="1.3"):
        try:
            composed = compose("config", list(overrides))
        except (HydraException, OmegaConfBaseException) as error:
            raise InputError(f"{str(error).splitlines()[0]}; correct the overrides") from error
    return to_run_config(composed)


def node(value: Mapping[str, Any], **extra: Any) -> Any:
    """The object that an open node describes, built with the extra arguments.

    Its own errors arrive as they are. Nodes inside it are built first. Unlike Hydra's
    ``instantiate`` this takes every other value as it is. Text that reads like an interpolation or
    an instruction stays text, so that nothing runs that ``to_run_config`` has not seen.
    """
    target = locate("_target_", value["_target_"])
    arguments = {name: _built(argument) for name, argument in value.items() if name != "_target_"}
    return target(**arguments, **extra)


def _built(value: Any) -> Any:
    if isinstance(value, Mapping):
        if "_target_" in value:
            return node(value)
        return {name: _built(inner) for name, inner in value.items()}
    return [_built(inner) for inner in value] if isinstance(value, list) else value
