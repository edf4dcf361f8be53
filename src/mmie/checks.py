"""Checks of single configuration values: ranges of fields, and nodes against their signatures."""

from __future__ import annotations

import inspect
from collections.abc import Collection, Iterator, Mapping
from dataclasses import fields, is_dataclass
from importlib import import_module
from pathlib import Path
from types import NoneType, UnionType
from typing import Annotated, Any, get_args, get_origin

from mmie.errors import InputError
from mmie.templates import Places

OWN = ("mmie.",)
HYDRAS = ("hydra.", "hydra_plugins.", "optuna.", *OWN)  # what may stand under the key hydra
INSTRUCTIONS = ("_args_", "_partial_", "_recursive_", "_convert_")  # to hydra.utils.instantiate
PLAIN: dict[Any, tuple[type, ...]] = {  # annotation → what a configuration may hold for it
    int: (int,),
    float: (int, float),
    str: (str,),
    bool: (bool,),
    Path: (str,),
    NoneType: (NoneType,),
}


def out_of_range(section: Any, prefix: str = "") -> Iterator[str]:
    """One line for each field whose value breaks its rule, in a dataclass and in those inside it.

    None breaks no rule.
    """
    for entry in fields(section):
        value = getattr(section, entry.name)
        inner = value if isinstance(value, dict) else {}
        for name, part in inner.items():
            if is_dataclass(part):
                yield from out_of_range(part, f"{prefix}{entry.name}.{name}.")
        if is_dataclass(value):
            yield from out_of_range(value, f"{prefix}{entry.name}.")
        elif value is not None and "rule" in entry.metadata and not entry.metadata["holds"](value):
            rule = entry.metadata["rule"]
            yield f"{prefix}{entry.name}: {value!r} is out of range; it must be {rule}"


def foreign(key: str, value: Any, *, allowed: tuple[str, ...] = OWN) -> Iterator[str]:
    """One line for each place in a tree of values, at any depth, that asks for code from elsewhere.

    Args:
        key: the full key of the tree; "" for a whole configuration.
        value: mappings, lists and plain values.
        allowed: how the paths of targets may begin.
    """
    for place, node in _mappings(key, value):
        at = f"{place}." if place else ""
        if "_target_" in node and not str(node["_target_"]).startswith(allowed):
            whose = " or ".join(f"'{beginning}'" for beginning in allowed)
            yield f"{at}_target_: {node['_target_']} is outside mmie; targets begin with {whose}"
        for name in node.keys() & set(INSTRUCTIONS) if allowed is OWN else ():
            yield f"{at}{name}: it is no argument but an instruction to Hydra; remove it"


def parts_of_other_tasks(values: Any) -> Iterator[str]:
    """One line for each node that belongs to another task than the configured one.

    Parts in ``mmie.tasks.<name>`` fit only the task of that folder. All other parts belong to the
    engine and fit every task.

    Args:
        values: the whole configuration as plain values; it need not be resolved.
    """
    task = task_of(values["task"])
    for key, node in _mappings("", values):
        owner = task_of(node)
        if owner not in (None, task):
            part = f"{node['_target_']} is a part of the task {owner}, and this is the task {task}"
            yield f"{key}: {part}; choose another {key.partition('.')[0]}, or task={owner}"


def task_of(node: Any) -> str | None:
    """The task in whose folder the class of a node lies."""
    path = str(node.get("_target_")).split(".") if isinstance(node, Mapping) else []
    return path[2] if path[:2] == ["mmie", "tasks"] and len(path) > 4 else None


def misfits(key: str, value: Any, *, added: Collection[str] = ()) -> Iterator[str]:
    """One line for each argument of a node that does not fit its target.

    The target does not take it, needs it and lacks it, or takes another plain type.

    Args:
        key: the node's full key.
        value: the node: its arguments, and ``_target_``, the path of a class or function of mmie's.
        added: arguments that code will add, so that the node must not hold them.

    Raises:
        InputError: the target cannot be imported, or is not defined in mmie.
    """
    path = value.get("_target_") if isinstance(value, Mapping) else None
    if not isinstance(path, str):
        yield f"{key}._target_: missing; a node names a class inside mmie"
        return
    parameters = _parameters(f"{key}._target_", path)
    taken = [name for name in parameters if name not in added]
    arguments = {name: argument for name, argument in value.items() if name != "_target_"}
    for name, argument in arguments.items():
        if name not in taken:
            known = ", ".join(taken) or "none"
            yield f"{key}.{name}: {path} takes no such argument here; it takes {known}"
        elif not _is(argument, parameters[name].annotation):
            wanted = " or ".join(_name(one) for one in _members(parameters[name].annotation))
            yield f"{key}.{name}: {argument!r} is no {wanted}"
        else:
            yield from _inner_misfits(f"{key}.{name}", argument)
    for name in taken:
        if parameters[name].default is inspect.Parameter.empty and name not in arguments:
            yield f"{key}.{name}: missing; {path} needs it"


def misfilled_prompts(key: str, value: Mapping[str, Any]) -> Iterator[str]:
    """One line for each prompt of the node that lacks a place or has one that nothing fills.

    The ``Places`` in the target's annotations say which arguments are prompts. The node must be
    free of ``misfits``.
    """
    for name, parameter in _parameters(f"{key}._target_", value["_target_"]).items():
        for places in getattr(parameter.annotation, "__metadata__", ()):
            if isinstance(places, Places) and name in value:
                yield from prompt_problem(f"{key}.{name}", value[name], places)


def prompt_problem(key: str, prompt: str, places: Places) -> Iterator[str]:
    """At most one line: what is wrong with the places of a configured prompt."""
    problem = places.problem(prompt)
    if problem is not None:
        yield f"{key}: {problem}"


def _inner_misfits(key: str, argument: Any) -> Iterator[str]:
    """The misfits of the nodes in an argument, however deep they lie."""
    for place, inner in _mappings(key, argument):
        if "_target_" in inner:
            yield from misfits(place, inner)


def _mappings(key: str, value: Any) -> Iterator[tuple[str, Mapping[Any, Any]]]:
    """Every mapping of a tree with its full key, the outer ones first."""
    if isinstance(value, Mapping):
        yield key, value
        for name, inner in value.items():
            yield from _mappings(f"{key}.{name}" if key else str(name), inner)
    elif isinstance(value, (list, tuple)):
        for index, inner in enumerate(value):
            yield from _mappings(f"{key}[{index}]", inner)


def _parameters(key: str, path: str) -> Mapping[str, inspect.Parameter]:
    target = locate(key, path)
    try:
        return inspect.signature(target, eval_str=True).parameters
    except (ValueError, TypeError, NameError) as error:
        raise InputError(f"{key}: {path} is no part that can be configured ({error})") from error


def locate(key: str, path: str) -> Any:
    """The class or function behind a path.

    Raises:
        InputError: it is not there, or it is defined outside mmie, even where a module
            of mmie's imports it.
    """
    if not path.startswith(OWN):
        raise InputError(f"{key}: {path} is outside mmie; targets begin with 'mmie.'")
    module, _, name = path.rpartition(".")
    try:
        target = getattr(import_module(module), name)
    except (ImportError, AttributeError, ValueError) as error:
        raise InputError(f"{key}: {path} cannot be imported ({error})") from error
    defined = inspect.isclass(target) or inspect.isfunction(target)
    if not defined or not target.__module__.startswith(OWN):
        raise InputError(f"{key}: {path} is no class or function of mmie's own")
    return target


def _is(argument: Any, annotation: Any) -> bool:
    """Whether the argument has one of the annotated types, where all are plain; True is no int."""
    members = _members(annotation)
    if not all(member in PLAIN for member in members):
        return True
    if isinstance(argument, bool):
        return bool in members
    return any(isinstance(argument, PLAIN[member]) for member in members)


def _members(annotation: Any) -> tuple[Any, ...]:
    """The types of a union; otherwise the one type."""
    if get_origin(annotation) is Annotated:
        annotation = get_args(annotation)[0]
    return get_args(annotation) if isinstance(annotation, UnionType) else (annotation,)


def _name(member: Any) -> str:
    return {Path: "path", NoneType: "null"}.get(member, member.__name__)
