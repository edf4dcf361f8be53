"""What a field of the configuration says of itself: its range, and the stage keys it belongs to."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import MISSING, field
from math import inf
from typing import Any

# Which stage keys a field belongs to: all that its section goes into, none, or the named stages.
Key = bool | tuple[str, ...]
TRAININGS = ("sft", "grpo")
_NOT_IN_KEY = "not in key"  # in a field's metadata: the value at which the field is in no key


def at_least(bound: float, *, key: Key = True) -> Any:
    return _field(f"at least {bound}", lambda value: bound <= value < inf, key=key)


def optional(rule: Any) -> Any:
    """A field with this rule that is in the keys only where it is not None; see ``switch``."""
    return field(metadata={**rule.metadata, _NOT_IN_KEY: None})


def above(bound: float, *, key: Key = True) -> Any:
    return _field(f"above {bound}", lambda value: bound < value < inf, key=key)


def share(*, key: Key = True) -> Any:
    return _field("0 or more and below 1", lambda value: 0 <= value < 1, key=key)


def inner_share(*, key: Key = True) -> Any:
    return _field("above 0 and below 1", lambda value: 0 < value < 1, key=key)


def one_of(*words: str, key: Key = True) -> Any:
    return _field(f"one of {', '.join(words)}", lambda value: value in words, key=key)


def anything(*, key: Key) -> Any:
    """A field whose type is its only rule."""
    return field(metadata={"key": key})


def switch() -> Any:
    """An option that is in the keys only where it is on.

    What was computed before there was this option keeps its key.
    """
    return field(metadata={"key": True, _NOT_IN_KEY: False})


def left_out(metadata: Mapping[str, Any], value: Any) -> bool:
    """Whether a field is in no key because of its value, see ``switch``."""
    return bool(value == metadata.get(_NOT_IN_KEY, MISSING))


def _field(rule: str, holds: Callable[[Any], bool], *, key: Key) -> Any:
    return field(metadata={"rule": rule, "holds": holds, "key": key})
