"""Files that are whole or not there, and disk trouble as one line."""

from __future__ import annotations

import errno
import fcntl
import hashlib
import json
import logging
import os
import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, is_dataclass
from functools import cache
from pathlib import Path
from typing import Any

from mmie.errors import InputError

NO_LOCKS = {errno.ENOLCK, errno.ENOTSUP, errno.EOPNOTSUPP, errno.ENOSYS}
LONGEST_NAME = 100  # characters of a slug; file systems take 255 bytes
log = logging.getLogger(__name__)


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
    write_text(path, _indented(to_json_types(value), "") + "\n")


def _indented(value: Any, margin: str) -> str:
    inner = margin + "  "
    if isinstance(value, dict) and value:
        lines = [
            f"{inner}{json.dumps(key, ensure_ascii=False)}: {_indented(entry, inner)}"
            for key, entry in value.items()
        ]
        return "{\n" + ",\n".join(lines) + f"\n{margin}}}"
    if isinstance(value, list) and any(isinstance(entry, dict) for entry in value):
        return (
            "[\n"
            + ",\n".join(f"{inner}{_indented(entry, inner)}" for entry in value)
            + f"\n{margin}]"
        )
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
                file.write(
                    text.encode(errors="backslashreplace")
                )  # a lone surrogate becomes its JSON escape
                file.flush()
                os.fsync(file.fileno())
            os.replace(temporary, path)
        finally:
            temporary.unlink(missing_ok=True)


def lock(descriptor: int, path: Path, *, wait: bool = True) -> None:
    """Takes the file's lock; on file systems without locks it warns once and goes on.

    Args:
        descriptor: of the open file.
        path: its name, for the warning.
        wait: for another process that holds the lock.

    Raises:
        BlockingIOError: another process holds it, and ``wait`` is off.
    """
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | (0 if wait else fcntl.LOCK_NB))
    except OSError as error:
        if error.errno not in NO_LOCKS:
            raise
        _warn_once(path.parent)


@cache
def _warn_once(folder: Path) -> None:
    log.warning("%s: this file system has no locks; start no two runs at once on it", folder)


def parse_json(text: str | bytes) -> Any:
    """The value of a JSON text that may be damaged.

    Raises:
        ValueError: it is none, or too deep to be one of ours.
    """
    try:
        return json.loads(text)
    except RecursionError as error:
        raise ValueError("nested too deeply") from error


def read_and_repair_jsonl(path: Path, *, keys: Sequence[str] = ()) -> list[dict[str, Any]]:
    """The JSON objects of a file that is written line by line, cut off after the last whole line.

    Args:
        path: the file; where there is none, there are no lines.
        keys: what each object has.
    """
    if not path.exists():
        return []
    values, size = [], 0
    with path.open("r+b") as file:
        for line in file:
            value = _whole(line, keys)
            if value is None:
                break
            values.append(value)
            size += len(line)
        lost = file.seek(0, os.SEEK_END) - size
        file.truncate(size)
    if lost:
        log.warning("%s: the last %d bytes are no whole lines; they are made again", path, lost)
    return values


def _whole(line: bytes, keys: Sequence[str]) -> dict[str, Any] | None:
    if not line.endswith(b"\n"):
        return None
    try:
        value = parse_json(line)
    except ValueError:
        return None
    return value if isinstance(value, dict) and all(key in value for key in keys) else None


def to_json_types(value: Any) -> Any:
    """The value in JSON's own types.

    Raises:
        TypeError: a mapping has a key that is no string.
    """
    if is_dataclass(value) and not isinstance(value, type):
        return to_json_types(asdict(value))
    if isinstance(value, Mapping):
        if not all(isinstance(key, str) for key in value):
            raise TypeError(f"keys must be strings: {list(value)}")
        return {key: to_json_types(entry) for key, entry in value.items()}
    if isinstance(value, (list, tuple)):
        return [to_json_types(entry) for entry in value]
    return str(value) if isinstance(value, Path) else value


@contextmanager
def disk_errors(
    path: Path, *, only: set[int] | None = None, also: tuple[type[Exception], ...] = ()
) -> Iterator[None]:
    """Trouble in writing ``path`` becomes one line.

    Args:
        path: what is written.
        only: the error numbers that count; None is all.
        also: what a library raises instead of an ``OSError``.

    Raises:
        InputError: the folder cannot be written, or the disk is full.
    """
    try:
        yield
    except OSError as error:
        if only is not None and error.errno not in only:
            raise
        raise InputError(_unwritable(path, error.strerror or str(error))) from error
    except also as error:
        raise InputError(_unwritable(path, str(error).split("\n")[0])) from error


def _unwritable(path: Path, reason: str) -> str:
    return f"{path}: cannot be written ({reason}); make room there or choose another folder"
