"""Text files of one Python literal per line, as MNRE-2 and MORE come; JSON lines are read, too."""

from __future__ import annotations

import ast
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from mmie.data.files import read_head, refuse_other_kinds
from mmie.errors import InputError

MAX_LINE = 1 << 16  # bytes; a line of the data has some hundred
BROKEN = (ValueError, SyntaxError, TypeError, MemoryError, RecursionError)


def literals(path: Path) -> Iterator[tuple[str, Any]]:
    """``file:line`` and the value of each line that is not blank.

    Raises:
        InputError: the file is of another kind or cannot be read; a line is no literal, or longer
            than ``MAX_LINE``.
    """
    refuse_other_kinds(path, read_head(path))
    with path.open("rb") as file:
        for number, line in enumerate(iter(lambda: file.readline(MAX_LINE + 1), b""), start=1):
            where = f"{path}:{number}"
            if len(line) > MAX_LINE:
                advice = "each sample must stand on a line of its own"
                raise InputError(f"{where}: longer than {MAX_LINE:,} bytes; {advice}")
            if line.strip():
                yield where, _value(line, where)


def _value(line: bytes, where: str) -> Any:
    try:
        text = line.decode("utf-8-sig").strip()
        return _literal(text)
    except BROKEN as error:
        raise InputError(
            f"{where}: not a Python literal in UTF-8; correct or remove the line"
        ) from error


def _literal(text: str) -> Any:
    try:
        return ast.literal_eval(text)
    except BROKEN:
        return json.loads(text)  # null, true and false are JSON's
