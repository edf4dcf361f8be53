"""One part of the measurement in a process of its own, with a limit of its own."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

LAST_LINES = 3  # of what a failed part printed


@dataclass(frozen=True)
class Part:
    """One part.

    Attributes:
        name: of the module in this package whose function ``run`` measures.
        seconds: after these it is stopped.
        beside: it needs no GPU and runs beside the others.
    """

    name: str
    seconds: int
    beside: bool = False


class Running:
    """A part that has been started.

    Args:
        part: which.
        folder: for its figures and what it prints.
        tiny: whether it does the tiny work.
    """

    def __init__(self, part: Part, folder: Path, *, tiny: bool) -> None:
        self.part, self.started = part, time.monotonic()
        self.figures, self.log = folder / f"{part.name}.json", folder / f"{part.name}.log"
        command = [sys.executable, "-W", "ignore", "-m", "mmie.bench.gpu"]
        command += ["--part", part.name, "--json", str(self.figures), *["--tiny"] * tiny]
        with self.log.open("wb") as log:
            # A session of its own: what the part has started ends with it.
            self.process = subprocess.Popen(command, stdout=log, stderr=log, start_new_session=True)

    def finish(self, deadline: float) -> dict[str, Any]:
        """Waits for the part, but not beyond its limit; its error, its figures and its seconds."""
        limit = min(deadline, self.started + self.part.seconds)
        error = None
        try:
            if self.process.wait(max(0.0, limit - time.monotonic())):
                error = self._last_words()
        except subprocess.TimeoutExpired:
            error = f"stopped after {limit - self.started:.0f} s"
        finally:
            self.stop()
        seconds = round(time.monotonic() - self.started, 1)
        return {"part_seconds": seconds, "error": error, **self._measured()}

    def stop(self) -> None:
        """Ends the part and all that it has started."""
        with suppress(ProcessLookupError):
            os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait()

    def _measured(self) -> dict[str, Any]:
        if not self.figures.exists():
            return {}
        return json.loads(self.figures.read_text(encoding="utf-8"))

    def _last_words(self) -> str:
        lines = self.log.read_text(encoding="utf-8", errors="replace").strip().splitlines()
        return (
            " | ".join(lines[-LAST_LINES:]).removeprefix("error: ")
            or f"ended with status {self.process.returncode}"
        )
