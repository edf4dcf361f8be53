"""Text files of one Python literal a line, as MNRE-2 and MORE come."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from mmie.errors import InputError

MAX_LINE = 1 << 16  # bytes; a line of the data has some hundred


def literals(path: Path) -> Iterator[tuple[str, Any]]:
    """``file:line`` and the value of each line that is not blank.

    Raises:
        InputError: a line is no literal, or longer than ``MAX_LINE``.
    """
    with path.open("rb") as file:
        for number, line in enumerate(iter(lambda: file.readline(MAX_LINE + 1), b""), start=1):
            where = f"{path}:{number}"
            if len(line) > MAX_LINE:
                raise InputError(f"{where}: longer than {MAX_LINE:,} bytes; this is no line of the data")
            if line.strip():
                yield where, _literal(line, where)


def _literal(line: bytes, where: str) -> Any:
    try:
        return ast.literal_eval(line.decode("utf-8-sig").strip())
    except (ValueError, SyntaxError, TypeError, MemoryError, RecursionError) as error:
        raise InputError(f"{where}: not a Python literal in UTF-8; correct or remove the line") from error
