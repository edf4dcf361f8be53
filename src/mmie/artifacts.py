"""What the stages leave on disk: folders named by a fingerprint, whole or not there, each made by one run at a time."""

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


def fingerprint(**parts: Any) -> str:
    """The first 16 hex digits of the SHA-256 of the parts' canonical JSON.

    Mappings count without their order: give one whose order matters as a list of its items. A tuple equals a list, a
    Path its string, a dataclass the mapping of its fields, 2 equals 2.0.

    Raises:
        TypeError, ValueError: a part is no JSON value even so, or not finite.
    """
    values = json.loads(json.dumps(to_json_types(parts)), parse_int=float)
    canonical = json.dumps(values, sort_keys=True, separators=(",", ":"), allow_nan=False)
    return hashlib.sha256(canonical.encode()).hexdigest()[:16]


class Store:
    """Finished work in ``root/<stage>/<fingerprint>/``, unfinished work beside it in ``<fingerprint>.partial/``."""

    def __init__(self, root: str | Path) -> None:
        self.root = Path(root)

    def path(self, stage: str, fingerprint: str) -> Path:
        """The folder of finished work, there or not."""
        return self.root / stage / fingerprint

    def partial(self, stage: str, fingerprint: str) -> Path:
        """The folder in which the work is done; it outlives a crash, so that a stage can go on from what is in it."""
        return self.root / stage / f"{fingerprint}.partial"

    def ready(self, stage: str, fingerprint: str) -> bool:
        """Whether the work is finished."""
        return (self.path(stage, fingerprint) / META).is_file()

    @contextmanager
    def writing(
        self, stage: str, fingerprint: str, *, parts: Mapping[str, Any]
    ) -> Iterator[Path | None]:
        """The folder to fill, or None where the work is finished; when the body ends without error, so is the work.

        Another run at the same work is waited for. Where the body raises, the folder stays as it is for the next try.

        Args:
            stage, fingerprint: which work.
            parts: what the fingerprint was taken of; goes into ``meta.json`` beside the seconds of this try, commit,
                versions and date.

        Raises:
            InputError: the folder cannot be written, the disk is full, or the finished work is
                damaged.
        """
        final, partial = self.path(stage, fingerprint), self.partial(stage, fingerprint)
        if final.exists():
            self._use(final)
            yield None
            return
        with self._alone(final):
            if final.exists():  # made by another run while this one waited
                self._use(final)
                yield None
                return
            with disk_errors(partial):
                partial.mkdir(parents=True, exist_ok=True)
            start = time.perf_counter()
            with disk_errors(partial, only=DISK):
                yield partial
            meta = {
                "stage": stage,
                "fingerprint": fingerprint,
                "parts": parts,
                "seconds": time.perf_counter() - start,
                "commit": commit(),
                "versions": versions(),
                "date": datetime.now(UTC).isoformat(timespec="seconds"),
                "files": file_digests(partial, hashed_up_to=HASHED, skip=[*SCRATCH, META]),
            }
            write_json(partial / META, meta)
            with disk_errors(final):
                sync_tree(partial)
                os.replace(partial, final)
                sync_file(final.parent)
            _tidy(final)

    def meta(self, stage: str, fingerprint: str) -> dict[str, Any]:
        """What ``writing`` noted about finished work.

        Raises:
            InputError: the note is missing or broken.
        """
        return _meta(self.path(stage, fingerprint))

    def _use(self, final: Path) -> None:
        """Finished work is about to be used.

        Raises:
            InputError: its files are not those that were written; nothing is done anew unasked,
                it may have cost much.
        """
        reason = find_damage(final, _meta(final)["files"])
        if reason is not None:
            raise InputError(_damaged(final, reason))
        _tidy(final)

    @contextmanager
    def _alone(self, final: Path) -> Iterator[None]:
        """Holds ``<fingerprint>.lock``; the system lets go of it when the process ends, however it ends."""
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
            lock.unlink(
                missing_ok=True
            )  # safe: the work is finished, whoever comes now finds it so


def _meta(final: Path) -> dict[str, Any]:
    try:
        meta = parse_json((final / META).read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise InputError(_damaged(final, f"{META} is missing or broken")) from error
    match meta:
        case {"fingerprint": final.name, "seconds": int() | float(), "files": {}}:
            return meta
    raise InputError(_damaged(final, f"{META} does not belong to it"))


def _damaged(final: Path, reason: str) -> str:
    return f"{final}: this finished work is damaged ({reason}); delete the folder and run again"


def _tidy(final: Path) -> None:
    """Only under its final name can the work do without what an interrupted run goes on from."""
    with suppress(OSError):  # a store that can only be read
        for pattern in SCRATCH:
            for path in final.glob(pattern):
                shutil.rmtree(path) if path.is_dir() else path.unlink()


def commit() -> str:
    """The git commit of this code, with ``+dirty`` where files differ from it; ``unknown`` outside a repository."""
    git = ["git", "-C", str(Path(__file__).parent)]
    try:
        head = subprocess.run(
            [*git, "rev-parse", "HEAD"], capture_output=True, text=True, check=True
        ).stdout.strip()
        changes = subprocess.run(
            [*git, "status", "--porcelain"], capture_output=True, text=True, check=True
        ).stdout
    except (OSError, subprocess.CalledProcessError):
        return "unknown"
    return f"{head}+dirty" if changes.strip() else head


def versions() -> dict[str, str]:
    """Python and those of the main packages that are installed."""
    found = {"python": platform.python_version()}
    for package in PACKAGES:
        try:
            found[package] = metadata.version(package)
        except metadata.PackageNotFoundError:
            continue
    return found
