"""What ``predict`` is asked: one question on the command line, or many in a file of JSON lines."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from mmie.data.pictures import clipped, upright_size, verify_pictures
from mmie.errors import InputError
from mmie.text import clean
from mmie.types import Example, Picture

STANDARD_INPUT = "-"


def questions(config: Mapping[str, Any], asked: Sequence[str]) -> list[Example]:
    """The samples to answer, without gold, each checked as the data are.

    Args:
        config: one question, or ``file``: one JSON object per line with the keys of ``asked`` and,
            where wanted, ``id``; other keys are left alone. A line without an id is called by its
            number.
        asked: what a question of the task consists of: image and text, in MORE entity and box, too.

    Raises:
        InputError: a line is no JSON object, a key is missing or its value cannot be used, an id
            stands twice, or there is no question.
    """
    if config["file"] is None:
        return [_question(config, "predict.", "predict", asked)]
    examples: dict[str, Example] = {}
    for where, number, row in _rows(config["file"]):
        name = str(number if row.get("id") is None else row["id"])
        if name in examples:
            raise InputError(f"{where}id: {name!r} stands twice; give each line an id of its own")
        examples[name] = _question(row, where, name, asked)
    if not examples:
        raise InputError(f"predict.file={config['file']}: no line in it; write one JSON object a line")
    return list(examples.values())


def _rows(file: str) -> Iterator[tuple[str, int, Mapping[str, Any]]]:
    shown = "standard input" if file == STANDARD_INPUT else file
    for number, line in enumerate(_content(file).splitlines(), start=1):
        if not line.strip():
            continue
        try:
            row = json.loads(line.decode("utf-8-sig"))
        except (ValueError, RecursionError) as error:
            reason = "no JSON in UTF-8; write one object per line"
            raise InputError(f"{shown}:{number}: {reason}") from error
        if not isinstance(row, dict):
            reason = 'no JSON object; write {"text": …, "image": …}'
            raise InputError(f"{shown}:{number}: {reason}")
        yield f"{shown}:{number}: ", number, row


def _content(file: str) -> bytes:
    if file == STANDARD_INPUT:
        return sys.stdin.buffer.read()
    try:
        return Path(file).read_bytes()
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or error
        what = f"predict.file={file}: cannot be read ({reason})"
        raise InputError(f"{what}; give the path of a file") from error


def _question(row: Mapping[str, Any], prefix: str, name: str, asked: Sequence[str]) -> Example:
    for key in asked:
        if row.get(key) in (None, "", []):
            raise InputError(f"{prefix}{key}: the stage predict needs it; give it there")
    text = _text(row, prefix, "text")
    picture = Picture(_picture(row, prefix))
    if "box" not in asked:
        return Example(name, text, (picture,), None)
    box = _box(row["box"], picture, f"{prefix}box")
    entity = _text(row, prefix, "entity")
    return Example(name, text, (picture, Picture(picture.path, box)), None, {"entity": entity})


def _text(row: Mapping[str, Any], prefix: str, key: str) -> str:
    if not isinstance(row[key], str):
        raise InputError(f"{prefix}{key}: {row[key]!r} is no text; put it into quotes")
    return clean(row[key], f"{prefix}{key}")


def _picture(row: Mapping[str, Any], prefix: str) -> Path:
    value = row["image"]
    try:
        path = Path(value)
        readable = not verify_pictures([path])
    except TypeError:
        readable = False
    if not readable:
        raise InputError(f"{prefix}image={value}: no readable picture there; give the path of one")
    return path


def _box(value: Any, picture: Picture, name: str) -> tuple[int, int, int, int]:
    whole = isinstance(value, list) and len(value) == 4 and all(type(edge) is int for edge in value)
    if not whole:
        reason = f"{value!r} is no left, upper, right, lower in pixels"
        raise InputError(f"{name}: {reason}; give four whole numbers")
    assert picture.path is not None
    size = upright_size(picture.path)
    left, upper, right, lower = value
    if clipped((left, upper, right, lower), size) is None:
        reason = f"{value} holds no pixel of the picture, whose size is {size}"
        raise InputError(f"{name}: {reason}; correct it")
    return left, upper, right, lower
