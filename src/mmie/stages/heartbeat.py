"""How the processes of one run know that the others live: each touches a file.

The first process watches the files of all others, and these watch the file of the first. Without
them, a process would wait for work that nobody does any more, or stay in a collective operation.
"""

from __future__ import annotations

import os
import sys
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from mmie import stopping
from mmie.errors import InputError
from mmie.files import write_text

BEAT = 5.0  # seconds between two signs of life
SILENCE = 45.0  # seconds without one: the process is gone
STARTED = time.time()
ENDED = "ended\n"
ADVICE = "start the run again, it goes on from there"


@contextmanager
def beating(path: Path) -> Iterator[None]:
    """Inside, the file is touched; at the end it is gone, or says that the run has failed."""
    with suppress(InputError):  # a store that can only be read serves all the same
        write_text(path, "")
    stop = threading.Event()

    def beat() -> None:
        while not stop.wait(BEAT):
            with suppress(OSError):
                os.utime(path)

    thread = threading.Thread(target=beat, daemon=True, name="heartbeat")
    thread.start()
    try:
        yield
    except BaseException:
        stop.set()
        thread.join()
        with suppress(InputError):
            write_text(path, ENDED)
        raise
    stop.set()
    thread.join()
    with suppress(OSError):
        path.unlink(missing_ok=True)


@dataclass
class Pulse:
    """The file that another process touches, as this one has seen it.

    Attributes:
        path: the file.
        name: of the process, for the message.
        since: when the last sign of life came, on the monotonic clock. While it is None, silence
            does not count: the process may not have been started yet, or has finished its work.
        last: the time that the file had at that sign.
    """

    path: Path
    name: str
    since: float | None = None
    last: float | None = None

    def __post_init__(self) -> None:
        self.last = _sign(self.path)

    def failure(self) -> str | None:
        """What is wrong with the process, if anything is."""
        sign, now = _sign(self.path), time.monotonic()
        if sign != self.last:
            gone = sign is None and self.since is not None
            self.last, self.since = sign, None if gone else now
        if sign is not None and sign >= STARTED and _ended(self.path):
            return f"{self.name} of this run has ended with an error"
        if self.since is not None and now - self.since > SILENCE:
            return f"no sign of life of {self.name} of this run for {SILENCE:.0f} s at {self.path}"
        return None


def first_process(path: Path) -> Pulse:
    """The pulse of the first process, which is there before any other."""
    return Pulse(path, "the first process", since=time.monotonic())


@contextmanager
def watching(pulses: Sequence[Pulse], *, own: Path | None = None) -> Iterator[None]:
    """Inside, the failure or the silence of another process ends this one with status 2.

    Args:
        pulses: of the others.
        own: the file of this process, which then says so.
    """
    stop = threading.Event()
    thread = threading.Thread(target=_watch, args=(pulses, own, stop), daemon=True)
    thread.start()
    try:
        yield
    finally:
        stop.set()


def _watch(pulses: Sequence[Pulse], own: Path | None, stop: threading.Event) -> None:
    while not stop.wait(min(BEAT, SILENCE) / 4):
        reasons = [stopping.failed_child(), *(pulse.failure() for pulse in pulses)]
        reason = next(filter(None, reasons), None)
        if reason is not None:
            _end(reason, own)


def _sign(path: Path) -> float | None:
    """Opening the file makes a network file system ask its server for the time."""
    try:
        with path.open("rb") as file:
            return os.fstat(file.fileno()).st_mtime
    except OSError:
        return None


def _ended(path: Path) -> bool:
    try:
        return path.read_text(encoding="utf-8") == ENDED
    except OSError:
        return False


def _end(reason: str, own: Path | None) -> None:
    """The main thread may be held up in a collective operation, where no exception reaches it."""
    if not stopping.started_by_leader():  # which has said why, on the same terminal
        print(f"error: {reason}; {ADVICE}", file=sys.stderr, flush=True)
    if own is not None:
        with suppress(InputError):
            write_text(own, ENDED)
    stopping.end_children()
    os._exit(2)
