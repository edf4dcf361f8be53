"""Files that are whole or not there, and disk trouble as one line."""

from __future__ import annotations

import hashlib
import json
import os
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, is_dataclass
from pathlib import Path
from typing import Any

from mmie.errors import InputError

LONGEST_NAME = 100  # characters of a slug; file systems take 255 bytes


def slug(name: str) -> str:
    """A name from anywhere as one part of a path: lower-case letters, digits, hyphens; never empty.

    What is left out makes no difference, so that ``JMERE-R1`` and ``jmere r1`` are one. A name of
    other letters alone, or one that is too long, is told apart by a digest.
    """
    plain_name = re.sub(r"[^a-z0-9]+", "-", name.lower()).strip("-")
    if plain_name and len(plain_name) <= LONGEST_NAME:
        return plain_name
    mark = hashlib.sha256(name.encode(errors="surrogatepass")).hexdigest()[:12]
    return f"{plain_name[:LONGEST_NAME]}-{mark}".lstrip("-")


def write_json(path: Path, value: Any) -> None:
    """``write_text`` of indented JSON, a list of plain values on one line; dataclasses, tuples and paths as in ``fingerprint``."""
    write_text(path, _indented(plain(value), "") + "\n")


def _indented(value: Any, margin: str) -> str:
    inner = margin + "  "
    if isinstance(value, dict) and value:
        lines = [f"{inner}{json.dumps(key, ensure_ascii=False)}: {_indented(entry, inner)}" for key, entry in value.items()]
        return "{\n" + ",\n".join(lines) + f"\n{margin}}}"
    if isinstance(value, list) and any(isinstance(entry, dict) for entry in value):
        return "[\n" + ",\n".join(f"{inner}{_indented(entry, inner)}" for entry in value) + f"\n{margin}]"
    return json.dumps(value, ensure_ascii=False, allow_nan=False)


def write_text(path: Path, text: str) -> None:
    """The file holds the whole text or what it held before, whatever happens meanwhile; missing folders are made.

    Raises:
        InputError: the folder cannot be written, or the disk is full.
    """
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    with disk_errors(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        try:
            with temporary.open("wb") as file:
                file.write(text.encode(errors="backslashreplace"))  # a lone surrogate becomes its JSON escape
                file.flush()
                os.fsync(file.fileno())
            os.replace(temporary, path)
        finally:
            temporary.unlink(missing_ok=True)


def whole_lines(path: Path) -> list[Any]:
    """The JSON value of every line of a file that is written line by line; a torn end is cut off. Empty where there is none."""
    if not path.exists():
        return []
    values, size = [], 0
    with path.open("r+b") as file:
        for line in file:
            if not line.endswith(b"\n"):
                break
            values.append(json.loads(line))
            size += len(line)
        file.truncate(size)
    return values


def plain(value: Any) -> Any:
    """The value in JSON's own types.

    Raises:
        TypeError: a mapping has a key that is no string.
    """
    if is_dataclass(value) and not isinstance(value, type):
        return plain(asdict(value))
    if isinstance(value, Mapping):
        if not all(isinstance(key, str) for key in value):
            raise TypeError(f"keys must be strings: {list(value)}")
        return {key: plain(entry) for key, entry in value.items()}
    if isinstance(value, (list, tuple)):
        return [plain(entry) for entry in value]
    return str(value) if isinstance(value, Path) else value


@contextmanager
def disk_errors(path: Path, *, only: set[int] | None = None) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        if only is not None and error.errno not in only:
            raise
        reason = f"cannot be written ({error.strerror})"
        raise InputError(f"{path}: {reason}; make room there or choose another folder") from error
