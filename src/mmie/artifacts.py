"""What the stages leave on disk: folders named by a fingerprint, whole or not there, each made by one run at a time."""

from __future__ import annotations

import errno
import fcntl
import hashlib
import json
import logging
import os
import platform
import subprocess
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime
from importlib import metadata
from pathlib import Path
from typing import Any

from mmie.files import disk_errors, plain, write_json

PACKAGES = ("mmie", "torch", "transformers", "peft", "pytorch-lightning", "deepspeed", "numpy")
DISK = {errno.ENOSPC, errno.EDQUOT, errno.EROFS}
log = logging.getLogger(__name__)


def fingerprint(**parts: Any) -> str:
    """The first 16 hex digits of the SHA-256 of the parts' canonical JSON.

    Mappings count without their order: give one whose order matters as a list of its items. A tuple equals a list, a
    Path its string, a dataclass the mapping of its fields, 2 equals 2.0.

    Raises:
        TypeError, ValueError: a part is no JSON value even so, or not finite.
    """
    values = json.loads(json.dumps(plain(parts)), parse_int=float)
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
        return (self.path(stage, fingerprint) / "meta.json").is_file()

    @contextmanager
    def writing(self, stage: str, fingerprint: str, *, parts: Mapping[str, Any]) -> Iterator[Path | None]:
        """The folder to fill, or None where the work is finished; when the body ends without error, so is the work.

        Another run at the same work is waited for. Where the body raises, the folder stays as it is for the next try.

        Args:
            stage, fingerprint: which work.
            parts: what the fingerprint was taken of; goes into ``meta.json`` beside the seconds of this try, commit,
                versions and date.

        Raises:
            InputError: the folder cannot be written, or the disk is full.
        """
        final, partial = self.path(stage, fingerprint), self.partial(stage, fingerprint)
        if self.ready(stage, fingerprint):
            yield None
            return
        with self._alone(final):
            if self.ready(stage, fingerprint):  # made by another run while this one waited
                yield None
                return
            with disk_errors(partial):
                partial.mkdir(parents=True, exist_ok=True)
            start = time.perf_counter()
            with disk_errors(partial, only=DISK):
                yield partial
            meta = {
                "stage": stage, "fingerprint": fingerprint, "parts": parts, "seconds": time.perf_counter() - start,
                "commit": commit(), "versions": versions(), "date": datetime.now(UTC).isoformat(timespec="seconds"),
            }  # fmt: skip
            write_json(partial / "meta.json", meta)
            with disk_errors(final):
                os.replace(partial, final)

    def meta(self, stage: str, fingerprint: str) -> dict[str, Any]:
        """What ``writing`` noted about finished work."""
        return json.loads((self.path(stage, fingerprint) / "meta.json").read_text(encoding="utf-8"))

    @contextmanager
    def _alone(self, final: Path) -> Iterator[None]:
        """Holds ``<fingerprint>.lock``; the system lets go of it when the process ends, however it ends."""
        lock = final.with_name(f"{final.name}.lock")
        with disk_errors(lock):
            lock.parent.mkdir(parents=True, exist_ok=True)
            handle = lock.open("w")
        with handle:
            try:
                fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                log.warning("waiting for another run at %s", final)
                fcntl.flock(handle, fcntl.LOCK_EX)
            yield
            lock.unlink(missing_ok=True)  # safe: the work is finished, whoever comes now finds it so


def commit() -> str:
    """The git commit of this code, with ``+dirty`` where files differ from it; ``unknown`` outside a repository."""
    git = ["git", "-C", str(Path(__file__).parent)]
    try:
        head = subprocess.run([*git, "rev-parse", "HEAD"], capture_output=True, text=True, check=True).stdout.strip()
        changes = subprocess.run([*git, "status", "--porcelain"], capture_output=True, text=True, check=True).stdout
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
