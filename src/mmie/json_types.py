"""JSON to dataclasses and back. The type hints of the fields say what a file may hold, once."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import MISSING, fields, is_dataclass
from functools import cache
from pathlib import Path
from types import NoneType, UnionType
from typing import Any, TypeVar, get_args, get_origin, get_type_hints

from mmie.errors import InputError
from mmie.files import parse_json

LARGEST = 10**15  # no number of a run is larger; a larger one would overflow in a figure
SHOWN = 40  # characters of a wrong value in a message
SINGLE: dict[Any, tuple[tuple[type, ...], str]] = {
    str: ((str,), "text"),
    bool: ((bool,), "true or false"),
    int: ((int,), "a whole number, 0 or more"),
    float: ((int, float), "a number"),
}
T = TypeVar("T")


class ShapeError(ValueError):
    """A value has another shape; the message begins with its key."""


def read_json(kind: type[T], path: Path, *, what: str, advice: str, earlier: str = "") -> T:
    """The file's content as ``kind``. Half a character (a lone surrogate) in it becomes ``?``.

    Args:
        kind: see ``from_json``.
        path: the file.
        what: the kind of file, for messages.
        advice: what to do about a broken one.
        earlier: a key that only files of an earlier layout have.

    Raises:
        InputError: the file cannot be read or holds something else; names the file and the key.
    """
    try:
        value = parse_json(path.read_bytes())
        if isinstance(value, dict) and earlier in value:
            raise ShapeError(f"it has the key {earlier} of an earlier version")
        repaired = json.dumps(value, ensure_ascii=False).encode(errors="replace")
        made: T = from_json(kind, parse_json(repaired))
        return made
    except ShapeError as error:
        raise InputError(f"{path}: not {what}, {error}; {advice}") from error
    except (OSError, ValueError) as error:
        reason = shortened(error)
        raise InputError(f"{path}: cannot be read as {what} ({reason}); {advice}") from error


def from_json(kind: Any, value: Any, key: str = "") -> Any:
    """The value as ``kind``, checked down to its single values.

    Args:
        kind: str, bool, int (0 or more), float, Any, ``X | None``, ``tuple[X, ...]``,
            ``tuple[X, Y]``, ``dict[str, X]``, a NamedTuple or a dataclass. Of a dataclass, fields
            with a default may be absent, and keys that are not fields are ignored.
        value: as ``json.loads`` gives it.
        key: where the value stands, for messages.

    Raises:
        ShapeError: the value does not fit.
    """
    if kind in SINGLE:
        return _single(kind, value, key)
    if isinstance(kind, UnionType):
        (inner,) = set(get_args(kind)) - {NoneType}
        return None if value is None else from_json(inner, value, key)
    if get_origin(kind) is tuple or hasattr(kind, "_fields"):
        return _tuple(kind, value, key)
    if get_origin(kind) is dict:
        inner = get_args(kind)[1]
        items = _mapping(value, key).items()
        return {name: from_json(inner, entry, _inner(key, name)) for name, entry in items}
    return _record(kind, value, key) if is_dataclass(kind) else value


def to_json(value: Any) -> Any:
    """What ``from_json`` reads; fields that have their default are left out."""
    if is_dataclass(value):
        entries = ((field, getattr(value, field.name)) for field in fields(value))
        return {
            field.name: to_json(entry)
            for field, entry in entries
            if field.default is MISSING or entry != field.default
        }
    if isinstance(value, dict):
        return {name: to_json(entry) for name, entry in value.items()}
    return [to_json(entry) for entry in value] if isinstance(value, (tuple, list)) else value


def shortened(value: object) -> str:
    """One line of at most ``SHOWN`` characters."""
    line = " ".join(str(value).split())
    return line if len(line) <= SHOWN else f"{line[:SHOWN]}…"


def _single(kind: Any, value: Any, key: str) -> Any:
    types, name = SINGLE[kind]
    good = type(value) in types
    if good and kind in (int, float):
        good = (0 if kind is int else -LARGEST) <= value <= LARGEST  # not so for NaN
    _require(good, value, key, name)
    return value


def _tuple(kind: Any, value: Any, key: str) -> Any:
    _require(isinstance(value, list), value, key, "a list")
    named = hasattr(kind, "_fields")
    kinds = tuple(_hints(kind).values()) if named else get_args(kind)
    if kinds[1:] == (...,):
        kinds = kinds[:1] * len(value)
    _require(len(value) == len(kinds), value, key, f"a list of {len(kinds)}")
    places = enumerate(zip(kinds, value, strict=True))
    entries: Iterable[Any] = (from_json(of, entry, f"{key}[{at}]") for at, (of, entry) in places)
    return kind(*entries) if named else tuple(entries)


def _record(kind: Any, value: Any, key: str) -> Any:
    found = _mapping(value, key)
    hints, given = _hints(kind), {}
    for field in fields(kind):
        where = _inner(key, field.name)
        if field.name in found:
            given[field.name] = from_json(hints[field.name], found[field.name], where)
        elif field.default is MISSING:
            raise ShapeError(f"{where} is missing")
    try:
        return kind(**given)
    except ShapeError:
        raise
    except ValueError as error:  # from __post_init__
        raise ShapeError(f"{key or 'the whole'}: {error}") from error


def _mapping(value: Any, key: str) -> dict[str, Any]:
    _require(isinstance(value, dict), value, key, "a mapping")
    return value


def _require(good: bool, value: Any, key: str, expected: str) -> None:
    if not good:
        shown = shortened(json.dumps(value, ensure_ascii=False))
        raise ShapeError(f"{key or 'the whole'} is {shown} and not {expected}")


def _inner(key: str, name: str) -> str:
    return f"{key}.{shortened(name)}" if key else shortened(name)


_hints = cache(get_type_hints)
