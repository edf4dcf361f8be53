"""Sweeps that can be left alone.

A job that fails is noted and the others go on. The summary is up to date after every job.
"""

from __future__ import annotations

import gc
import sys
import time
import traceback
from collections.abc import Sequence
from dataclasses import replace
from importlib import import_module
from itertools import count
from pathlib import Path
from typing import Any

from hydra.core.utils import JobReturn, JobStatus
from hydra.experimental.callback import Callback
from hydra.types import RunMode
from omegaconf import DictConfig, OmegaConf, read_write

from mmie import resolvers  # noqa: F401  (a job's process reads conf/ before it imports more)
from mmie.checks import HYDRAS, foreign
from mmie.display import terminal
from mmie.errors import InputError
from mmie.files import disk_errors, lock, write_json, write_text
from mmie.reporting.sweep import (
    FIGURE,
    NOTES,
    UNENDED,
    Job,
    load_jobs,
    score_table,
    varying,
    write_summary,
)

GPUS = "hydra_plugins.mmie_gpus.GpuLauncher"


class Sweep(Callback):
    """Hydra calls this around the jobs of a sweep. Around a single run it writes nothing.

    The sweep's folder gets ``jobs/<number>.json``, ``summary.md`` and ``summary.csv`` with every
    job, and a figure at the end. The folder of a failed job gets ``error.txt``. Finished jobs need
    no list of their own: the store keeps the results of their stages, so a sweep that is started
    again repeats none of them.
    """

    def __init__(self) -> None:
        self.start = 0.0

    def on_run_start(self, config: DictConfig, **kwargs: Any) -> None:
        """Ends with status 2 where the key ``hydra`` holds code that is neither Hydra's nor ours.

        So it does where the launcher is one for sweeps alone. A single run gets a folder of its
        own, even if another one starts in the same second.
        """
        _refuse_foreign(config)
        if config.hydra.launcher._target_ == GPUS:
            print(
                "error: hydra/launcher=gpus: it runs the jobs of a sweep; add -m", file=sys.stderr
            )
            sys.exit(2)
        if not _given(config, "hydra.run.dir"):
            with read_write(config.hydra.run):
                config.hydra.run.dir = _own_folder(config.hydra.run.dir)

    def on_multirun_start(self, config: DictConfig, **kwargs: Any) -> None:
        """Ends with status 2 as ``on_run_start`` does, or where the sweeper is not installed.

        Removes what an earlier sweep into this folder noted.
        """
        _refuse_foreign(config)
        try:
            import_module(config.hydra.sweeper._target_.rpartition(".")[0])
        except ModuleNotFoundError as error:
            remedy = "pip install -c constraints.txt -e '.[sweep]' brings it"
            print(f"error: hydra.sweeper: {error}; {remedy}", file=sys.stderr)
            sys.exit(2)
        if not _given(config, "hydra.sweep.dir"):
            own = _own_folder(config.hydra.sweep.dir)
            with read_write(config.hydra):  # the jobs' configurations are made of these overrides
                config.hydra.sweep.dir = own
                config.hydra.overrides.hydra.append(f"hydra.sweep.dir={_quoted(own)}")
        folder = Path(config.hydra.sweep.dir)
        for old in (*folder.glob(f"{NOTES}/*.json"), *folder.glob(f"{FIGURE}.*")):
            old.unlink()

    def on_job_start(self, config: DictConfig, **kwargs: Any) -> None:
        """Notes that the job has begun, so that killed jobs appear in the summary, too."""
        self.start = time.perf_counter()
        if config.hydra.mode is RunMode.MULTIRUN:
            _note(config, validation_f1=None, seconds=0.0, error=UNENDED)

    def on_job_end(self, config: DictConfig, job_return: JobReturn, **kwargs: Any) -> None:
        """Notes how a job ended.

        The sweeper gets a failed job as one without a value, so that the sweep goes on.
        """
        if config.hydra.mode is not RunMode.MULTIRUN:
            return
        seconds = time.perf_counter() - self.start
        # The value of a failed job is its error, which Hydra raises to anyone who asks for it.
        value = replace(job_return, status=JobStatus.COMPLETED).return_value
        error = value if job_return.status is JobStatus.FAILED else None
        if error is not None:
            job_return.return_value, job_return.status = None, JobStatus.COMPLETED
        line = None
        if error is not None:
            folder = Path(config.hydra.runtime.output_dir)
            line = _failed(error, config.hydra.job.num, folder)
        _note(config, validation_f1=job_return.return_value, seconds=round(seconds, 2), error=line)
        del error, value
        gc.collect()  # the frames of a failed job hold its model

    def on_multirun_end(self, config: DictConfig, **kwargs: Any) -> None:
        """Draws the figure and prints the summary; ends with status 1 where that or a job failed.

        Hydra turns what a callback raises into a warning and status 0, but leaves an exit alone.
        """
        folder = Path(config.hydra.sweep.dir)
        try:
            jobs = _summarised(folder)
            planned = _planned(jobs, folder)
        except InputError as error:
            print(f"error: {error}", file=sys.stderr)
            sys.exit(1)
        if not planned:
            terminal().print(score_table(jobs))
        print(f"summary: {folder / 'summary.md'}", flush=True)
        if any(job.error for job in jobs):
            print(f"error: {_failures(jobs)}; {folder / 'summary.md'} says why", file=sys.stderr)
            sys.exit(1)


def note_death(config: DictConfig, *, seconds: float, error: str) -> None:
    """Notes that the process of a job has ended before the job could say how."""
    write_text(Path(config.hydra.runtime.output_dir) / "error.txt", f"{error}\n")
    _note(config, validation_f1=None, seconds=seconds, error=error)


def _refuse_foreign(config: DictConfig) -> None:
    """Hydra has built the callbacks by now, but not yet the sweeper and the launcher."""
    nodes = OmegaConf.to_container(config.hydra, resolve=False)
    for problem in foreign("hydra", nodes, allowed=HYDRAS):
        print(f"error: {problem}", file=sys.stderr)
        sys.exit(2)


def new_folder(path: Path) -> Path:
    """Makes the folder, or where another run has it, the first free one of ``<path>_2``, ….

    Raises:
        InputError: it cannot be made.
    """
    with disk_errors(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        for number in count(1):
            folder = path if number == 1 else path.with_name(f"{path.name}_{number}")
            try:
                folder.mkdir()
            except FileExistsError:
                continue
            return folder
    raise AssertionError("the numbers do not end")


def _own_folder(path: str) -> str:
    """``new_folder``, or status 2: Hydra would make a warning of what its callbacks raise."""
    try:
        return str(new_folder(Path(path)))
    except InputError as error:
        print(f"error: {error}", file=sys.stderr)
        sys.exit(2)


def _given(config: DictConfig, key: str) -> bool:
    """Whether the command line, or the run that started this process, names the folder."""
    return any(override.split("=")[0] == key for override in config.hydra.overrides.hydra)


def _quoted(value: str) -> str:
    """As a value of Hydra's override grammar."""
    escaped = value.replace("\\", "\\\\").replace("'", "\\'")
    return f"'{escaped}'"


def _summarised(folder: Path) -> list[Job]:
    from mmie.reporting.sweep_plots import draw

    jobs = load_jobs(folder)
    draw(jobs, folder)
    write_summary(folder, jobs)
    return jobs


def _planned(jobs: Sequence[Job], folder: Path) -> bool:
    """Shows what planned jobs cost together and writes their ``plan.json``; whether there are any.

    Raises:
        InputError: a plan cannot be read, or the file cannot be written.
    """
    paths = [folder / job.folder / "plan.json" for job in jobs if not job.error]
    paths = [path for path in paths if path.is_file()]
    if not paths:
        return False
    from mmie.planning.tables import tables
    from mmie.planning.total import read_plan, total

    whole = total([read_plan(path) for path in paths])
    console = terminal()
    console.rule(f"{len(paths)} jobs together; what they share counts once", align="left")
    for part in tables(whole):
        console.print(part)
    write_json(folder / "plan.json", whole.as_json())
    print(f"plan: {folder / 'plan.json'}", flush=True)
    return True


def _note(config: DictConfig, **ended: Any) -> None:
    sweep, job = Path(config.hydra.sweep.dir), config.hydra.job.num
    begun = {
        "job": job,
        "overrides": list(config.hydra.overrides.task),
        "folder": str(config.hydra.runtime.output_dir),
    }
    write_json(sweep / NOTES / f"{job}.json", {**begun, **ended})
    path = sweep / NOTES / ".lock"
    with disk_errors(path), path.open("w") as alone:
        lock(alone.fileno(), path)  # else a job could replace the summary by one that knows less
        write_summary(sweep, load_jobs(sweep))


def _failed(error: Exception, number: int, folder: Path) -> str:
    """The error in one line. It is printed now, and ``error.txt`` has it with its traceback."""
    if isinstance(error, InputError):
        line = str(error)
        whole = f"{line}\n"
    else:
        line = f"{type(error).__name__}: {error}".splitlines()[0]
        whole = "".join(traceback.format_exception(error))
    print(f"job {number} failed: {line} ({folder / 'error.txt'})", file=sys.stderr, flush=True)
    write_text(folder / "error.txt", whole)
    return line


def _failures(jobs: Sequence[Job]) -> str:
    failed, names = [job for job in jobs if job.error], varying(jobs)
    which = "; ".join(f"job {job.number}: {job.shown(names)}" for job in failed)
    return f"{len(failed)} of {len(jobs)} jobs failed ({which})"
