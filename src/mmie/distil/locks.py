"""Two runs at one record: appending one at a time, and asking each question once."""

from __future__ import annotations

import logging
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from mmie.errors import InputError
from mmie.files import lock

logger = logging.getLogger(__name__)


@contextmanager
def open_locked(path: Path) -> Iterator[int]:
    """The file opened for append, nobody else in it, its last line whole.

    Raises:
        InputError: the disk refuses.
    """
    with record_errors(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        descriptor = os.open(path, os.O_RDWR | os.O_APPEND | os.O_CREAT, 0o644)
        try:
            lock(descriptor, path)
            _drop_torn_line(descriptor, path)
            yield descriptor
        finally:
            os.close(descriptor)


@contextmanager
def record_errors(path: Path) -> Iterator[None]:
    """Disk trouble at the record becomes InputError."""
    try:
        yield
    except OSError as error:
        reason = f"cannot keep the teacher's answers ({error.strerror})"
        raise InputError(f"{path}: {reason}; make room or make it writable") from error


class Claim:
    """The right to ask one question, which one process at most has; it ends with the process."""

    def __init__(self, record: Path, key: str) -> None:
        self._path = record.with_name(f".{record.name}.{key[:16]}.claim")
        self._descriptor: int | None = None

    def take(self) -> bool:
        """Whether the claim is ours now; False where another run has it."""
        with record_errors(self._path):
            descriptor = os.open(self._path, os.O_RDWR | os.O_CREAT, 0o644)
            if self._is_free(descriptor) and self._is_current(descriptor):
                self._descriptor = descriptor
                return True
            os.close(descriptor)
            return False

    def give_back(self) -> None:
        """Lets the next one ask."""
        if self._descriptor is not None:
            self._path.unlink(missing_ok=True)
            os.close(self._descriptor)
            self._descriptor = None

    def _is_free(self, descriptor: int) -> bool:
        try:
            lock(descriptor, self._path, wait=False)
        except BlockingIOError:
            return False
        return True

    def _is_current(self, descriptor: int) -> bool:
        """Whether the file that we locked is still there; its last owner may have deleted it."""
        try:
            return os.path.samestat(os.fstat(descriptor), os.stat(self._path))
        except FileNotFoundError:
            return False


def _drop_torn_line(descriptor: int, path: Path) -> None:
    """Cuts off what a writer left that was killed in the middle of a line: it is asked again."""
    size = os.fstat(descriptor).st_size
    if size == 0 or os.pread(descriptor, 1, size - 1) == b"\n":
        return
    whole = os.pread(descriptor, size, 0).rfind(b"\n") + 1
    lost = size - whole
    logger.warning(
        "%s: dropped a torn last line of %d bytes; that answer is asked again", path, lost
    )
    os.ftruncate(descriptor, whole)
