"""Files that are complete or absent, JSON in them, and disk errors as one line."""

from __future__ import annotations

import errno
import fcntl
import hashlib
import json
import logging
import os
import re
import stat
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, is_dataclass
from functools import cache
from pathlib import Path
from typing import Any, TypeVar

from mmie.errors import InputError
from mmie.integrity import sync_file

NO_LOCKS = {errno.ENOLCK, errno.ENOTSUP, errno.EOPNOTSUPP, errno.ENOSYS}
LONGEST_NAME = 100  # characters of a slug; file systems take 255 bytes
log = logging.getLogger(__name__)
T = TypeVar("T")


def slug(name: str) -> str:
    """Any name as one part of a path: lower-case letters, digits and hyphens; never empty.

    Names that differ in other characters alone get the same slug: ``JMERE-R1`` and ``jmere r1``. A
    name without Latin letters and digits, or one that is too long, ends in a digest of the name.
    """
    readable = re.sub(r"[^a-z0-9]+", "-", name.lower()).strip("-")
    if readable and len(readable) <= LONGEST_NAME:
        return readable
    digest = hashlib.sha256(name.encode(errors="surrogatepass")).hexdigest()[:12]
    return f"{readable[:LONGEST_NAME]}-{digest}".lstrip("-")


@contextmanager
def replacing(path: Path, *, durable: bool = True) -> Iterator[Path]:
    """Gives a temporary path. What is written there replaces ``path`` at the end, all at once.

    If the writing fails or the process is killed, ``path`` keeps its old content. Missing folders
    are created.

    Args:
        path: the file.
        durable: whether this also holds in a power failure, for which the disk is waited for.

    Raises:
        InputError: the folder cannot be written, or the disk is full.
    """
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    with disk_errors(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        try:
            yield temporary
            if durable:  # else the rename may reach the disk before the content
                sync_file(temporary)
            os.replace(temporary, path)
        finally:
            temporary.unlink(missing_ok=True)


def give_usual_modes(folder: Path) -> None:
    """Gives every file in the folder the mode that new files have.

    safetensors makes its files readable for their owner alone.
    """
    sample = folder / f".mode.{os.getpid()}"
    sample.touch()
    mode = stat.S_IMODE(sample.stat().st_mode)
    sample.unlink()
    for path in folder.rglob("*"):
        if path.is_file():
            path.chmod(mode)


def write_text(path: Path, text: str) -> None:
    """Writes the file in UTF-8. It holds either the whole text or its old content, never a part.

    A lone surrogate is written as its JSON escape.

    Raises:
        InputError: the folder cannot be written, or the disk is full.
    """
    content = text.encode(errors="backslashreplace")
    with replacing(path) as temporary:
        temporary.write_bytes(content)


def write_json(path: Path, value: Any) -> None:
    """``write_text`` of ``to_json_types(value)`` as indented JSON.

    A list without objects in it stays on one line.
    """
    write_text(path, _indented(to_json_types(value), "") + "\n")


def _indented(value: Any, margin: str) -> str:
    inner = margin + "  "
    if isinstance(value, dict) and value:
        lines = []
        for key, entry in value.items():
            name = json.dumps(key, ensure_ascii=False)
            lines.append(f"{inner}{name}: {_indented(entry, inner)}")
        return "{\n" + ",\n".join(lines) + f"\n{margin}}}"
    if isinstance(value, list) and any(isinstance(entry, dict) for entry in value):
        lines = [f"{inner}{_indented(entry, inner)}" for entry in value]
        return "[\n" + ",\n".join(lines) + f"\n{margin}]"
    return json.dumps(value, ensure_ascii=False, allow_nan=False)


def to_json_types(value: Any) -> Any:
    """The value in JSON's own types: dataclasses become objects, tuples lists, paths strings.

    Raises:
        TypeError: a key of a mapping is not a string.
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


def parse_json(text: str | bytes) -> Any:
    """The value of a JSON text that may be damaged.

    Raises:
        ValueError: it is not JSON, or nested deeper than anything that we write.
    """
    try:
        return json.loads(text)
    except RecursionError as error:
        raise ValueError("nested too deeply") from error


def read_jsonl(path: Path, build: Callable[[Any], T], *, what: str, remedy: str) -> list[T]:
    """Reads a finished file with one JSON value per line.

    Args:
        path: the file.
        build: makes the result of one line from its JSON value. A ``ValueError``, ``TypeError``,
            ``LookupError`` or ``AttributeError`` that it raises means that the line is broken.
        what: the name of such a line, for the message: "a sample".
        remedy: what to do about a broken file.

    Raises:
        InputError: the file cannot be read, or a line is broken; it names file and line.
    """
    try:
        lines = path.read_bytes().splitlines()
    except OSError as error:
        raise InputError(f"{path}: cannot be read ({error.strerror}); {remedy}") from error
    values = []
    for number, line in enumerate(lines, start=1):
        try:
            values.append(build(parse_json(line)))
        except (ValueError, TypeError, LookupError, AttributeError) as error:
            raise InputError(f"{path}:{number}: not {what}; {remedy}") from error
    return values


def read_and_repair_jsonl(path: Path, *, keys: Sequence[str] = ()) -> list[dict[str, Any]]:
    """Reads a file that is still being written, one JSON object per line, and **truncates it**.

    A killed writer leaves a torn last line, and a full disk may leave worse. Everything from the
    first broken line on is cut off the file, so that the caller can go on appending.

    Args:
        path: the file; a missing one has no lines.
        keys: the keys that each object must have.

    Returns:
        The objects of all complete lines.
    """
    if not path.exists():
        return []
    values, size = [], 0
    with path.open("r+b") as file:
        for line in file:
            value = complete_object(line, keys)
            if value is None:
                break
            values.append(value)
            size += len(line)
        lost = file.seek(0, os.SEEK_END) - size
        file.truncate(size)
    if lost:
        log.warning("%s: dropped %d bytes at the end, which are not complete lines", path, lost)
    return values


def complete_object(line: bytes, keys: Sequence[str]) -> dict[str, Any] | None:
    """The JSON object of a line that may be torn; None if it is, or if it lacks one of the keys."""
    if not line.endswith(b"\n"):
        return None
    try:
        value = parse_json(line)
    except ValueError:
        return None
    return value if isinstance(value, dict) and all(key in value for key in keys) else None


def lock(descriptor: int, path: Path, *, wait: bool = True) -> None:
    """Takes the file's lock. On a file system without locks it warns once and goes on.

    Args:
        descriptor: of the open file.
        path: its name, for the warning.
        wait: whether to wait for another process that holds the lock.

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
    log.warning("%s: this file system has no locks; do not start two runs on it at once", folder)


@contextmanager
def disk_errors(
    path: Path, *, only: set[int] | None = None, also: tuple[type[Exception], ...] = ()
) -> Iterator[None]:
    """Turns an error in writing ``path`` into one line.

    Args:
        path: what is written.
        only: the error numbers that count; None means all of them.
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


def make_folder(path: Path, *, key: str) -> Path:
    """Makes the folder that a configuration key names, and returns it.

    Raises:
        InputError: it cannot be made; begins with the key.
    """
    try:
        path.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        reason = f"no folder can be made there ({error.strerror})"
        raise InputError(f"{key}={path}: {reason}; name another one") from error
    return path


def _unwritable(path: Path, reason: str) -> str:
    return f"{path}: cannot be written ({reason}); make room there or choose another folder"
