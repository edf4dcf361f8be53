"""No process of a job outlives the launcher."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from helpers.run_py import ROOT
from mmie.launching import processes
from mmie.launching.processes import Process, start, stop

# A script that is deaf to SIGTERM, with a further process of its own.
DEAF = """
import os, signal, subprocess, sys, time
signal.signal(signal.SIGTERM, signal.SIG_IGN)
child = subprocess.Popen([sys.executable, "-S", "-c", "import time; time.sleep(60)"])
print(os.environ["CUDA_VISIBLE_DEVICES"], os.environ.get("RANK"), child.pid, flush=True)
time.sleep(60)
"""
# A job that waits for nothing but its launcher, and the launcher.
JOB = """
from mmie import stopping
from mmie.launching.job import _end_with_launcher
import time
with stopping.handle_signals():
    _end_with_launcher()
    print("runs", flush=True)
    time.sleep(60)
"""
LAUNCHER = """
import sys, time
from pathlib import Path
from mmie.launching.processes import start
folder = Path(sys.argv[1])
job = start(folder / "job.py", folder / "x", devices=["0"], log=folder / "job.log")
print(job.popen.pid, flush=True)
time.sleep(60)
"""


def is_alive(pid: int) -> bool:
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except FileNotFoundError:
        return False
    return state != "Z"


def wait_for_end(pid: int) -> None:
    end = time.monotonic() + 20
    while is_alive(pid):
        assert time.monotonic() < end, "it is still alive"
        time.sleep(0.02)


def wait_for_text(path: Path) -> str:
    end = time.monotonic() + 60
    while not (path.exists() and path.read_text().endswith("\n")):
        assert time.monotonic() < end
        time.sleep(0.02)
    return path.read_text()


def test_a_deaf_job_is_killed_with_all_that_it_has_started(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("RANK", "3")
    monkeypatch.setattr(processes, "GRACE", 0.1)
    (tmp_path / "job.py").write_text(DEAF)
    log = tmp_path / "job.log"
    job = start(tmp_path / "job.py", tmp_path / "x", devices=["5", "6"], log=log)
    devices, rank, child = wait_for_text(log).split()
    assert (devices, rank) == ("5,6", "None")
    assert not job.ended()
    assert is_alive(int(child))
    stop([job])
    assert job.how() == "by SIGKILL"
    wait_for_end(int(child))


def test_a_job_ends_when_its_launcher_is_killed(tmp_path: Path) -> None:
    (tmp_path / "job.py").write_text(JOB)
    (tmp_path / "x").write_bytes(b"what the job runs")
    launcher = subprocess.Popen(
        [sys.executable, "-c", LAUNCHER, str(tmp_path)],
        stdout=subprocess.PIPE,
        env={**os.environ, "PYTHONPATH": str(ROOT / "src")},
    )
    assert launcher.stdout is not None
    job = int(launcher.stdout.readline())
    assert wait_for_text(tmp_path / "job.log") == "runs\n"
    launcher.kill()
    launcher.communicate()
    wait_for_end(job)
    assert "stopped by SIGTERM" in (tmp_path / "job.log").read_text()
    assert not (tmp_path / "x").exists()


@pytest.mark.parametrize(
    ("code", "words"),
    [
        ("raise SystemExit(3)", "with status 3"),
        ("import os; os.kill(os.getpid(), 9)", "by SIGKILL"),
    ],
)
def test_how_a_job_ended(code: str, words: str) -> None:
    popen = subprocess.Popen(
        [sys.executable, "-S", "-c", code], stdin=subprocess.PIPE, start_new_session=True
    )
    job = Process(["0"], popen)
    popen.wait()
    assert job.ended()
    assert job.how() == words
