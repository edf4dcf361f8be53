"""The process of a job: how it is started, how it ended and how it is stopped."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

from mmie.launching.devices import VARIABLE
from mmie.launching.job import JOB

GRACE = 15.0  # seconds from SIGTERM to SIGKILL; less than those of ``mmie.stopping``
LEFT = 3.0  # seconds for the further processes of a job to end after it
# What schedulers and torchrun say of the launcher's process does not hold for its jobs.
OF_ANOTHER = ("LOCAL_RANK", "RANK", "NODE_RANK", "WORLD_SIZE", "MASTER_ADDR", "MASTER_PORT")
OF_SLURM = ("SLURM_NTASKS", "SLURM_PROCID", "SLURM_LOCALID")


@dataclass
class Process:
    """A job that is running.

    It leads a session of its own, to which the further processes of the job belong, too. Its
    standard input is a pipe that closes when this process dies, see ``mmie.launching.job``.

    Attributes:
        devices: that it has for itself.
        popen: the process.
        start: of the process, on the monotonic clock.
    """

    devices: Sequence[str]
    popen: subprocess.Popen[bytes]
    start: float = field(default_factory=time.monotonic)
    _end: float | None = None

    @property
    def seconds(self) -> float:
        return time.monotonic() - self.start

    def ended(self) -> bool:
        """Whether its whole session has ended. Who outlives the job by ``LEFT`` is killed."""
        if self.popen.poll() is None:
            return False
        self._end = self._end or time.monotonic()
        if self._signal(0) and time.monotonic() - self._end < LEFT:
            return False
        self.kill()
        return True

    def how(self) -> str:
        """How it ended: ``with status 2``, ``by SIGKILL``."""
        status = self.popen.returncode
        return f"by {signal.Signals(-status).name}" if status < 0 else f"with status {status}"

    def kill(self) -> None:
        """Kills the whole session."""
        self._signal(signal.SIGKILL)
        self.popen.wait()
        assert self.popen.stdin is not None
        self.popen.stdin.close()

    def _signal(self, signum: int) -> bool:
        """Sends a signal to the session; returns whether anybody was there. 0 only asks."""
        with suppress(ProcessLookupError):
            os.killpg(self.popen.pid, signum)
            return True
        return False


def start(script: Path, job: Path, *, devices: Sequence[str], log: Path) -> Process:
    """Starts a job.

    Args:
        script: that runs it, see ``mmie.launching.job``.
        job: the file that says what to run.
        devices: for it alone.
        log: gets all that it prints.
    """
    environment = {
        name: value for name, value in os.environ.items() if name not in (*OF_ANOTHER, *OF_SLURM)
    }
    environment |= {JOB: str(job), VARIABLE: ",".join(devices)}
    with log.open("wb") as output:
        popen = subprocess.Popen(
            [sys.executable, str(script), *sys.argv[1:]],
            env=environment,
            stdin=subprocess.PIPE,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    return Process(devices, popen)


def stop(processes: Sequence[Process]) -> None:
    """Ends the processes as SIGTERM does, and kills those that take longer than ``GRACE``."""
    for process in processes:
        process.popen.send_signal(signal.SIGTERM)
    end = time.monotonic() + GRACE
    for process in processes:
        with suppress(subprocess.TimeoutExpired):
            process.popen.wait(max(0.0, end - time.monotonic()))
        process.kill()
