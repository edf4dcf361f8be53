"""A process of a run does not wait for a first one that has failed or fallen silent."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from mmie.errors import InputError
from mmie.stages import heartbeat
from mmie.stages.heartbeat import beating

ROOT = Path(__file__).parents[2]

FOLLOWER = """
import sys, threading
from pathlib import Path
from mmie.stages import heartbeat
heartbeat.BEAT, heartbeat.SILENCE = 0.2, {silence}
with heartbeat.watching([heartbeat.first_process(Path(sys.argv[1]))]):
    print("waiting", flush=True)
    held_up = threading.Lock()
    held_up.acquire()
    held_up.acquire(timeout={seconds})
print("done", flush=True)
"""


def follow(path: Path, *, silence: float, seconds: float) -> subprocess.Popen[str]:
    follower = subprocess.Popen(
        [sys.executable, "-c", FOLLOWER.format(silence=silence, seconds=seconds), str(path)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": str(ROOT / "src")},
    )
    assert follower.stdout is not None
    assert follower.stdout.readline() == "waiting\n"
    return follower


def lead(path: Path, error: Exception | None = None, *, seconds: float = 0.0) -> None:
    with beating(path):
        time.sleep(seconds)
        if error is not None:
            raise error


def test_a_first_process_that_fails_ends_the_others(tmp_path: Path) -> None:
    follower = follow(tmp_path / "beat", silence=60, seconds=60)
    with pytest.raises(InputError):
        lead(tmp_path / "beat", InputError("no such file"))
    output, errors = follower.communicate(timeout=20)
    assert (follower.returncode, output) == (2, "")
    assert errors.startswith("error: the first process of this run has ended with an error; ")
    assert errors.count("\n") == 1


def test_a_failure_before_the_first_look_counts(tmp_path: Path) -> None:
    """The others are still loading libraries when the first one fails."""
    path = tmp_path / "beat"
    with pytest.raises(InputError):
        lead(path, InputError("no such file"))
    later = time.time() + 60  # than the start of the other process
    os.utime(path, (later, later))
    follower = follow(path, silence=60, seconds=60)
    assert follower.communicate(timeout=20)[0] == ""
    assert follower.returncode == 2


def test_the_failure_of_an_earlier_run_does_not_count(tmp_path: Path) -> None:
    path = tmp_path / "beat"
    path.write_text(heartbeat.ENDED)
    os.utime(path, (1e9, 1e9))
    follower = follow(path, silence=60, seconds=0.5)
    assert follower.communicate(timeout=20) == ("done\n", "")


def test_silence_ends_the_others(tmp_path: Path) -> None:
    follower = follow(tmp_path / "beat", silence=0.4, seconds=60)
    _, errors = follower.communicate(timeout=20)
    assert follower.returncode == 2
    assert "no sign of life of the first process of this run" in errors


@pytest.mark.slow
def test_a_first_process_that_lives_is_waited_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(heartbeat, "BEAT", 0.1)
    thread = threading.Thread(target=lead, args=(tmp_path / "beat",), kwargs={"seconds": 3.0})
    thread.start()
    follower = follow(tmp_path / "beat", silence=1.0, seconds=1.5)
    assert follower.communicate(timeout=20) == ("done\n", "")
    thread.join()
    assert not (tmp_path / "beat").exists()


def test_a_store_that_can_only_be_read_serves(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    lead(tmp_path / "file" / "beat")
