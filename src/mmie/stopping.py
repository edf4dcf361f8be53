"""SIGTERM and SIGINT end a run with one line that says where it stopped, and status 143 or 130.

What the run has written so far stays on disk. A cluster that takes a machine away sends SIGTERM and
kills some seconds later. Lightning's own handler ends the training as if it had succeeded, and
waits for the other processes inside the handler. So the signals are handled here instead.

The handler raises in the main thread. If that thread is inside foreign code, which Python cannot
interrupt, a watching thread ends the process after ``GRACE`` seconds.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from types import FrameType
from typing import Any

SIGNALS = (signal.SIGTERM, signal.SIGINT)
GRACE = 20.0  # seconds from the signal to the end of the process; clusters wait about 30
CHILDREN_GRACE = 2.0  # seconds for the other processes of a run before they are killed
LEADER = "MMIE_LEADER"  # environment variable with the id of the process that started this one


class Stopped(SystemExit):
    """A signal ended the run. As a ``SystemExit`` it passes through event loops unchanged."""

    def __init__(self, signum: int) -> None:
        super().__init__(128 + signum)


@dataclass
class _State:
    """The state of this process. It is global because signals concern the process as a whole.

    Attributes:
        place: what the run is doing, for the line at the end.
        quiet: whether another process prints the line instead.
        follows: whether another process of the run started this one. It is determined at the start,
            because that process may be gone before this one ends.
        signum: the signal that arrived; 0 before that.
        closing: whether the run is ending anyway.
        children: the processes that this one started, in the order of their ranks.
    """

    place: str = ""
    quiet: bool = False
    follows: bool = False
    signum: int = 0
    closing: bool = False
    children: list[subprocess.Popen[Any]] = field(default_factory=list)


_state = _State()


@contextmanager
def handle_signals() -> Iterator[None]:
    """Within this context SIGTERM and SIGINT raise ``Stopped``.

    At its end the line is printed, and the processes that this one started are ended.
    """
    global _state
    _state = _State(follows=started_by_leader())
    reader, writer = os.pipe()
    os.set_blocking(writer, False)
    before = {signum: signal.signal(signum, _stop) for signum in SIGNALS}
    wakeup = signal.set_wakeup_fd(writer, warn_on_full_buffer=False)
    threading.Thread(target=_watch, args=(reader, _state), daemon=True, name="signals").start()
    leader = os.environ.get(LEADER)
    os.environ[LEADER] = str(os.getpid()) if not _state.follows else str(leader)
    try:
        yield
    except BaseException:
        _state.closing = True
        _end_children(_state)
        raise_if_stopped()
        raise
    finally:
        if _state.signum:
            print(_line(_state), end="", file=sys.stderr, flush=True)
        else:
            _restore(before, wakeup, leader)
            os.close(writer)  # ends the watching thread


def raise_if_stopped() -> None:
    """Raises ``Stopped`` if a signal has arrived, in case foreign code has swallowed it."""
    if _state.signum:
        raise Stopped(_state.signum)


@contextmanager
def at(place: str, *, quiet: bool = False) -> Iterator[None]:
    """Within this context the line at the end names ``place``. It still does so after an error."""
    before = _state.place
    _state.place, _state.quiet = place, quiet
    yield
    _state.place = before


def adopt(children: list[subprocess.Popen[Any]]) -> None:
    """Makes these processes end together with this one.

    The list must be the launcher's own, not a copy. It is emptied, so that the launcher's observer
    does not kill this process without a word when it sees one of them end.
    """
    _state.children += children
    children.clear()


def failed_child() -> str | None:
    """Which of the processes that this one started has ended with an error, if one has.

    The end by a signal that it passes on, see ``_stop``, is none.
    """
    for rank, child in enumerate(_state.children, start=1):
        if child.poll() and child.returncode - 128 not in SIGNALS:
            return f"process {rank} of this run has ended with status {child.returncode}"
    return None


def end_children() -> None:
    """Ends the processes that this one started; they would wait for it in a collective call."""
    _end_children(_state)


def _stop(signum: int, frame: FrameType | None) -> None:
    if _state.signum or _state.closing:
        return
    _state.signum = signum
    if started_by_leader():
        with suppress(ProcessLookupError):
            os.kill(os.getppid(), signum)
    raise Stopped(signum)


def started_by_leader() -> bool:
    """Whether another process of the same run started this one and has to end with it."""
    follows = int(os.environ.get("LOCAL_RANK") or 0) > 0
    return follows and os.environ.get(LEADER) == str(os.getppid())


def _end_children(state: _State) -> None:
    children = [child for child in state.children if child.poll() is None]
    for child in children:
        child.send_signal(signal.SIGTERM)
    end = time.monotonic() + CHILDREN_GRACE
    for child in children:
        try:
            child.wait(max(0.0, end - time.monotonic()))
        except subprocess.TimeoutExpired:
            child.kill()
            child.wait()


def _watch(reader: int, state: _State) -> None:
    """Reads the numbers of signals. They arrive here even if the main thread is in foreign code."""
    signum = 0
    while signum not in SIGNALS:
        number = os.read(reader, 1)
        if not number:
            os.close(reader)
            return
        signum = number[0]
    time.sleep(GRACE)
    state.signum = state.signum or signum
    _end_children(state)
    os.write(2, _line(state).encode())
    os._exit(128 + signum)


def _line(state: _State) -> str:
    if state.quiet or state.follows:
        return ""
    name, place = signal.Signals(state.signum).name, state.place or "between two stages"
    return f"stopped by {name} {place}: run the same command again to resume\n"


def _restore(before: dict[signal.Signals, Any], wakeup: int, leader: str | None) -> None:
    for signum, handler in before.items():
        signal.signal(signum, handler)
    signal.set_wakeup_fd(wakeup)
    if leader is None:
        os.environ.pop(LEADER, None)
    else:
        os.environ[LEADER] = leader


def _in_forked_child() -> None:
    """A forked child does not use its parent's pipe, and a signal ends it like any process."""
    if signal.getsignal(signal.SIGTERM) is _stop:
        signal.set_wakeup_fd(-1)
        signal.signal(signal.SIGTERM, signal.SIG_DFL)
        signal.signal(signal.SIGINT, signal.default_int_handler)
    _unblock()


def _block() -> None:
    signal.pthread_sigmask(signal.SIG_BLOCK, SIGNALS)


def _unblock() -> None:
    signal.pthread_sigmask(signal.SIG_UNBLOCK, SIGNALS)


# Signals are blocked during a fork: a child that got one before ``_in_forked_child`` would write it
# into its parent's pipe.
os.register_at_fork(before=_block, after_in_parent=_unblock, after_in_child=_in_forked_child)
