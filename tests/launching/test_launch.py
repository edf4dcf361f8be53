"""Jobs of a sweep side by side, each with devices of its own."""

from __future__ import annotations

import json
import os
import runpy
import signal
import subprocess
import sys
import time
from configparser import ConfigParser
from pathlib import Path
from typing import Any

import pytest
from hydra.core.plugins import Plugins
from omegaconf import OmegaConf

import mmie
from helpers import forked
from helpers.run_py import ROOT, in_process, picked
from helpers.small_runs import SMALL
from mmie.launching import processes
from mmie.resolvers import CONF
from mmie.sweeping import GPUS as GPUS_TARGET

# Every Python that finds this file imports it at its start, so the jobs do, too. Importing the real
# pipeline would take each of them five seconds.
STUB = """
import os, signal, subprocess, sys, time, types
from pathlib import Path

SEEN = Path(__file__).parent

def comes_true(condition):
    end = time.monotonic() + 30
    while not condition() and time.monotonic() < end:
        time.sleep(0.02)
    return condition()

def has_ended(pid):
    state = Path(f"/proc/{pid}/stat")
    return not state.exists() or state.read_text().rpartition(")")[2].split()[0] == "Z"

def run(cfg):
    from hydra.core.hydra_config import HydraConfig
    from mmie.errors import InputError
    number = HydraConfig.get().job.num
    if os.environ.get("LOCAL_RANK"):
        raise InputError(f"x: {number} {cfg.seed} {os.environ['CUDA_VISIBLE_DEVICES']}")
    (SEEN / f"seen-{number}").write_text(os.environ["CUDA_VISIBLE_DEVICES"])
    print("the job prints")
    if cfg.seed >= 8:
        Path(f"pid-{number}").write_text(str(os.getpid()))
        time.sleep(60)
    if number in (0, 1):
        other = SEEN / f"seen-{1 - number}"
        assert comes_true(other.exists), "the other one does not run"
    if number == 1:
        raise InputError("seed: not this one")
    if number == 2:
        left = subprocess.Popen([sys.executable, "-S", "-c", "import time; time.sleep(60)"])
        (SEEN / "left").write_text(str(left.pid))
        os.kill(os.getpid(), signal.SIGKILL)
    if number == 3:
        left = int((SEEN / "left").read_text())
        assert comes_true(lambda: has_ended(left)), "it still has the device"
        assert sys.stdin.read() == ""
        command = [sys.executable, *sys.argv, "hydra.output_subdir=null"]  # as Lightning does it
        environment = {**os.environ, "LOCAL_RANK": "1"}
        second = subprocess.run(command, env=environment, capture_output=True, text=True)
        assert second.returncode == 2
        (SEEN / "second").write_text(second.stderr)
    return float(number)

module = sys.modules["mmie.pipeline"] = types.ModuleType("mmie.pipeline")
module.run = run
"""
GPUS = ["hydra/launcher=gpus", "hydra.launcher.devices=[7,GPU-8f]"]


@pytest.fixture
def stub(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder where the jobs leave their marks."""
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    folder = tmp_path / "stub"
    folder.mkdir()
    (folder / "sitecustomize.py").write_text(STUB)
    monkeypatch.setenv("PYTHONPATH", f"{folder}{os.pathsep}{ROOT / 'src'}")
    return folder


@pytest.fixture(autouse=True)
def _no_figure(monkeypatch: pytest.MonkeyPatch) -> None:
    """Drawing takes a second; tests/reporting/test_sweep.py looks at the figures."""
    monkeypatch.setattr("mmie.reporting.sweep_plots.draw", lambda jobs, folder: None)


@pytest.mark.slow
def test_jobs_take_turns_at_the_devices(
    stub: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
) -> None:
    """Jobs 0 and 1 wait for each other. Jobs 2 and 3 need both devices and run one by one.

    Job 2 is killed and leaves a process behind. Job 3 starts a further process of its own.
    """
    monkeypatch.setattr(processes, "LEFT", 0.1)
    own = tmp_path / "own"
    sweep = ["-m", "trainer.devices=1,2", "seed=4,5", *GPUS]
    assert in_process(monkeypatch, own, *sweep) == 1
    seen = [(stub / f"seen-{number}").read_text() for number in range(4)]
    assert sorted(seen[:2]) == ["7", "GPU-8f"]
    assert seen[2:] == ["7,GPU-8f", "7,GPU-8f"]
    killed = "its process ended by SIGKILL"
    assert picked(own, "trainer.devices", "seed", "state", "validation_f1", "error") == [
        ("1", "4", "ok", "0.0", ""),
        ("1", "5", "failed", "", "seed: not this one"),
        ("2", "4", "failed", "", killed),
        ("2", "5", "ok", "3.0", ""),
    ]
    assert (own / "2/error.txt").read_text() == f"{killed}\n"
    assert (own / "0/job.log").read_text() == "the job prints\n"
    assert not list(own.rglob("job.pickle"))
    assert (stub / "second").read_text() == "error: x: 3 5 7,GPU-8f\n"

    output, errors = capfd.readouterr()
    lines = [line for line in output.splitlines() if line.startswith("job ")]
    started = [line for line in lines if " started on " in line]
    assert started[0] == "job 0 started on device 7: trainer.devices=1 seed=4"
    assert started[2] == "job 2 started on devices 7, GPU-8f: trainer.devices=2 seed=4"
    (failed,) = [line for line in lines if line.startswith("job 2 failed after ")]
    assert failed.endswith(f" min on devices 7, GPU-8f: {killed} ({own}/2/job.log)")
    assert "jobs: 4 of 4 after " in output
    assert errors.startswith("error: 2 of 4 jobs failed (job 1: trainer.devices=1 seed=5; ")


@pytest.mark.slow
@pytest.mark.usefixtures("stub")
@pytest.mark.parametrize(("signum", "status"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_signal_ends_all_jobs(tmp_path: Path, signum: signal.Signals, status: int) -> None:
    command = [sys.executable, str(ROOT / "run.py"), "-m", "seed=8,9", "hydra.sweep.dir=own"]
    launcher = forked.popen([*command, *GPUS], cwd=tmp_path, stderr=subprocess.PIPE, text=True)
    pids = [tmp_path / f"pid-{number}" for number in (0, 1)]
    while not all(path.exists() and path.read_text() for path in pids):
        assert launcher.poll() is None
        time.sleep(0.02)
    launcher.send_signal(signum)
    _, errors = launcher.communicate(timeout=60)
    assert launcher.returncode == status
    stopped = f"stopped by {signum.name} in the jobs of the sweep (own)"
    assert errors == f"{stopped}: run the same command again to resume\n"
    for path in pids:
        with pytest.raises(ProcessLookupError):
            os.kill(int(path.read_text()), 0)
    unended = "not ended: killed, or still running"
    assert picked(tmp_path / "own", "seed", "error") == [("8", unended), ("9", unended)]
    assert not list(tmp_path.rglob("job.pickle"))


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")
def test_optuna_gets_the_values_of_each_batch(
    stub: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip(
        "hydra_plugins.hydra_optuna_sweeper.optuna_sweeper", reason="the extra [sweep] brings it"
    )
    monkeypatch.setitem(sys.modules, "mmie.pipeline", None)  # so that it is put back later
    runpy.run_path(str(stub / "sitecustomize.py"))  # the forks are not new Pythons that import it
    monkeypatch.setattr(mmie, "pipeline", sys.modules["mmie.pipeline"], raising=False)
    monkeypatch.setattr(subprocess, "Popen", forked.popen)
    sweeper = ["hydra.sweeper.n_trials=3", "hydra.sweeper.n_jobs=2"]
    sweep = ["+experiment=sweep_optuna", *sweeper, *GPUS]
    assert in_process(monkeypatch, tmp_path / "own", *sweep) == 1
    assert picked(tmp_path / "own", "job", "state", "validation_f1") == [
        ("0", "ok", "0.0"),
        ("1", "failed", ""),
        ("2", "failed", ""),
    ]
    assert "best_value: 0.0" in (tmp_path / "own/optimization_results.yaml").read_text()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (
            ["-m", "trainer.devices=1,3", *GPUS],
            "trainer.devices: job 1 wants 3 devices and there are 2 (7, GPU-8f)",
        ),
        (["-m", "trainer.num_nodes=2", *GPUS], "trainer.num_nodes: job 0 wants 2 machines"),
        (["seed=1", *GPUS], "hydra/launcher=gpus: it runs the jobs of a sweep; add -m"),
    ],
)
def test_what_cannot_run_here_is_refused_before_anything_starts(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    arguments: list[str],
    message: str,
) -> None:
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    assert in_process(monkeypatch, tmp_path, *arguments, f"hydra.run.dir={tmp_path}/run") == 2
    error = capsys.readouterr().err
    assert error.startswith(f"error: {message}")
    assert error.count("\n") == 1
    assert not list(tmp_path.rglob("job.log"))


def test_hydra_finds_the_launcher_where_it_is_installed() -> None:
    """``setup.cfg`` names its module, which lies in a namespace that other packages share."""
    parser = ConfigParser()
    parser.read(ROOT / "setup.cfg", encoding="utf-8")
    module, _, _ = GPUS_TARGET.rpartition(".")
    assert parser["options"]["py_modules"] == module
    assert not (ROOT / "src/hydra_plugins/__init__.py").exists()
    assert OmegaConf.load(CONF / "hydra/launcher/gpus.yaml")._target_ == GPUS_TARGET
    assert GPUS_TARGET in Plugins.instance().class_name_to_class


TINY = [item for item in SMALL if not item.startswith(("grpo.epochs", "evaluation.b"))]
TINY += ["stages=[grpo]", "grpo.epochs=0.25", "reward.alpha=0,0.2", "artifacts=artifacts"]
BOOKKEEPING = ("seconds", "made_in", "cached")  # how long a job waited, and who was first


def results_of(folder: Path) -> dict[str, Any]:
    """``results.json`` of a job, without its times and without who made a stage."""
    results: dict[str, Any] = json.loads((folder / "results.json").read_text())
    del results["date"], results["vision"]
    for stage in results["stages"].values():
        for key in BOOKKEEPING:
            del stage[key]
    for purpose in results["cost"]["purposes"].values():
        purpose["answers"] = purpose.pop("asked", 0) + purpose.pop("reused", 0)
    return results


def work_in(store: Path) -> dict[str, bytes]:
    """The files of the trainings, without the lines that are times."""
    files = [path for stage in ("sft", "grpo") for path in store.glob(f"{stage}/*/**/*.*")]
    work = {}
    for path in files:
        lines = path.read_bytes().splitlines(keepends=True) if path.name != "meta.json" else []
        kept = [line for line in lines if b",seconds/" not in line]
        work[path.relative_to(store).as_posix()] = b"".join(kept)
    return work


@pytest.mark.slow
def test_two_jobs_at_once_warm_up_once_and_give_the_results_of_one_after_the_other(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    monkeypatch.setattr(subprocess, "Popen", forked.popen)
    both, each = tmp_path / "both", tmp_path / "each"
    for folder, launcher in ((each, []), (both, GPUS)):  # the forks find all imports made
        folder.mkdir()
        monkeypatch.chdir(folder)
        capfd.readouterr()
        assert in_process(monkeypatch, Path("sweep"), "-m", *TINY, *launcher) == 0
    lines = [line.split(" on ")[0] for line in capfd.readouterr().out.splitlines()]
    assert lines[:2] == ["job 0 started", "job 1 started"]  # before any of them ended

    logs = [(both / f"sweep/{number}/job.log").read_text() for number in (0, 1)]
    assert sorted(log.count("sft: kept from before") for log in logs) == [0, 1]
    work = work_in(both / "artifacts")
    assert [len(list(both.glob(f"artifacts/{stage}/*/"))) for stage in ("sft", "grpo")] == [1, 2]
    assert {name.rpartition("/")[2] for name in work} >= {"rollouts.jsonl", "metrics.csv"}
    assert any(name.endswith(".safetensors") for name in work)
    assert work == work_in(each / "artifacts")
    for number in (0, 1):
        assert results_of(both / f"sweep/{number}") == results_of(each / f"sweep/{number}")
    assert picked(both / "sweep", "job", "best", "validation_f1") == picked(
        each / "sweep", "job", "best", "validation_f1"
    )
