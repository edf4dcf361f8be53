"""The questions of the stage predict: one on the command line, or many in a file of JSON lines."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from mmie.errors import InputError
from mmie.tasks.task import Task
from mmie.text import refuse_invalid_characters
from mmie.types import Example

STANDARD_INPUT = "-"
EMPTY: tuple[Any, ...] = (None, "", [])


def questions(predict: Mapping[str, Any], task: Task) -> list[Example]:
    """The samples to answer, without gold, each checked as the data are.

    Args:
        predict: the section ``predict`` of the configuration. It holds one question, or ``file``:
            one JSON object per line with the keys of ``task.asked`` and an optional ``id``. Other
            keys are ignored. A line without an id is named by its number.
        task: says which keys a question has and builds the sample.

    Raises:
        InputError: a line is no JSON object, a key is missing or its value cannot be used, an id
            occurs twice, there is no question, or there is one beside the file.
    """
    file = predict.get("file")
    if file is None:
        return [_question({**predict, "id": "predict"}, "predict.", task)]
    for key in task.asked:
        if predict.get(key) not in EMPTY:
            reason = "predict.file brings its own; leave one of the two out"
            raise InputError(f"predict.{key}: {reason}")
    examples: dict[str, Example] = {}
    for where, number, row in _rows(file):
        name = _name(row.get("id"), where, number)
        if name in examples:
            raise InputError(f"{where}id: {name!r} stands twice; give each line an id of its own")
        examples[name] = _question({**row, "id": name}, where, task)
    if not examples:
        raise InputError(f"predict.file={file}: no line in it; write one JSON object per line")
    return list(examples.values())


def _question(row: Mapping[str, Any], where: str, task: Task) -> Example:
    for key in task.asked:
        if row.get(key) in EMPTY:
            raise InputError(f"{where}{key}: the stage predict needs it; give it there")
    return task.question(row, where)


def _name(given: Any, where: str, number: int) -> str:
    """The id of a question, or the number of its line if it has none."""
    if given is None:
        return str(number)
    if isinstance(given, bool) or not isinstance(given, (str, int)):
        raise InputError(f"{where}id: {given!r} is neither text nor a whole number; correct it")
    refuse_invalid_characters(str(given), f"{where}id")
    return str(given)


def _rows(file: str) -> Iterator[tuple[str, int, Mapping[str, Any]]]:
    name = "standard input" if file == STANDARD_INPUT else file
    for number, line in enumerate(_content(file).splitlines(), start=1):
        if not line.strip():
            continue
        try:
            row = json.loads(line.decode("utf-8-sig"))
        except (ValueError, RecursionError) as error:
            reason = "no JSON in UTF-8; write one object per line"
            raise InputError(f"{name}:{number}: {reason}") from error
        if not isinstance(row, dict):
            reason = 'no JSON object; write {"text": …, "image": …}'
            raise InputError(f"{name}:{number}: {reason}")
        yield f"{name}:{number}: ", number, row


def _content(file: str) -> bytes:
    if file == STANDARD_INPUT:
        return sys.stdin.buffer.read()
    try:
        return Path(file).read_bytes()
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or error
        what = f"predict.file={file}: cannot be read ({reason})"
        raise InputError(f"{what}; give the path of a file") from error
