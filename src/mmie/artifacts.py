"""What the stages leave on disk.

The folder of a stage's result is named by a key. It is complete or not there, and one run at a
time makes it.
"""

from __future__ import annotations

import errno
import hashlib
import json
import logging
import os
import platform
import shutil
import subprocess
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib import metadata
from pathlib import Path
from typing import Any

from mmie.errors import InputError
from mmie.files import disk_errors, parse_json, to_json_types, write_json
from mmie.files import lock as lock_file
from mmie.hardware import hardware
from mmie.integrity import SCRATCH, file_digests, find_damage, sync_file, sync_tree

PACKAGES = ("mmie", "torch", "transformers", "peft", "pytorch-lightning", "deepspeed", "numpy")
DISK = {errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EFBIG}
HASHED = 64 << 20  # bytes; of larger files of an artefact the size alone is noted and checked
META = "meta.json"
log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Artifact:
    """The finished work of one stage: its folder, and the key that names what it was made of."""

    folder: Path
    key: str

    def load(self, name: str) -> Any:
        """The value of one of its JSON files."""
        return json.loads((self.folder / name).read_text(encoding="utf-8"))


def fingerprint(**parts: Any) -> str:
    """The first 16 hex digits of the SHA-256 of the parts' canonical JSON.

    Mappings count without their order; one whose order matters is given as a list of its items. A
    tuple equals a list, a Path its string, a dataclass the mapping of its fields, and 2 equals 2.0.

    Raises:
        TypeError, ValueError: a part is not a JSON value even so, or not finite.
    """
    values = json.loads(json.dumps(to_json_types(parts)), parse_int=float)
    canonical = json.dumps(values, sort_keys=True, separators=(",", ":"), allow_nan=False)
    return hashlib.sha256(canonical.encode()).hexdigest()[:16]


class Store:
    """Finished work in ``root/<stage>/<key>/``, unfinished work beside it in ``<key>.partial/``."""

    def __init__(self, root: str | Path) -> None:
        self.root = Path(root)

    def path(self, stage: str, key: str) -> Path:
        """The folder of finished work, whether it is there or not."""
        return self.root / stage / key

    def artifact(self, stage: str, key: str) -> Artifact:
        """The work by its key, whether it is finished or not."""
        return Artifact(self.path(stage, key), key)

    def partial(self, stage: str, key: str) -> Path:
        """The folder in which the work is done. It outlives a crash, and the work goes on in it."""
        return self.root / stage / f"{key}.partial"

    def ready(self, stage: str, key: str) -> bool:
        """Whether the work is finished."""
        return (self.path(stage, key) / META).is_file()

    @contextmanager
    def writing(self, stage: str, key: str, *, parts: Mapping[str, Any]) -> Iterator[Path | None]:
        """Yields the folder to fill, or None if the work is finished already.

        When the block ends without an error, the work is finished. After an error the folder stays
        as it is for the next try. Another run at the same work is waited for.

        Args:
            stage, key: which work.
            parts: what the key was made of. They go into ``meta.json`` with the seconds of this
                try, commit, versions and date.

        Raises:
            InputError: the folder cannot be written, the disk is full, or the finished work is
                damaged.
        """
        final, partial = self.path(stage, key), self.partial(stage, key)
        if final.exists():
            self._check_and_tidy(final)
            yield None
            return
        with self._alone(final):
            if final.exists():  # made by another run while this one waited
                self._check_and_tidy(final)
                yield None
                return
            with disk_errors(partial):
                partial.mkdir(parents=True, exist_ok=True)
            start = time.perf_counter()
            with disk_errors(partial, only=DISK):
                yield partial
            seconds = time.perf_counter() - start
            _write_meta(partial, stage=stage, key=key, parts=parts, seconds=seconds)
            with disk_errors(final):
                sync_tree(partial)
                os.replace(partial, final)
                sync_file(final.parent)
            _tidy(final)

    def meta(self, stage: str, key: str) -> dict[str, Any]:
        """What ``writing`` has noted about finished work.

        Raises:
            InputError: the note is missing or broken.
        """
        return _meta(self.path(stage, key))

    def _check_and_tidy(self, final: Path) -> None:
        """Finished work is about to be used.

        Raises:
            InputError: its files are not those that were written. Nothing is made anew without
                being asked, as it may have cost much.
        """
        reason = find_damage(final, _meta(final)["files"])
        if reason is not None:
            raise InputError(_damaged(final, reason))
        _tidy(final)

    @contextmanager
    def _alone(self, final: Path) -> Iterator[None]:
        """Holds ``<key>.lock``, which the system releases as soon as the process ends."""
        lock = final.with_name(f"{final.name}.lock")
        with disk_errors(lock):
            lock.parent.mkdir(parents=True, exist_ok=True)
            handle = lock.open("w")
        with handle:
            try:
                lock_file(handle.fileno(), lock, wait=False)
            except BlockingIOError:
                log.warning("waiting for another run at %s", final)
                lock_file(handle.fileno(), lock)
            yield
            # This is safe: the work is finished, and whoever comes now finds it so.
            lock.unlink(missing_ok=True)


def _write_meta(folder: Path, **known: Any) -> None:
    """Notes where finished work comes from, and its files, so that damage is noticed."""
    meta = {
        **known,
        "commit": commit(),
        "versions": versions(),
        "hardware": hardware(),
        "date": datetime.now(UTC).isoformat(timespec="seconds"),
        "files": file_digests(folder, hashed_up_to=HASHED, skip=[*SCRATCH, META]),
    }
    write_json(folder / META, meta)


def _meta(final: Path) -> dict[str, Any]:
    try:
        meta = parse_json((final / META).read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise InputError(_damaged(final, f"{META} is missing or broken")) from error
    match meta:
        case {"key": final.name, "seconds": int() | float(), "files": {}}:
            return meta
    raise InputError(_damaged(final, f"{META} does not belong to it"))


def _damaged(final: Path, reason: str) -> str:
    return f"{final}: this finished work is damaged ({reason}); delete the folder and run again"


def _tidy(final: Path) -> None:
    """Removes what only an interrupted run needs."""
    with suppress(OSError):  # a store that can only be read
        for pattern in SCRATCH:
            for path in final.glob(pattern):
                shutil.rmtree(path) if path.is_dir() else path.unlink()


def commit() -> str:
    """The git commit of this code, with ``+dirty`` if files differ from it.

    It is ``unknown`` outside a repository.
    """
    try:
        head = _git("rev-parse", "HEAD")
        changes = _git("status", "--porcelain")
    except (OSError, subprocess.CalledProcessError):
        return "unknown"
    return f"{head}+dirty" if changes else head


def _git(*arguments: str) -> str:
    command = ["git", "-C", str(Path(__file__).parent), *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()


def versions() -> dict[str, str]:
    """The versions of Python and of the main packages that are installed."""
    installed = {"python": platform.python_version()}
    for package in PACKAGES:
        with suppress(metadata.PackageNotFoundError):
            installed[package] = metadata.version(package)
    return installed
