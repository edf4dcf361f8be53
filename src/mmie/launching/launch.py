"""Runs the jobs of a sweep side by side.

joblib's launcher knows nothing of devices and takes all jobs with it when one is killed, and
submitit's starts all jobs at once. So this one has what a machine with several GPUs needs: jobs
take their turns at the devices, and none of them outlives the launcher.
"""

from __future__ import annotations

import inspect
import os
import sys
import time
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from hydra.core.utils import JobReturn, JobStatus, filter_overrides, setup_globals
from hydra.types import HydraContext, TaskFunction
from omegaconf import DictConfig, open_dict

from mmie import stopping
from mmie.display import plain_text, terminal
from mmie.errors import InputError
from mmie.files import disk_errors
from mmie.launching.devices import KEY, all_devices
from mmie.launching.job import write_job
from mmie.launching.processes import Process, start, stop
from mmie.reporting.sweep import NOTES, UNENDED, JobNote, load_note
from mmie.stages.progress import progress
from mmie.sweeping import note_death

LOG = "job.log"  # in the folder of a job: all that it prints
POLL = 0.2  # seconds between two looks at the processes


@dataclass(frozen=True)
class Batch:
    """What Hydra gives to a launcher: its context, the sweep's configuration, what runs a job."""

    context: HydraContext
    config: DictConfig
    task_function: TaskFunction

    @property
    def script(self) -> Path:
        """The file that defines the function to run: ``run.py``."""
        return Path(inspect.getfile(self.task_function)).resolve()


@dataclass(frozen=True)
class Job:
    """One job, composed but not started."""

    number: int
    overrides: Sequence[str]
    config: DictConfig

    @property
    def folder(self) -> Path:
        return Path(self.config.hydra.runtime.output_dir)

    @property
    def wanted(self) -> int:
        """How many devices it needs. The job itself refuses a number that is none."""
        return max(1, self.config.trainer.devices)

    def __str__(self) -> str:
        return f"job {self.number}"


def launch(
    batch: Batch, overrides: Sequence[Sequence[str]], *, first: int, devices: Any
) -> list[JobReturn]:
    """Runs the jobs, as many at a time as there are devices for, in their order.

    Each job prints into ``job.log`` in its own folder. A job that fails stops no other. Ends with
    status 2 before any of them starts if one cannot run here.

    Args:
        batch: see there.
        overrides: of each job.
        first: the number of the first job.
        devices: the value of ``hydra.launcher.devices``.

    Returns:
        One return per job, in order. Its value is the validation F1, or None if the job failed.
    """
    setup_globals()
    try:
        named = all_devices(devices)
        jobs = [_composed(batch, one, first + place) for place, one in enumerate(overrides)]
        for job in jobs:
            _refuse_too_large(job, named)
        turns = _Turns(batch, deque(jobs), named)
        turns.run()
    except InputError as error:
        print(f"error: {error}", file=sys.stderr)
        sys.exit(2)
    return [_returned(job) for job in jobs]


def _composed(batch: Batch, overrides: Sequence[str], number: int) -> Job:
    config = batch.context.config_loader.load_sweep_config(batch.config, list(overrides))
    with open_dict(config):
        config.hydra.job.id = config.hydra.job.num = number
        folder = Path(config.hydra.sweep.dir) / config.hydra.sweep.subdir
        config.hydra.runtime.output_dir = os.path.abspath(folder)
    return Job(number, overrides, config)


def _refuse_too_large(job: Job, devices: Sequence[str]) -> None:
    if job.config.trainer.num_nodes > 1:
        what = f"{job} wants {job.config.trainer.num_nodes} machines"
        raise InputError(f"trainer.num_nodes: {what}, and hydra/launcher=gpus has only this one")
    if job.wanted > len(devices):
        what = f"{job} wants {job.wanted} devices and there are {len(devices)}"
        raise InputError(f"trainer.devices: {what} ({', '.join(devices)}); see {KEY}")


@dataclass
class _Turns:
    """The jobs that wait and those that run.

    Attributes:
        batch: see there.
        waiting: in their order.
        free: the devices that no job has.
        running: the jobs that have devices, each with its process.
    """

    batch: Batch
    waiting: deque[Job]
    free: list[str]
    running: list[tuple[Job, Process]] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.console = terminal(highlight=False, soft_wrap=True)
        self.order = list(self.free)

    def run(self) -> None:
        """Returns when all jobs have ended. Whatever ends it earlier ends the running ones, too."""
        what = f"in the jobs of the sweep ({self.batch.config.hydra.sweep.dir})"
        shown = progress(self.console, "jobs", len(self.waiting))
        with stopping.at(what), shown as advance:
            try:
                while self.waiting or self.running:
                    self._start_those_that_fit()
                    time.sleep(POLL)
                    self._look_for_ended_ones(advance)
            finally:
                stop([process for _, process in self.running])
                for job, _ in self.running:
                    _file(job).unlink(missing_ok=True)

    def _start_those_that_fit(self) -> None:
        while self.waiting and self.waiting[0].wanted <= len(self.free):
            job = self.waiting.popleft()
            own, self.free = self.free[: job.wanted], self.free[job.wanted :]
            self.running.append((job, _started(self.batch, job, own)))
            # What all jobs share stands among their overrides exactly as it was typed.
            varied = [one for one in filter_overrides(job.overrides) if one not in sys.argv]
            self._say(f"{job} started on {_named(own)}: {' '.join(varied)}")

    def _look_for_ended_ones(self, advance: Callable[[int], None]) -> None:
        ended = [one for one in self.running if one[1].ended()]
        for job, process in ended:
            self.running.remove((job, process))
            self.free = sorted([*self.free, *process.devices], key=self.order.index)
            self._say(_ended(job, process))
        advance(len(ended))  # also with 0: outside a terminal, a line per minute says how it goes

    def _say(self, line: str) -> None:
        self.console.print(plain_text(line))


def _started(batch: Batch, job: Job, devices: Sequence[str]) -> Process:
    with disk_errors(job.folder):
        job.folder.mkdir(parents=True, exist_ok=True)
        write_job(_file(job), batch.context, job.config)
        return start(batch.script, _file(job), devices=devices, log=job.folder / LOG)


def _file(job: Job) -> Path:
    return job.folder / "job.pickle"


def _ended(job: Job, process: Process) -> str:
    """The line about a job that has ended; notes its end where the job could not do so itself."""
    _file(job).unlink(missing_ok=True)
    minutes = f"after {process.seconds / 60:.1f} min on {_named(process.devices)}"
    note = _note(job)
    if note is None or note.error == UNENDED:
        line = f"its process ended {process.how()}"
        note_death(job.config, seconds=round(process.seconds, 2), error=line)
        note = _note(job)
    assert note is not None
    if note.error is not None:
        return f"{job} failed {minutes}: {note.error} ({job.folder / LOG})"
    results = job.folder / "results.json"
    return f"{job} ended {minutes}: {results if results.exists() else job.folder}"


def _named(devices: Sequence[str]) -> str:
    return f"device{'s' if len(devices) > 1 else ''} {', '.join(devices)}"


def _note(job: Job) -> JobNote | None:
    path = Path(job.config.hydra.sweep.dir) / NOTES / f"{job.number}.json"
    return load_note(path) if path.exists() else None


def _returned(job: Job) -> JobReturn:
    note = _note(job)
    done = JobReturn(overrides=job.overrides, cfg=job.config, status=JobStatus.COMPLETED)
    done.return_value = note and note.validation_f1
    return done
