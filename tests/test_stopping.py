"""A signal ends a run at once, with one line, the right status, and everything that was written."""

from __future__ import annotations

import multiprocessing
import os
import runpy
import signal
import subprocess
import sys
import time
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from helpers import forked
from mmie import pipeline, stopping

ROOT = Path(__file__).parents[1]
ENVIRONMENT = {**os.environ, "OMP_NUM_THREADS": "1", "PYTHONPATH": str(ROOT / "src")}
STATUS = {signal.SIGTERM: 143, signal.SIGINT: 130}

SCRIPT = """
import subprocess, sys, time
from mmie import stopping
def say(text):
    print(text, flush=True)
def sleep():
    say("ready")
    while True:
        time.sleep(0.01)
{setup}
with stopping.handle_signals():
{body}
"""


def started(setup: str, body: str) -> subprocess.Popen[str]:
    script = SCRIPT.format(setup=setup, body="\n".join(f"    {line}" for line in body.split("\n")))
    return subprocess.Popen(
        [sys.executable, "-c", script],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=ENVIRONMENT,
    )


def stopped(run: subprocess.Popen[str], signum: signal.Signals) -> tuple[int, str, str]:
    """Status, output and errors of a run that gets the signal once it has printed ``ready``."""
    assert run.stdout is not None
    output_so_far = ""
    while not output_so_far.endswith("ready\n"):
        line = run.stdout.readline()
        assert line, run.stderr and run.stderr.read()
        output_so_far += line
    run.send_signal(signum)
    output, errors = run.communicate(timeout=30)
    return run.returncode, output_so_far + output, errors


@pytest.mark.parametrize("signum", STATUS)
def test_a_signal_is_one_line_and_its_status(signum: signal.Signals) -> None:
    run = started("", "with stopping.at('in stage sft (folder)'):\n    sleep()")
    status, _, errors = stopped(run, signum)
    assert status == STATUS[signum]
    place = "in stage sft (folder)"
    assert errors == f"stopped by {signum.name} {place}: run the same command again to resume\n"


SWALLOWED = "try:\n    sleep()\nexcept SystemExit:\n    {then}"


@pytest.mark.parametrize(
    ("then", "status"),
    [("sleep()", 143), ("stopping.raise_if_stopped()", 143), ("raise ValueError", 143)],
    ids=["goes on", "asks", "fails because of it"],
)
def test_a_swallowed_signal_ends_the_run_all_the_same(then: str, status: int) -> None:
    run = started("stopping.GRACE = 0.3", SWALLOWED.format(then=then))
    code, _, errors = stopped(run, signal.SIGTERM)
    assert code == status
    assert errors.count("\n") == 1
    assert errors.startswith("stopped by SIGTERM")


def test_an_event_loop_does_not_swallow_a_signal() -> None:
    setup = (
        "import asyncio\nasync def many():\n"
        "    async with asyncio.TaskGroup() as group:\n"
        "        group.create_task(asyncio.sleep(60))\n"
        "        asyncio.get_running_loop().call_later(0.01, sleep)"
    )
    status, _, errors = stopped(started(setup, "asyncio.run(many())"), signal.SIGTERM)
    assert status == 143
    assert errors.count("\n") == 1


@pytest.mark.parametrize("end", ["sleep()", "say('ready'); sys.exit(2)"])
def test_processes_that_were_started_end_too(end: str) -> None:
    deaf = (
        "import signal, time; signal.signal(15, signal.SIG_IGN); "
        "print(1, flush=True); time.sleep(60)"
    )
    body = (
        f"child = subprocess.Popen([sys.executable, '-c', {deaf!r}], stdout=subprocess.PIPE)\n"
        f"child.stdout.readline()\nsay(child.pid)\nstopping.adopt([child])\n{end}"
    )
    run = started("stopping.CHILDREN_GRACE = 0.1", body)
    status, output, _ = stopped(run, signal.SIGTERM)
    assert status in (143, 2)
    with pytest.raises(ProcessLookupError):
        os.kill(int(output.split()[0]), 0)


def test_the_list_of_the_launcher_is_emptied_and_the_end_of_a_child_is_seen(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(stopping, "_state", stopping._State())
    said = []
    for status in ("0", "128 + 15", "3"):
        launched = [subprocess.Popen([sys.executable, "-c", f"raise SystemExit({status})"])]
        child = launched[0]
        stopping.adopt(launched)
        assert launched == []
        child.wait()
        said.append(stopping.failed_child())
    assert said == [None, None, "process 3 of this run has ended with status 3"]


def test_a_process_that_was_started_passes_the_signal_on_in_silence() -> None:
    child = SCRIPT.format(setup="", body="    say(__import__('os').getpid())\n    sleep()")
    body = (
        "environment = {**os.environ, 'LOCAL_RANK': '1'}\n"
        f"subprocess.Popen([sys.executable, '-c', {child!r}], env=environment)\n"
        "with stopping.at('in stage sft'):\n    time.sleep(30)"
    )
    run = started("import os", body)
    assert run.stdout is not None
    pid = int(run.stdout.readline())
    assert run.stdout.readline() == "ready\n"
    os.kill(pid, signal.SIGTERM)
    _, errors = run.communicate(timeout=20)
    assert run.returncode == 143
    assert errors == "stopped by SIGTERM in stage sft: run the same command again to resume\n"


def test_a_forked_child_dies_of_a_signal_alone() -> None:
    body = (
        "pid = os.fork()\nif pid == 0:\n    time.sleep(30)\n"
        "os.kill(pid, 15)\nsay(os.waitpid(pid, 0)[1])\ntime.sleep(0.5)\nsay('ready')"
    )
    run = started("import os\nstopping.GRACE = 0.1", body)
    output, errors = run.communicate(timeout=20)
    assert (run.returncode, output, errors) == (0, "15\nready\n", "")


SWEEP = """
import runpy, sys, time, types
import mmie
def run(cfg):
    print("ready" if cfg.seed == 1 else "another job", flush=True)
    time.sleep(30)
mmie.pipeline = sys.modules["mmie.pipeline"] = types.ModuleType("mmie.pipeline")
mmie.pipeline.run = run
sys.argv = ["run.py", "-m", "seed=1,2", "logger=none"]
runpy.run_path({run!r}, run_name="__main__")
"""


@pytest.mark.parametrize("signum", STATUS)
def test_a_sweep_ends_with_the_job(signum: signal.Signals, tmp_path: Path) -> None:
    script = tmp_path / "sweep.py"
    script.write_text(SWEEP.format(run=str(ROOT / "run.py")))
    run = forked.popen(
        [sys.executable, str(script)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=ENVIRONMENT,
        cwd=tmp_path,
    )
    status, output, errors = stopped(run, signum)
    assert status == STATUS[signum]
    assert "another job" not in output
    assert errors.count("\n") == 1


TINY = [
    "sft=direct",
    "grpo=none",
    "data.sizes={train: 48, val: 2, test: 2}",
    "stages=[sft]",
    "sft.epochs=40",
    "sft.batch_size=16",
    "sft.micro_batch_size=8",
    "sft.validations=1",
    "sft.checkpoint_every=1",
    "evaluation.max_new_tokens=4",
    "evaluation.validation_samples=1",
    "trainer.threads=1",
    "logger=none",
]


def train_in_two(folder: Path, errors: Path) -> None:
    """``python run.py`` without its imports, which take five seconds; Lightning starts another."""
    os.setsid()
    os.chdir(folder)
    os.environ.update(ENVIRONMENT)
    with errors.open("w") as file, open(os.devnull, "w") as nowhere:
        os.dup2(nowhere.fileno(), 1)
        os.dup2(file.fileno(), 2)
    sys.stderr = open(2, "w", closefd=False)  # noqa: SIM115  (pytest has put another one there)
    sys.argv = [str(ROOT / "run.py"), *TINY, "trainer.devices=2"]
    runpy.run_path(sys.argv[0], run_name="__main__")


@pytest.mark.slow
def test_sigterm_ends_a_training_in_two_processes(tmp_path: Path) -> None:
    """Both get it, as from a scheduler; neither waits for the other in a collective operation."""
    errors = tmp_path / "errors.txt"
    run = multiprocessing.get_context("fork").Process(target=train_in_two, args=(tmp_path, errors))
    run.start()
    while not list(tmp_path.glob("artifacts/sft/*.partial/step-*")) and run.is_alive():
        time.sleep(0.02)
    os.killpg(run.pid, signal.SIGTERM)
    run.join(timeout=30)
    assert run.exitcode == 143
    lines = [line for line in errors.read_text().splitlines() if "GLOBAL_RANK" not in line]
    (partial,) = tmp_path.glob("artifacts/sft/*.partial")
    place = f"stopped by SIGTERM in stage sft (artifacts/sft/{partial.name})"
    assert lines == [f"{place}: run the same command again to resume"]
    for _ in range(100):
        try:
            os.killpg(run.pid, 0)
        except ProcessLookupError:  # nobody of the group is left
            return
        time.sleep(0.1)
    pytest.fail("a process is left")


@pytest.mark.slow
def test_a_killed_process_ends_the_training_in_two_with_a_message(tmp_path: Path) -> None:
    errors = tmp_path / "errors.txt"
    run = multiprocessing.get_context("fork").Process(target=train_in_two, args=(tmp_path, errors))
    run.start()
    while not list(tmp_path.glob("artifacts/sft/*.partial/step-*")) and run.is_alive():
        time.sleep(0.02)
    (child,) = Path(f"/proc/{run.pid}/task/{run.pid}/children").read_text().split()
    os.kill(int(child), signal.SIGKILL)
    run.join(timeout=60)
    assert run.exitcode == 2
    lines = [line for line in errors.read_text().splitlines() if "GLOBAL_RANK" not in line]
    what = "process 1 of this run has ended with status -9"
    assert lines == [f"error: {what}; start the run again, it goes on from there"]


@pytest.mark.parametrize("stage", ["predict", "export"])
def test_a_stage_without_a_folder_in_the_store_is_named_too(
    stage: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupted(*_: Any) -> None:
        raise stopping.Stopped(signal.SIGTERM)

    state = stopping._State()
    monkeypatch.setattr(stopping, "_state", state)
    monkeypatch.setattr(pipeline.deliver, stage, interrupted)
    context: Any = SimpleNamespace(follower=False, config=SimpleNamespace(stages=[stage]))
    with pytest.raises(stopping.Stopped):
        pipeline._deliver(context)
    assert state.place == f"in stage {stage}"


def test_an_interrupt_while_run_py_is_imported_is_one_line(tmp_path: Path) -> None:
    interrupt = "import os, signal\nos.kill(os.getpid(), signal.SIGINT)\n"
    (tmp_path / "hydra.py").write_text(interrupt)
    environment = ENVIRONMENT | {"PYTHONPATH": f"{tmp_path}{os.pathsep}{ROOT / 'src'}"}
    command = [sys.executable, str(ROOT / "run.py")]
    run = subprocess.run(command, env=environment, capture_output=True, text=True)
    assert (run.returncode, run.stdout) == (130, "")
    assert run.stderr == "stopped by SIGINT before anything was started\n"
