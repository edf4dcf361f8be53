"""What Hydra knows about a job."""

from mmie.job import command_of


def test_the_recorded_command_makes_the_run_again() -> None:
    """One point of an experiment that sweeps needs its mode; the artefacts' place is left out."""
    task = ["+experiment=figure3_group_size", "grpo.group_size=2", "artifacts=/mine"]
    alone = "python run.py +experiment=figure3_group_size grpo.group_size=2"
    assert command_of(task, ["run.py", *task]) == alone
    assert command_of(task, ["run.py", *task, "hydra.mode=RUN"]) == f"{alone} hydra.mode=RUN"
