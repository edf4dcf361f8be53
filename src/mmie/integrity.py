"""Whether files still are what was once written: their sizes, and the SHA-256 of their content."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterable, Mapping
from fnmatch import fnmatch
from pathlib import Path
from typing import Any

# Files from which an unfinished training continues. They are not part of its result.
SCRATCH = ("step-*", "part-*", ".*")


def file_digests(
    path: Path, *, hashed_up_to: float, skip: Iterable[str] = ()
) -> dict[str, list[Any]]:
    """Name below ``path`` → [bytes, SHA-256] for every file. A single file has the name ``.``.

    Args:
        path: a file or a folder.
        hashed_up_to: bytes; a larger file gets None in place of its digest.
        skip: patterns of names directly in the folder that are left out.
    """
    digests = {}
    for file in sorted(path.rglob("*")) if path.is_dir() else [path]:
        name = file.relative_to(path).as_posix()
        top = name.split("/")[0]
        if file.is_file() and not any(fnmatch(top, pattern) for pattern in skip):
            digests[name] = [file.stat().st_size, _digest(file, hashed_up_to)]
    return digests


def find_damage(path: Path, digests: Mapping[str, Any]) -> str | None:
    """The first difference between the files and their ``file_digests``; None if there is none."""
    for name, entry in digests.items():
        file = path if name == "." else path / name
        if not file.is_file():
            return f"{file.name} is missing"
        size = file.stat().st_size
        match entry:
            case [int(expected), str() | None as digest]:
                if size != expected:
                    return f"{file.name} has {size:,} bytes instead of {expected:,}"
                if digest is not None and _digest(file, size) != digest:
                    return f"{file.name} is not what was written"
            case _:
                return f"its list of files is broken at {name}"
    return None


def sync_tree(path: Path) -> None:
    """Waits until a file, or a folder with all its files, would survive a power failure."""
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
