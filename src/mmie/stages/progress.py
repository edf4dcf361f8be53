"""How far a long piece of work has come: a bar on a terminal, one line per minute elsewhere."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rich.console import Console, RenderableType
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)

from mmie.display import plain_text

PERIOD = 60.0  # seconds between two lines


@contextmanager
def progress(
    console: Console,
    description: str,
    total: int,
    note: Callable[[], str] = str,
    *,
    done: int = 0,
) -> Iterator[Callable[[int], None]]:
    """The yielded function takes the number of pieces that are done since its last call.

    Args:
        console: where it is shown.
        description: of the work; without one nothing is shown.
        total: pieces.
        note: what else there is to say of the work so far.
        done: pieces that an earlier run has done; the time shown is not theirs.
    """
    if not description:
        yield lambda pieces: None
        return
    if not console.is_terminal:
        lines = _Lines(console, description, total, note, done)
        try:
            yield lines.advance
        finally:
            lines.close()
        return
    columns = (BarColumn(), MofNCompleteColumn(), TimeElapsedColumn(), TimeRemainingColumn())
    with _Bar(TextColumn("{task.description}", markup=False), *columns, console=console) as bar:
        bar.note = note
        task = bar.add_task(description, total=total, completed=done)
        yield lambda pieces: bar.advance(task, pieces)


class _Bar(Progress):
    """A bar with the note on a line of its own."""

    note: Callable[[], str] = staticmethod(str)

    def get_renderables(self) -> Iterator[RenderableType]:
        """The bar, and the note if there is anything to say."""
        yield from super().get_renderables()
        note = self.note()
        if note:
            yield plain_text(note, "dim")


class _Lines:
    """``distilling: 120 of 960 after 1 min``, at most once per ``PERIOD``, for logs and pipes."""

    def __init__(
        self,
        console: Console,
        description: str,
        total: int,
        note: Callable[[], str],
        before: int,
    ) -> None:
        self._console = console
        self._description = description
        self._total = total
        self._note = note
        self._before = before
        self._done = before
        self._start = self._time_of_line = time.monotonic()
        self._last: tuple[int, str] | None = None  # what the last line said

    def advance(self, pieces: int) -> None:
        self._done += pieces
        if time.monotonic() - self._time_of_line >= PERIOD:
            self._show(self._note())

    def close(self) -> None:
        """Shows the end, unless the last line was about it."""
        note = self._note()
        if self._last != (self._done, note):
            self._show(note)

    def _show(self, note: str) -> None:
        self._last = (self._done, note)
        self._time_of_line = time.monotonic()
        seconds = round(self._time_of_line - self._start)
        passed = f"{seconds} s" if seconds < 60 else f"{seconds // 60} min"
        before = f" ({self._before:,} in earlier runs)" if self._before else ""
        line = f"{self._description}: {self._done:,} of {self._total:,}{before} after {passed}"
        line = "; ".join(filter(None, [line, note]))
        self._console.print(line, markup=False, highlight=False, soft_wrap=True)
