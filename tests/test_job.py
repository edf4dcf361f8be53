"""What Hydra knows about a job."""

from dataclasses import replace
from pathlib import Path

import pytest

from helpers.configured import run_config
from mmie.errors import InputError
from mmie.job import HydraJob, command_of, refuse_sweep_of_many_processes


def test_the_recorded_command_makes_the_run_again() -> None:
    """One point of an experiment that sweeps needs its mode; the artefacts' place is left out."""
    task = ["+experiment=figure3_group_size", "grpo.group_size=2", "artifacts=/mine"]
    alone = "python run.py +experiment=figure3_group_size grpo.group_size=2"
    assert command_of(task, ["run.py", *task]) == alone
    assert command_of(task, ["run.py", *task, "hydra.mode=RUN"]) == f"{alone} hydra.mode=RUN"


def test_a_job_of_several_processes_needs_a_command_of_its_own(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    job = HydraJob(Path("0"), "", "sweep", [])
    trainer = replace(run_config().trainer, devices=2)
    monkeypatch.delenv("SLURM_NTASKS", raising=False)
    monkeypatch.delenv("MMIE_JOB", raising=False)
    with pytest.raises(InputError, match=r"^trainer.devices: .* or with hydra/launcher=gpus$"):
        refuse_sweep_of_many_processes(job, trainer)
    refuse_sweep_of_many_processes(replace(job, sweep=None), trainer)
    monkeypatch.setenv("MMIE_JOB", "0/job.pickle")  # as mmie.launching sets it
    refuse_sweep_of_many_processes(job, trainer)
