"""Several runs with one record: they append one at a time, and ask each question only once."""

from __future__ import annotations

import asyncio
import logging
import os
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path

from mmie.errors import InputError
from mmie.files import lock

logger = logging.getLogger(__name__)

POLL = 0.1  # seconds between two checks whether another run has ended its work


@contextmanager
def open_locked(path: Path) -> Iterator[int]:
    """Opens the file for appending and keeps all other processes out; gives its descriptor.

    A torn last line is cut off first.

    Raises:
        InputError: the file cannot be created, read or written.
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
    """Turns a disk error at the record into InputError."""
    try:
        yield
    except OSError as error:
        reason = f"cannot keep the teacher's answers ({error.strerror})"
        raise InputError(f"{path}: {reason}; make room or make it writable") from error


class Claim:
    """The right to ask one question. At most one process has it.

    It is a lock on a small file beside the record and not an entry in the record, because the
    system releases a lock when its process dies, however it dies.
    """

    def __init__(self, record: Path, key: str) -> None:
        self._path = record.with_name(f".{record.name}.{key[:16]}.claim")
        self._descriptor: int | None = None

    def take(self) -> bool:
        """Takes the claim if it is free; returns whether it is ours now."""
        with record_errors(self._path):
            descriptor = os.open(self._path, os.O_RDWR | os.O_CREAT, 0o644)
            if self._is_free(descriptor) and self._is_current(descriptor):
                self._descriptor = descriptor
                return True
            os.close(descriptor)
            return False

    def give_back(self) -> None:
        """Lets another process ask."""
        if self._descriptor is not None:
            # Deleted while it is still locked: nobody can take it between the two steps.
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
        """Whether the locked file still has its name; its last owner may have deleted it."""
        try:
            return os.path.samestat(os.fstat(descriptor), os.stat(self._path))
        except FileNotFoundError:
            return False


@asynccontextmanager
async def sole_claim(
    record: Path, key: str, *, meanwhile: Callable[[], None]
) -> AsyncIterator[None]:
    """Inside, no other process has the claim. One that has it is waited for.

    Args:
        record, key: of the claim.
        meanwhile: called again and again while this waits.
    """
    claim = Claim(record, key)
    while not claim.take():
        meanwhile()
        await asyncio.sleep(POLL)
    try:
        yield
    finally:
        claim.give_back()


def _drop_torn_line(descriptor: int, path: Path) -> None:
    """Cuts off the part of a line that a killed writer left. That question is asked again."""
    size = os.fstat(descriptor).st_size
    if size == 0 or os.pread(descriptor, 1, size - 1) == b"\n":
        return
    end = os.pread(descriptor, size, 0).rfind(b"\n") + 1
    logger.warning(
        "%s: dropped a torn last line of %d bytes; that question is asked again", path, size - end
    )
    os.ftruncate(descriptor, end)
