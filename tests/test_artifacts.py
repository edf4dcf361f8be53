"""Fingerprints, the store's promise (whole or not there, made once), atomic files, provenance."""

import errno
import json
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from mmie import artifacts
from mmie.artifacts import Store, commit, fingerprint, versions
from mmie.errors import InputError
from mmie.files import to_json_types, write_json, write_text
from mmie.hardware import hardware
from mmie.types import Quintuple

GOLD = Quintuple("Josh Gordon", "per", "Browns", "org", "member of")


@dataclass
class Inner:
    rate: float
    folder: Path


@dataclass
class Outer:
    inner: Inner
    names: tuple[str, ...]


def make(store: Store, body: Callable[[Path | None], object]) -> None:
    with store.writing("sft", "abc", parts={}) as folder:
        body(folder)


def fail(folder: Path | None) -> None:
    """Leaves a file behind and raises."""
    assert folder is not None
    (folder / "last.ckpt").write_text("step 3")
    raise ZeroDivisionError


def test_fingerprint_is_the_hash_of_canonical_json() -> None:
    """The first 16 digits of ``printf '{"a":1.0,"b":["x",null]}' | sha256sum``."""
    assert fingerprint(b=["x", None], a=1) == "f33f4d64858d52dc"


def test_fingerprint_normalises() -> None:
    parts = Outer(Inner(2.0, Path("a/b")), ("x", "y"))
    assert fingerprint(p=parts) == fingerprint(
        p={"names": ["x", "y"], "inner": {"folder": "a/b", "rate": 2}}
    )


@pytest.mark.parametrize(
    "other",
    [
        {"a": [2, 1]},
        {"a": [1, 2], "b": None},
        {"b": [1, 2]},
        {"a": [1, 2.5]},
        {"a": "[1,2]"},
        {"a": [True, 2]},
    ],
)
def test_fingerprint_tells_apart(other: dict[str, Any]) -> None:
    assert fingerprint(**other) != fingerprint(a=[1, 2])


@pytest.mark.parametrize("part", [{1: "x"}, {"x", "y"}, object(), b"x"])
def test_fingerprint_refuses_what_is_no_json(part: object) -> None:
    with pytest.raises(TypeError):
        fingerprint(part=part)


@pytest.mark.parametrize("part", [float("nan"), float("inf")])
def test_fingerprint_refuses_what_is_not_finite(part: float) -> None:
    with pytest.raises(ValueError, match="not JSON compliant"):
        fingerprint(part=part)


def test_plain_reaches_every_depth() -> None:
    assert to_json_types({"q": [GOLD], "p": (Path("x"),)}) == {"q": [list(GOLD)], "p": ["x"]}


def test_finished_work_stands_under_its_key(tmp_path: Path) -> None:
    store = Store(tmp_path)
    assert not store.ready("sft", "abc")
    with store.writing("sft", "abc", parts={"lr": 0.1, "path": Path("x")}) as folder:
        assert folder == tmp_path / "sft" / "abc.partial" == store.partial("sft", "abc")
        (folder / "adapter").write_text("weights")
        assert not store.ready("sft", "abc")
    assert store.ready("sft", "abc")
    assert (store.path("sft", "abc") / "adapter").read_text() == "weights"
    assert [path.name for path in (tmp_path / "sft").iterdir()] == ["abc"]
    meta = store.meta("sft", "abc")
    assert (meta["stage"], meta["key"], meta["parts"]) == ("sft", "abc", {"lr": 0.1, "path": "x"})
    assert 0 <= meta["seconds"] < 10
    assert meta["versions"]["python"] == versions()["python"]
    assert meta["hardware"] == hardware()
    assert {"commit", "date"} < set(meta)


def test_finished_work_is_not_done_again(tmp_path: Path) -> None:
    store = Store(tmp_path)
    for expected in (store.partial("sft", "abc"), None):
        with store.writing("sft", "abc", parts={}) as folder:
            assert folder == expected
    (tmp_path / "sft" / "abc.lock").mkdir()  # not even the lock is touched
    with store.writing("sft", "abc", parts={}) as folder:
        assert folder is None
    with store.writing("sft", "other", parts={}) as folder:
        assert folder is not None


def test_what_a_failed_try_left_is_there_for_the_next(tmp_path: Path) -> None:
    store, left = Store(tmp_path), []
    with pytest.raises(ZeroDivisionError):
        make(store, fail)
    assert not store.ready("sft", "abc")
    make(store, lambda folder: left.append((folder / "last.ckpt").read_text() if folder else None))
    assert left == ["step 3"]
    assert store.ready("sft", "abc")


KILLED = """
import sys, time
from mmie.artifacts import Store
with Store(sys.argv[1]).writing("grpo", "abc", parts={}) as folder:
    (folder / "last.ckpt").write_text("step 3")
    print("inside", flush=True)
    time.sleep(60)
"""


def test_a_killed_run_leaves_its_folder_and_no_lock(tmp_path: Path) -> None:
    with subprocess.Popen(
        [sys.executable, "-c", KILLED, str(tmp_path)], stdout=subprocess.PIPE, text=True
    ) as run:
        assert run.stdout is not None
        assert run.stdout.readline() == "inside\n"
        run.send_signal(signal.SIGKILL)
    store = Store(tmp_path)
    assert not store.ready("grpo", "abc")
    with store.writing("grpo", "abc", parts={}) as folder:
        assert folder is not None
        assert (folder / "last.ckpt").read_text() == "step 3"


def test_a_second_run_waits_and_finds_the_work_done(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    store, waiting, found = Store(tmp_path), threading.Event(), []
    monkeypatch.setattr(caplog.handler, "emit", lambda record: waiting.set())

    def second() -> None:
        with store.writing("sft", "abc", parts={}) as folder:
            found.append((folder, store.ready("sft", "abc")))

    thread = threading.Thread(target=second)
    with store.writing("sft", "abc", parts={}):
        thread.start()
        assert waiting.wait(10)
        assert found == []
    thread.join(10)
    assert found == [(None, True)]
    assert [path.name for path in (tmp_path / "sft").iterdir()] == ["abc"]


def test_a_second_run_takes_over_where_the_first_fails(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    store, waiting, found = Store(tmp_path), threading.Event(), []
    monkeypatch.setattr(caplog.handler, "emit", lambda record: waiting.set())
    thread = threading.Thread(target=make, args=(store, found.append))

    def start_the_second_and_fail(folder: Path | None) -> None:
        thread.start()
        assert waiting.wait(10)
        fail(folder)

    with pytest.raises(ZeroDivisionError):
        make(store, start_the_second_and_fail)
    thread.join(10)
    assert found == [store.partial("sft", "abc")]
    assert store.ready("sft", "abc")


def test_a_folder_that_cannot_be_made_is_one_line(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(
        InputError, match=r"^\S+/file/sft/abc.lock: cannot be written \(Not a directory\); [^\n]+$"
    ):
        make(Store(tmp_path / "file"), fail)


def test_a_full_disk_is_one_line(tmp_path: Path) -> None:
    def fill(folder: Path | None) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    with pytest.raises(InputError, match=r"abc.partial: cannot be written \(No space left"):
        make(Store(tmp_path), fill)
    assert not Store(tmp_path).ready("sft", "abc")


def test_other_errors_of_the_body_stay_as_they_are(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        make(Store(tmp_path), lambda folder: Path(str(folder), "missing").read_text())
    assert not Store(tmp_path).ready("sft", "abc")


def test_write_json_is_read_back(tmp_path: Path) -> None:
    path = tmp_path / "new" / "results.json"
    write_json(path, {"gold": (GOLD,), "text": "Zürich 🎉", "lone": "\ud83d"})
    assert json.loads(path.read_text(encoding="utf-8")) == {
        "gold": [["Josh Gordon", "per", "Browns", "org", "member of"]],
        "text": "Zürich 🎉",
        "lone": "\ud83d",
    }
    assert "Zürich 🎉" in path.read_text(encoding="utf-8")


def test_write_text_replaces_whole(tmp_path: Path) -> None:
    path = tmp_path / "report.md"
    write_text(path, "old\n")
    write_text(path, "new")
    assert path.read_bytes() == b"new"
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize("step", ["fsync", "replace"])
def test_a_write_that_fails_leaves_what_was_there(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, step: str
) -> None:
    path = tmp_path / "results.json"
    write_text(path, "old")

    def full(*arguments: object) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, step, full)
    with pytest.raises(
        InputError, match=r"results.json: cannot be written \(No space left on device\)"
    ):
        write_text(path, "new")
    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]


def git(folder: Path, *arguments: str) -> str:
    identity = ["-c", "user.name=x", "-c", "user.email=x@example.org"]
    return subprocess.run(
        ["git", "-C", str(folder), *identity, *arguments],
        capture_output=True,
        text=True,
        check=True,
    ).stdout.strip()


def test_commit_says_whether_files_differ_from_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in [name for name in os.environ if name.startswith("GIT_")]:
        monkeypatch.delenv(name)
    monkeypatch.setattr(artifacts, "__file__", str(tmp_path / "artifacts.py"))
    monkeypatch.setenv("GIT_CEILING_DIRECTORIES", str(tmp_path.parent))
    assert commit() == "unknown"
    git(tmp_path, "init")
    assert commit() == "unknown"
    git(tmp_path, "commit", "--allow-empty", "-m", "one")
    head = git(tmp_path, "rev-parse", "HEAD")
    assert len(head) == 40
    assert commit() == head
    (tmp_path / "new.py").write_text("")
    assert commit() == f"{head}+dirty"
    monkeypatch.setenv("PATH", "")
    assert commit() == "unknown"


def test_versions_skip_what_is_not_installed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(artifacts, "PACKAGES", ("numpy", "surely-not-installed"))
    assert set(versions()) == {"python", "numpy"}
