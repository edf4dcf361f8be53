"""The summary, the figure and the notes of a sweep, and how failed jobs and signals end it."""

import json
import os
import runpy
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from omegaconf import DictConfig, OmegaConf

import mmie
from helpers.run_py import in_process, picked
from mmie import sweeping
from mmie.errors import InputError
from mmie.reporting.sweep import Job, load_jobs

ROOT = Path(__file__).parents[1]
DATA = ["stages=[data]", "data.sizes.val=2", "data.sizes.test=2"]
DATA += ["logger.wandb=false", "trainer.threads=1"]


@pytest.fixture
def pipeline(monkeypatch: pytest.MonkeyPatch) -> Callable[[Callable[[DictConfig], Any]], None]:
    """Puts a function in the pipeline's place."""

    def replace(run: Callable[[DictConfig], Any]) -> None:
        module = ModuleType("mmie.pipeline")
        module.run = run  # type: ignore[attr-defined]
        monkeypatch.setitem(sys.modules, "mmie.pipeline", module)
        monkeypatch.setattr(mmie, "pipeline", module, raising=False)

    return replace


@pytest.fixture
def no_figure(monkeypatch: pytest.MonkeyPatch) -> None:
    """Drawing takes a second; tests/reporting/test_sweep.py looks at the figures."""
    monkeypatch.setattr("mmie.reporting.sweep_plots.draw", lambda jobs, folder: None)


@pytest.mark.slow
@pytest.mark.usefixtures("no_figure")
def test_a_sweep_with_a_failure_ends_and_is_not_repeated(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    first, second = tmp_path / "first", tmp_path / "second"
    sweep = ["-m", *DATA, "data.sizes.train=8,-1,9", f"artifacts={tmp_path}/artifacts"]
    assert in_process(monkeypatch, first, *sweep) == 1
    done = capsys.readouterr()
    line = "data.sizes.train=-1: it must be a whole number of 1 or more"
    assert done.err.splitlines() == [
        f"job 1 failed: {line} ({first}/1/error.txt)",
        f"error: 1 of 3 jobs failed (job 1: data.sizes.train=-1); {first}/summary.md says why",
    ]
    assert done.out.splitlines()[-1] == f"summary: {first}/summary.md"
    assert picked(first, "job", "state", "data.sizes.train", "error") == [
        ("0", "ok", "8", ""),
        ("1", "failed", "-1", line),
        ("2", "ok", "9", ""),
    ]
    assert (first / "1/error.txt").read_text() == f"{line}\n"
    assert [path.parent.name for path in sorted(first.glob("*/results.json"))] == ["0", "2"]

    assert in_process(monkeypatch, second, *sweep) == 1
    stages = [
        json.loads((second / job / "results.json").read_text())["stages"] for job in ("0", "2")
    ]
    assert [stage["data"]["cached"] for stage in stages] == [True, True]
    assert picked(second, "job", "state") == [("0", "ok"), ("1", "failed"), ("2", "ok")]


@pytest.mark.slow
def test_a_defect_stops_no_other_and_keeps_its_traceback(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    pipeline: Callable[..., None],
    capsys: pytest.CaptureFixture[str],
) -> None:
    def run(cfg: DictConfig) -> float:
        return 1 / (cfg.grpo.group_size - 3)

    pipeline(run)
    assert in_process(monkeypatch, tmp_path, "-m", "grpo.group_size=3,5,4", "seed=1") == 1
    assert picked(tmp_path, "grpo.group_size", "validation_f1", "best", "error") == [
        ("3", "", "0", "ZeroDivisionError: division by zero"),
        ("5", "0.5", "0", ""),
        ("4", "1.0", "1", ""),
    ]
    text = (tmp_path / "0/error.txt").read_text()
    assert text.startswith("Traceback")
    assert "return 1 / (cfg.grpo.group_size - 3)" in text
    assert not (tmp_path / "1/error.txt").exists()
    assert (
        capsys.readouterr()
        .err.splitlines()[-1]
        .startswith("error: 1 of 3 jobs failed (job 0: grpo.group_size=3); ")
    )
    assert {path.name for path in tmp_path.glob("sweep.*")} == {"sweep.svg", "sweep.png"}
    assert "](sweep.svg)" in (tmp_path / "summary.md").read_text()


def test_a_sweep_of_several_processes_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each process that Lightning starts would run the command, and so the sweep, once more."""
    monkeypatch.delenv("SLURM_NTASKS", raising=False)
    assert (
        in_process(
            monkeypatch,
            tmp_path,
            "-m",
            "seed=0,1",
            "trainer.devices=2",
            "sft=none",
            "grpo=none",
            "stages=[data]",
        )
        == 1
    )
    assert all(error.startswith("trainer.devices: ") for (error,) in picked(tmp_path, "error"))


@pytest.mark.slow
def test_a_sweep_that_goes_well_has_status_0_and_forgets_an_earlier_one_in_its_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, pipeline: Callable[..., None]
) -> None:
    pipeline(lambda cfg: cfg.reward.alpha)
    assert in_process(monkeypatch, tmp_path, "-m", "reward.alpha=0.3,0.2,0.1") == 0
    pipeline(lambda cfg: None)
    assert in_process(monkeypatch, tmp_path, "-m", "reward.alpha=0.4,0.5") == 0
    assert picked(tmp_path, "reward.alpha", "validation_f1") == [("0.4", ""), ("0.5", "")]
    assert not list(tmp_path.glob("sweep.*"))


def test_an_interrupt_stops_all_and_leaves_a_summary(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, pipeline: Callable[..., None]
) -> None:
    def run(cfg: DictConfig) -> float:
        if cfg.seed == 1:
            raise KeyboardInterrupt
        return 0.5

    pipeline(run)
    with pytest.raises(KeyboardInterrupt):
        in_process(monkeypatch, tmp_path, "-m", "seed=0,1,2")
    assert picked(tmp_path, "job", "state", "validation_f1", "error") == [
        ("0", "ok", "0.5", ""),
        ("1", "failed", "", "not ended: killed, or still running"),
    ]
    assert "error.txt" not in (tmp_path / "summary.md").read_text()
    assert not (tmp_path / "2").exists()


@pytest.mark.parametrize("status", [143, 0])
def test_an_exit_in_a_job_ends_the_sweep_with_its_status(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, pipeline: Callable[..., None], status: int
) -> None:
    """A signal that ends a job ends the sweep, too: the jobs after it must not start."""

    def run(cfg: DictConfig) -> float:
        if cfg.seed == 1:
            sys.exit(status)
        return 0.5

    pipeline(run)
    monkeypatch.setattr(sys, "argv", ["run.py", "-m", "seed=0,1,2", f"hydra.sweep.dir={tmp_path}"])
    with pytest.raises(SystemExit) as stopped:
        runpy.run_path(str(ROOT / "run.py"), run_name="__main__")
    assert stopped.value.code == status
    assert picked(tmp_path, "job", "state", "error") == [
        ("0", "ok", ""),
        ("1", "failed", "not ended: killed, or still running"),
    ]
    assert not (tmp_path / "2").exists()
    assert not list(tmp_path.rglob("error.txt"))


def test_a_summary_that_cannot_be_made_is_no_success(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    pipeline: Callable[..., None],
    capsys: pytest.CaptureFixture[str],
) -> None:
    def run(cfg: DictConfig) -> float:
        (tmp_path / "sweep.svg").mkdir(exist_ok=True)  # where the figure should go
        return cfg.reward.alpha

    pipeline(run)
    assert in_process(monkeypatch, tmp_path, "-m", "reward.alpha=0.1,0.2") == 1
    assert capsys.readouterr().err.startswith(f"error: {tmp_path}/sweep.svg: cannot be written")


def test_a_single_run_is_left_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, pipeline: Callable[..., None]
) -> None:
    def run(cfg: DictConfig) -> float:
        raise InputError("x: bad")

    pipeline(run)
    monkeypatch.chdir(tmp_path)
    assert in_process(monkeypatch, tmp_path, "hydra.run.dir=own") == 2
    assert not list(tmp_path.rglob("*.json"))
    assert not list(tmp_path.rglob("error.txt"))


def test_a_sweeper_that_is_not_installed_is_one_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert (
        in_process(
            monkeypatch,
            tmp_path,
            "-m",
            "seed=0,1",
            "hydra.sweeper._target_=hydra_plugins.nowhere.plugin.Sweeper",
        )
        == 2
    )
    assert capsys.readouterr().err.startswith(
        "error: hydra.sweeper: No module named 'hydra_plugins"
    )


@pytest.mark.slow
@pytest.mark.usefixtures("no_figure")
@pytest.mark.filterwarnings("ignore")
def test_optuna_proposes_the_same_again_and_lives_with_failures(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, pipeline: Callable[..., None]
) -> None:
    pytest.importorskip(
        "hydra_plugins.hydra_optuna_sweeper.optuna_sweeper", reason="the extra [sweep] brings it"
    )

    def run(cfg: DictConfig) -> float:
        if cfg.reward.alpha > 0.8:
            raise InputError("reward.alpha: too large for this test")
        return 1 - abs(cfg.reward.alpha - 0.5)

    pipeline(run)
    first, second = tmp_path / "first", tmp_path / "second"
    statuses = [
        in_process(monkeypatch, folder, "+experiment=sweep_optuna", "hydra.sweeper.n_trials=4")
        for folder in (first, second)
    ]
    assert statuses == [1, 1]
    jobs = picked(first, "reward.alpha", "reward.beta", "grpo.kl_coef", "grpo.lr", "state", "best")
    assert len(jobs) == 4
    assert {job[4] for job in jobs} == {"ok", "failed"}
    assert jobs == picked(
        second, "reward.alpha", "reward.beta", "grpo.kl_coef", "grpo.lr", "state", "best"
    )
    nearest = min((job for job in jobs if job[4] == "ok"), key=lambda job: abs(float(job[0]) - 0.5))
    assert nearest[5] == "1"
    assert nearest[0] in (first / "optimization_results.yaml").read_text()


def test_of_two_summaries_at_once_the_fuller_one_stays(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The job that notes something first takes longer to read what all have noted."""
    read = threading.Event()

    def slowly(folder: Path) -> list[Job]:
        jobs = load_jobs(folder)
        if not read.is_set():
            read.set()
            time.sleep(0.3)
        return jobs

    def end(number: int) -> None:
        hydra = {"sweep": {"dir": str(tmp_path)}, "job": {"num": number}}
        hydra |= {"overrides": {"task": []}, "runtime": {"output_dir": str(tmp_path / "own")}}
        config = OmegaConf.create({"hydra": hydra})
        sweeping._note(config, validation_f1=None, seconds=0.0, error=None)

    end(0)
    monkeypatch.setattr(sweeping, "load_jobs", slowly)
    slow = threading.Thread(target=end, args=(1,))
    slow.start()
    read.wait()
    end(2)
    slow.join()
    assert picked(tmp_path, "job") == [("0",), ("1",), ("2",)]


# Every Python that finds this file imports it at its start, so the launcher's processes do, too.
# Importing the real pipeline would take each of them five seconds.
STUB = """
import sys, types

def run(cfg):
    from mmie.errors import InputError
    if cfg.seed == 1:
        raise InputError("seed: not this one")
    return float(cfg.seed)

module = sys.modules["mmie.pipeline"] = types.ModuleType("mmie.pipeline")
module.run = run
"""


@pytest.mark.slow
@pytest.mark.usefixtures("no_figure")
def test_jobs_run_side_by_side(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    pytest.importorskip("hydra_plugins.hydra_joblib_launcher", reason="the extra [sweep] brings it")
    (tmp_path / "sitecustomize.py").write_text(STUB)
    monkeypatch.setenv("PYTHONPATH", f"{tmp_path}{os.pathsep}{ROOT / 'src'}")
    launcher = ["hydra/launcher=joblib", "hydra.launcher.n_jobs=2"]
    own = tmp_path / "own"
    assert in_process(monkeypatch, own, "-m", "seed=0,1,2,3", *launcher) == 1
    assert capsys.readouterr().err.splitlines()[-1].startswith("error: 1 of 4 jobs failed (j")
    assert picked(own, "state", "validation_f1") == [
        ("ok", "0.0"),
        ("failed", ""),
        ("ok", "2.0"),
        ("ok", "3.0"),
    ]
