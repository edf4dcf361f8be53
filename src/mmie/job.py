"""What Hydra knows about the job that is running."""

from __future__ import annotations

import os
import shlex
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from hydra.core.hydra_config import HydraConfig
from hydra.types import RunMode

from mmie.config import TrainerConfig
from mmie.errors import InputError
from mmie.launching.job import is_job_of_sweep


@dataclass(frozen=True)
class HydraJob:
    """One job, which is a run of its own or one of a sweep.

    Attributes:
        output: its own folder.
        command: what makes the same run again.
        sweep: the name of the sweep's folder; None for a single run.
        varied: the overrides that set it apart from the other jobs of the sweep.
    """

    output: Path
    command: str
    sweep: str | None
    varied: Sequence[str]


def current_job() -> HydraJob:
    job = HydraConfig.get()
    overrides = list(job.overrides.task)
    # What all jobs of a sweep share stands among their overrides exactly as it was typed.
    varied = [override for override in overrides if override not in sys.argv]
    sweep = Path(job.sweep.dir).name if job.mode is RunMode.MULTIRUN else None
    return HydraJob(Path(job.runtime.output_dir), command_of(overrides, sys.argv), sweep, varied)


def command_of(overrides: Sequence[str], typed: Sequence[str]) -> str:
    """The command that makes a run again, without the place of its artefacts.

    ``hydra.mode`` is no override of the task, but one point of an experiment that sweeps is not
    made without it.
    """
    own = [override for override in overrides if not override.startswith("artifacts=")]
    mode = [argument for argument in typed if argument.startswith("hydra.mode=")]
    return shlex.join(["python", "run.py", *own, *mode])


def refuse_sweep_of_many_processes(job: HydraJob, trainer: TrainerConfig) -> None:
    """Lightning starts each further process with the same command, which is that of a sweep.

    Raises:
        InputError: the job is one of a sweep and needs several processes, outside SLURM and without
            ``mmie.launching``, whose jobs have a command of their own.
    """
    alone = "SLURM_NTASKS" in os.environ or is_job_of_sweep()
    if job.sweep and trainer.processes > 1 and not alone:
        what = "each process of a job would start the whole sweep anew"
        remedy = "sweep on one device, under SLURM, or with hydra/launcher=gpus"
        raise InputError(f"trainer.devices: {what}; {remedy}")
