"""Two runs, or two sweeps, that start in the same second have two folders."""

from __future__ import annotations

import errno
import fcntl
import logging
import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from mmie import files
from mmie.artifacts import Store
from mmie.distil.record import Record
from mmie.errors import InputError
from mmie.sweeping import new_folder

ROOT = Path(__file__).parents[1]

# The pipeline is replaced by one that says where it may write; the clock stands still.
SCRIPT = """
import runpy, sys, types
from datetime import datetime
from pathlib import Path
import hydra.core.utils
import mmie
class Clock:
    now = staticmethod(lambda: datetime(2025, 1, 2, 3, 4, 5))
hydra.core.utils.datetime = Clock
def run(cfg):
    from hydra.core.hydra_config import HydraConfig
    folder = Path(HydraConfig.get().runtime.output_dir)
    (folder / "mark").touch(exist_ok=False)
mmie.pipeline = sys.modules["mmie.pipeline"] = types.ModuleType("mmie.pipeline")
mmie.pipeline.run = run
sys.argv = ["run.py", *sys.argv[1:]]
runpy.run_path({run!r}, run_name="__main__")
"""


def start(folder: Path, *arguments: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-c", SCRIPT.format(run=str(ROOT / "run.py")), *arguments],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": str(ROOT / "src")},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def together(folder: Path, *arguments: str) -> None:
    for run in [start(folder, *arguments), start(folder, *arguments)]:
        _, errors = run.communicate(timeout=60)
        assert (run.returncode, errors) == (0, "")


def marks(folder: Path) -> list[str]:
    return sorted(path.relative_to(folder).as_posix() for path in folder.rglob("mark"))


def test_two_runs_in_one_second(tmp_path: Path) -> None:
    together(tmp_path, "+experiment=sft")
    parent = "outputs/sft/2025-01-02_03-04-05"
    assert marks(tmp_path) == [f"{parent}/mark", f"{parent}_2/mark"]
    assert (tmp_path / f"{parent}_2/.hydra/config.yaml").is_file()


@pytest.mark.slow
def test_two_sweeps_in_one_second(tmp_path: Path) -> None:
    folder = tmp_path / "it's a $place"
    folder.mkdir()
    together(folder, "-m", "seed=1,2")
    parent = "multirun/default/2025-01-02_03-04-05"
    expected = [f"{parent}{end}/{job}/mark" for end in ("", "_2") for job in (0, 1)]
    assert marks(folder) == expected
    assert (folder / f"{parent}_2/summary.md").is_file()


def test_a_named_folder_is_taken_as_it_is(tmp_path: Path) -> None:
    (tmp_path / "mine").mkdir()
    run = start(tmp_path, "hydra.run.dir=mine")
    assert run.communicate(timeout=60) == ("", "")
    assert marks(tmp_path) == ["mine/mark"]


def test_a_folder_is_given_once(tmp_path: Path) -> None:
    with ThreadPoolExecutor(8) as pool:
        made = list(pool.map(new_folder, [tmp_path / "new" / "run"] * 20))
    assert len(set(made)) == 20
    assert all(folder.is_dir() for folder in made)


def test_a_folder_that_cannot_be_made_is_one_line(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(InputError, match=r"file/run: cannot be written"):
        new_folder(tmp_path / "file" / "run")


def test_an_output_folder_that_cannot_be_made_ends_the_run(tmp_path: Path) -> None:
    (tmp_path / "outputs").touch()
    run = start(tmp_path)
    _, errors = run.communicate(timeout=60)
    assert run.returncode == 2
    assert errors.startswith("error: outputs/default/2025-01-02_03-04-05: cannot be written")
    assert errors.count("\n") == 1


@pytest.mark.parametrize("number", [errno.ENOLCK, errno.ENOTSUP, errno.ENOSYS])
def test_a_file_system_without_locks_is_one_warning(
    number: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def none(*arguments: object) -> None:
        raise OSError(number, os.strerror(number))

    files._warn_once.cache_clear()
    monkeypatch.setattr(fcntl, "flock", none)
    store = Store(tmp_path)
    with caplog.at_level(logging.WARNING):
        for name in ("abc", "abd"):
            with store.writing("sft", name, parts={}) as folder:
                assert folder is not None
            assert store.ready("sft", name)
        Record(tmp_path / "sft" / "record.jsonl")
    assert len(caplog.messages) == 1
    assert "has no locks" in caplog.messages[0]


def test_other_trouble_with_a_lock_is_no_warning(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*arguments: object) -> None:
        raise OSError(errno.EIO, os.strerror(errno.EIO))

    monkeypatch.setattr(fcntl, "flock", broken)
    with pytest.raises(InputError, match=r"record.jsonl: cannot keep"):
        Record(tmp_path / "record.jsonl")
