"""The questions of the stage predict: one on the command line, or many in a file of JSON lines."""

from __future__ import annotations

import json
import sys
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from mmie.data.pictures import Track, untracked
from mmie.errors import InputError
from mmie.tasks.task import Task
from mmie.text import refuse_invalid_characters
from mmie.types import Example

STANDARD_INPUT = "-"
EMPTY: tuple[Any, ...] = (None, "", [])


@dataclass(frozen=True)
class Questions:
    """What the stage predict is to answer.

    Attributes:
        examples: the samples, without gold. One whose id is a number in the file has that number
            as ``extra["id"]``.
        unused: keys of the file that the task does not ask for → in how many lines.
    """

    examples: list[Example] = field(default_factory=list)
    unused: Mapping[str, int] = field(default_factory=dict)


def questions(predict: Mapping[str, Any], task: Task, *, track: Track = untracked) -> Questions:
    """The samples to answer, each checked as the data are.

    Args:
        predict: the section ``predict`` of the configuration. It holds one question, or ``file``:
            one JSON object per line with the keys of ``task.asked`` and an optional ``id``. A line
            without an id is named by its number. A relative path of a picture counts from the
            file's folder, or else from where the command runs.
        task: says which keys a question has and builds the sample.
        track: shows the progress over the lines.

    Raises:
        InputError: a line is no JSON object, a key is missing or its value cannot be used, an id
            occurs twice, there is no question, or there is one beside the file. The message is
            about the first such line and says how many others there are.
    """
    file = predict.get("file")
    if file is None:
        return Questions([_question({**predict, "id": "predict"}, "predict.", task)])
    for key in task.asked:
        if predict.get(key) not in EMPTY:
            reason = "predict.file brings its own; leave one of the two out"
            raise InputError(f"predict.{key}: {reason}")
    return _File(file, task).read(track)


class _File:
    """A file of questions while it is read."""

    def __init__(self, file: str, task: Task) -> None:
        self.file, self.task = file, task
        self.name = "standard input" if file == STANDARD_INPUT else file
        self.folder = "" if file == STANDARD_INPUT else str(Path(file).parent)
        self.examples: dict[str, Example] = {}
        self.unused: Counter[str] = Counter()

    def read(self, track: Track) -> Questions:
        """Every line is checked before one is answered."""
        problems = []
        for number, line in track(list(self._lines()), "checking the questions"):
            try:
                self._add(f"{self.name}:{number}: ", number, line)
            except InputError as error:
                problems.append(str(error))
        if problems:
            count = f" (bad lines in all: {len(problems):,})" if len(problems) > 1 else ""
            raise InputError(problems[0] + count)
        if not self.examples:
            reason = "no line in it; write one JSON object per line"
            raise InputError(f"predict.file={self.file}: {reason}")
        return Questions(list(self.examples.values()), self.unused)

    def _lines(self) -> Iterator[tuple[int, bytes]]:
        for number, line in enumerate(_content(self.file).splitlines(), start=1):
            if line.strip():
                yield number, line

    def _add(self, where: str, number: int, line: bytes) -> None:
        row = _object(line, where)
        name = _name(row.get("id"), where, number)
        if name in self.examples:
            raise InputError(f"{where}id: {name!r} stands twice; give each line an id of its own")
        unused = [key for key in row if key not in (*self.task.asked, "id")]
        question = {**row, "id": name, "folder": self.folder}
        example = _question(question, where, self.task, unused)
        if isinstance(row.get("id"), int):
            example = replace(example, extra={**example.extra, "id": row["id"]})
        self.examples[name] = example
        self.unused.update(unused)


def _question(
    row: Mapping[str, Any], where: str, task: Task, unused: Sequence[str] = ()
) -> Example:
    for key in task.asked:
        if row.get(key) in EMPTY:
            instead = f" (not asked for: {', '.join(unused)})" if unused else ""
            raise InputError(f"{where}{key}: the stage predict needs it; give it there{instead}")
    return task.question(row, where)


def _name(given: Any, where: str, number: int) -> str:
    """The id of a question, or the number of its line if it has none."""
    if given is None:
        return str(number)
    if isinstance(given, bool) or not isinstance(given, (str, int)):
        raise InputError(f"{where}id: {given!r} is neither text nor a whole number; correct it")
    refuse_invalid_characters(str(given), f"{where}id")
    return str(given)


def _object(line: bytes, where: str) -> Mapping[str, Any]:
    try:
        row = json.loads(line.decode("utf-8-sig"))
    except (ValueError, RecursionError) as error:
        raise InputError(f"{where}no JSON in UTF-8; write one object per line") from error
    if not isinstance(row, dict):
        raise InputError(f'{where}no JSON object; write {{"text": …, "image": …}}')
    return row


def _content(file: str) -> bytes:
    if file == STANDARD_INPUT:
        return sys.stdin.buffer.read()
    try:
        return Path(file).read_bytes()
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or error
        what = f"predict.file={file}: cannot be read ({reason})"
        raise InputError(f"{what}; give the path of a file") from error
