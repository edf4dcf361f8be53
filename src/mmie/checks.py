"""What can be said of one configuration value alone: the ranges of fields, the signatures behind open nodes."""

from __future__ import annotations

import inspect
from collections.abc import Collection, Iterator, Mapping
from dataclasses import field, fields, is_dataclass
from importlib import import_module
from math import inf
from typing import Annotated, Any, get_args, get_origin

from mmie.errors import InputError
from mmie.templates import Places

PLAIN: dict[Any, tuple[type, ...]] = {int: (int,), float: (int, float), str: (str,), bool: (bool,)}


def at_least(bound: float) -> Any:
    return field(metadata={"rule": f"at least {bound}", "holds": lambda value: bound <= value < inf})


def above(bound: float) -> Any:
    return field(metadata={"rule": f"above {bound}", "holds": lambda value: bound < value < inf})


def share() -> Any:
    return field(metadata={"rule": "0 or more and below 1", "holds": lambda value: 0 <= value < 1})


def inner_share() -> Any:
    return field(metadata={"rule": "above 0 and below 1", "holds": lambda value: 0 < value < 1})


def one_of(*words: str) -> Any:
    return field(metadata={"rule": f"one of {', '.join(words)}", "holds": lambda value: value in words})


def out_of_range(section: Any, prefix: str = "") -> Iterator[str]:
    """One line for each field of a dataclass, and of those inside it, whose value breaks its rule; None breaks none."""
    for entry in fields(section):
        value = getattr(section, entry.name)
        if is_dataclass(value):
            yield from out_of_range(value, f"{prefix}{entry.name}.")
        elif value is not None and "rule" in entry.metadata and not entry.metadata["holds"](value):
            yield f"{prefix}{entry.name}: {value!r} is out of range; it must be {entry.metadata['rule']}"


def misfits(key: str, value: Any, *, added: Collection[str] = ()) -> Iterator[str]:
    """One line for each argument that the node's target does not take, needs and lacks, or takes in another plain type.

    Args:
        key: the node's full key.
        value: the node: ``_target_``, the path of a class or function inside mmie, and its arguments.
        added: arguments that code will add, so that the node must not hold them.

    Raises:
        InputError: the target cannot be had, or is none of mmie's.
    """
    path = value.get("_target_") if isinstance(value, Mapping) else None
    if not isinstance(path, str):
        yield f"{key}._target_: missing; a node names a class inside mmie"
        return
    parameters = inspect.signature(_locate(f"{key}._target_", path), eval_str=True).parameters
    taken = [name for name in parameters if name not in added]
    arguments = {name: argument for name, argument in value.items() if name != "_target_"}
    for name, argument in arguments.items():
        if name not in taken:
            yield f"{key}.{name}: {path} takes no such argument here; it takes {', '.join(taken) or 'none'}"
        elif not _is(argument, parameters[name].annotation):
            yield f"{key}.{name}: {argument!r} is no {parameters[name].annotation.__name__}"
        elif isinstance(argument, Mapping) and "_target_" in argument:
            yield from misfits(f"{key}.{name}", argument)
    for name in taken:
        if parameters[name].default is inspect.Parameter.empty and name not in arguments:
            yield f"{key}.{name}: missing; {path} needs it"


def misplaced(key: str, value: Mapping[str, Any]) -> Iterator[str]:
    """One line for each prompt of the node that lacks a place or has one that nothing fills.

    Which arguments are prompts, the ``Places`` in the target's annotations say. The node must be
    free of ``misfits``.
    """
    target = _locate(f"{key}._target_", value["_target_"])
    for name, parameter in inspect.signature(target, eval_str=True).parameters.items():
        for places in getattr(parameter.annotation, "__metadata__", ()):
            if isinstance(places, Places) and name in value:
                yield from prompt_problem(f"{key}.{name}", value[name], places)


def prompt_problem(key: str, prompt: str, places: Places) -> Iterator[str]:
    """At most one line: what is wrong with the places of a configured prompt."""
    problem = places.problem(prompt)
    if problem is not None:
        yield f"{key}: {problem}"


def _locate(key: str, path: str) -> Any:
    if not path.startswith("mmie."):
        raise InputError(f"{key}: {path} is outside mmie; targets begin with 'mmie.'")
    module, _, name = path.rpartition(".")
    try:
        target = getattr(import_module(module), name)
    except (ImportError, AttributeError) as error:
        raise InputError(f"{key}: {path} cannot be imported ({error})") from error
    if not callable(target) or not target.__module__.startswith("mmie."):
        raise InputError(f"{key}: {path} is no class or function of mmie's own")
    return target


def _is(argument: Any, annotation: Any) -> bool:
    """Whether the argument has the annotated type, where that is a plain one; True is no int."""
    if get_origin(annotation) is Annotated:
        annotation = get_args(annotation)[0]
    allowed = PLAIN.get(annotation) if isinstance(annotation, type) else None
    return allowed is None or (isinstance(argument, allowed) and isinstance(argument, bool) == (annotation is bool))
