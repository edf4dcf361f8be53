"""``results.json``, rollouts and the notes of a sweep, as they are read.

A file may come from an older version or from elsewhere, so it is checked once, here, and whole: every
part that a table or a figure relies on has its shape in what ``read_results`` gives. Keys not
named here are left alone, and parts that older versions did not write may be absent.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from mmie.errors import InputError
from mmie.files import parse_json
from mmie.voting import OTHER_VOTING_KEYS

LARGEST = 10**15  # no number of a run is larger; what is would overflow in a figure
SHOWN = 40  # characters of a wrong value in a message

Shape = Callable[[Any, str], None]


class ShapeError(ValueError):
    """A part has another shape; the message begins with its key."""


def read_json(path: Path, shape: Shape, *, what: str, advice: str) -> dict[str, Any]:
    """A JSON file of the given shape; half a character (a lone surrogate) in it becomes ``?``.

    Args:
        path: the file.
        shape: raises ``ShapeError`` for anything else.
        what: the kind of file, for messages.
        advice: what to do about a broken one.

    Raises:
        InputError: it cannot be read, or holds something else; names the file and the key.
    """
    try:
        text_of_all = json.dumps(parse_json(path.read_bytes()), ensure_ascii=False)
        value = parse_json(text_of_all.encode(errors="replace"))  # half a character becomes "?"
    except (OSError, ValueError) as error:
        raise InputError(f"{path}: cannot be read as {what} ({_short(error)}); {advice}") from error
    try:
        shape(value, "")
    except ShapeError as error:
        raise InputError(f"{path}: no {what}, {error}; {advice}") from error
    return value


def read_results(path: Path) -> dict[str, Any]:
    """The results of a run.

    Raises:
        InputError: see ``read_json``.
    """
    advice = "leave the file out or run again"
    return read_json(path, RESULTS, what="results of a run", advice=advice)


def text(value: Any, key: str) -> None:
    _require(isinstance(value, str), value, key, "no text")


def flag(value: Any, key: str) -> None:
    _require(isinstance(value, bool), value, key, "neither true nor false")


def number(value: Any, key: str) -> None:
    _require(type(value) in (int, float) and -LARGEST <= value <= LARGEST, value, key, "no number")


def whole(value: Any, key: str) -> None:
    _require(type(value) is int and -LARGEST <= value <= LARGEST, value, key, "no whole number")


def count(value: Any, key: str) -> None:
    _require(type(value) is int and 0 <= value <= LARGEST, value, key, "no count")


def anything(value: Any, key: str) -> None:
    """Fits all values."""


def optional(shape: Shape) -> Shape:
    """The shape, or null."""

    def fits(value: Any, key: str) -> None:
        if value is not None:
            shape(value, key)

    return fits


def listing(shape: Shape) -> Shape:
    """A list of any length."""

    def fits(value: Any, key: str) -> None:
        _require(isinstance(value, list), value, key, "no list")
        for place, entry in enumerate(value):
            shape(entry, f"{key}[{place}]")

    return fits


def row(*shapes: Shape) -> Shape:
    """A list with one entry for each shape."""

    def fits(value: Any, key: str) -> None:
        good = isinstance(value, list) and len(value) == len(shapes)
        _require(good, value, key, f"no list of {len(shapes)}")
        for place, (shape, entry) in enumerate(zip(shapes, value, strict=True)):
            shape(entry, f"{key}[{place}]")

    return fits


def mapping(shape: Shape) -> Shape:
    """Any names, each with a value of the shape."""

    def fits(value: Any, key: str) -> None:
        _require(isinstance(value, dict), value, key, "no mapping")
        for name, entry in value.items():
            shape(entry, _inner(key, name))

    return fits


def record(needed: Mapping[str, Shape], known: Mapping[str, Shape] | None = None) -> Shape:
    """A mapping with the ``needed`` names; ``known`` ones may be absent or null."""

    def fits(value: Any, key: str) -> None:
        _require(isinstance(value, dict), value, key, "no mapping")
        for name, shape in needed.items():
            if name not in value:
                raise ShapeError(f"{_inner(key, name)} is missing")
            shape(value[name], _inner(key, name))
        for name, shape in (known or {}).items():
            if value.get(name) is not None:
                shape(value[name], _inner(key, name))

    return fits


def votes(value: Any, key: str) -> None:
    """The votes of a model: ``k``, ``per_relation``, and a curve over k for each way of voting."""
    record({"k": listing(number)}, {"per_relation": mapping(mapping(number))})(value, key)
    _require(all(k >= 1 for k in value["k"]), value["k"], f"{key}.k", "not all 1 or more")
    for way in value.keys() - set(OTHER_VOTING_KEYS):
        CURVE(value[way], _inner(key, way))
        for part in ("f1", "ci95"):
            found, at = value[way].get(part) or value["k"], f"{_inner(key, way)}.{part}"
            _require(len(found) == len(value["k"]), found, at, "not as long as k")


def rollout(value: Any, key: str) -> None:
    """A line of ``rollouts.jsonl``: single values, but for the pictures."""
    record({"step": count, "text": text, "response": text, "reward": optional(number)})(value, key)
    for name in value.keys() - {"text", "response", "image"}:
        single = value[name] is None or isinstance(value[name], (str, bool))
        if not single:
            number(value[name], _inner(key, name))


def _require(good: bool, value: Any, key: str, fault: str) -> None:
    if not good:
        shown = _short(json.dumps(value, ensure_ascii=False))
        raise ShapeError(f"{key or 'the whole'} is {shown} and {fault}")


def _short(value: object) -> str:
    line = " ".join(str(value).split())
    return line if len(line) <= SHOWN else f"{line[:SHOWN]}…"


def _inner(key: str, name: str) -> str:
    return f"{key}.{_short(name)}" if key else _short(name)


INTERVAL = row(number, number)
COUNTS = dict.fromkeys(("correct", "predicted", "gold"), count)
NUMBERS = dict.fromkeys(("precision", "recall", "f1", "accuracy"), number)
SCORES = record({}, {**NUMBERS, **COUNTS, "ci95": INTERVAL, "accuracy_ci95": INTERVAL})
CURVE = record({"f1": listing(number)}, {"ci95": listing(INTERVAL)})
BY_CLASS = mapping(record(COUNTS))
ANALYSIS = record(
    {},
    {
        "ids": text,
        "counts": mapping(listing(row(count, count, count))),
        "errors": mapping(count),
        "confusion": listing(row(text, text, count)),
        "per_relation": BY_CLASS,
        "per_type": BY_CLASS,
        "direction_blind": record(COUNTS),
    },
)
STAGE = record({}, {"seconds": number, "made_in": number, "cached": flag, "fingerprint": text})
CONFIG = record(
    {},
    {
        "model": record({}, {"path": text, "_target_": text}),
        "filter": mapping(anything),
        "grpo": record({}, {"group_size": count}),
    },
)
RESULTS = record(
    {
        "experiment": text,
        "task": text,
        "profile": text,
        "seed": whole,
        "commit": text,
        "models": mapping(mapping(SCORES)),
    },
    {
        "command": text,
        "date": text,
        "config_fingerprint": text,
        "config": CONFIG,
        "analysis": mapping(ANALYSIS),
        "stages": mapping(STAGE),
        "chains": mapping(number),
        "voting": mapping(votes),
        "metrics": mapping(SCORES),
    },
)
JOB = record(
    {
        "job": count,
        "overrides": listing(text),
        "folder": text,
        "seconds": number,
        "validation_f1": optional(number),
        "error": optional(text),
    }
)
JOB_RESULTS = record({"metrics": mapping(record({"f1": number, "ci95": INTERVAL}))})
