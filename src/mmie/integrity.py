"""Whether files are what was once written: their sizes, and the SHA-256 of their content."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterable, Mapping
from fnmatch import fnmatch
from pathlib import Path
from typing import Any

SCRATCH = ("step-*", "part-*", ".*")  # helps an unfinished training to go on; no part of the result


def file_digests(
    path: Path, *, hashed_up_to: float, skip: Iterable[str] = ()
) -> dict[str, list[Any]]:
    """Name below ``path`` → [bytes, SHA-256] of every file; a file lists itself as ``.``.

    Args:
        path: a file or a folder.
        hashed_up_to: bytes; of larger files the digest is None.
        skip: patterns of names directly in the folder that do not count.
    """
    listed = {}
    for file in sorted(path.rglob("*")) if path.is_dir() else [path]:
        name = file.relative_to(path).as_posix()
        if file.is_file() and not any(fnmatch(name.split("/")[0], pattern) for pattern in skip):
            listed[name] = [file.stat().st_size, _digest(file, hashed_up_to)]
    return listed


def find_damage(path: Path, listed: Mapping[str, Any]) -> str | None:
    """The first way in which the files differ from what was listed; None where they are whole."""
    for name, entry in listed.items():
        file = path if name == "." else path / name
        if not file.is_file():
            return f"{file.name} is missing"
        size = file.stat().st_size
        match entry:
            case [int(wanted), str() | None as digest]:
                if size != wanted:
                    return f"{file.name} has {size:,} bytes instead of {wanted:,}"
                if digest is not None and _digest(file, size) != digest:
                    return f"{file.name} is not what was written"
            case _:
                return f"its list of files is broken at {name}"
    return None


def sync_tree(path: Path) -> None:
    """Returns when the file, or the folder with all its files, would survive a power failure."""
    for entry in [path, *path.rglob("*")]:
        sync_file(entry)


def sync_file(path: Path) -> None:
    """The same for one file, or for the names in one folder."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _digest(file: Path, hashed_up_to: float) -> str | None:
    if file.stat().st_size > hashed_up_to:
        return None
    with file.open("rb") as content:
        return hashlib.file_digest(content, "sha256").hexdigest()
