"""How the processes of one run know that the first one lives: it touches a file that they watch.

Without it, processes on other machines would wait for work that nobody does any more.
"""

from __future__ import annotations

import os
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from mmie.errors import InputError
from mmie.files import write_text
from mmie.stopping import started_by_leader

BEAT = 5.0  # seconds between two signs of life
SILENCE = 300.0  # seconds without one: the first process is gone; shared file systems lag
STARTED = time.time()
ENDED = "ended\n"


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


@contextmanager
def watching(path: Path) -> Iterator[None]:
    """Inside, the failure or the silence of the first process ends this one with status 2."""
    stop = threading.Event()
    thread = threading.Thread(target=_watch, args=(path, stop), daemon=True, name="heartbeat")
    thread.start()
    try:
        yield
    finally:
        stop.set()


def _watch(path: Path, stop: threading.Event) -> None:
    last, since = _sign(path), time.monotonic()
    while not stop.wait(min(BEAT, SILENCE) / 4):
        sign = _sign(path)
        if sign != last:
            last, since = sign, time.monotonic()
        if sign is not None and sign >= STARTED and _ended(path):
            _end("the first process of this run has ended with an error")
        if time.monotonic() - since > SILENCE:
            _end(f"no sign of life of the first process of this run for {SILENCE:.0f} s at {path}")


def _sign(path: Path) -> float | None:
    try:
        return path.stat().st_mtime
    except OSError:
        return None


def _ended(path: Path) -> bool:
    try:
        return path.read_text(encoding="utf-8") == ENDED
    except OSError:
        return False


def _end(reason: str) -> None:
    """The main thread may be held up in a collective operation, where no exception reaches it."""
    if not started_by_leader():  # which has said why, on the same terminal
        advice = "start the run again, it goes on from there"
        print(f"error: {reason}; {advice}", file=sys.stderr, flush=True)
    os._exit(2)
