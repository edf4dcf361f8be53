"""Files and folders are compared with what was once written, down to the last byte."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from math import inf
from pathlib import Path

import pytest

from mmie.integrity import SCRATCH, file_digests, find_damage, sync_tree


def checkpoint(folder: Path) -> Path:
    """A folder with folders in it, as DeepSpeed writes a checkpoint."""
    (folder / "checkpoint").mkdir(parents=True)
    (folder / "latest").write_bytes(b"checkpoint")
    (folder / "checkpoint" / "states.pt").write_bytes(b"12345")
    return folder


def digest(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def test_a_folder_lists_all_files_below_it(tmp_path: Path) -> None:
    folder = checkpoint(tmp_path / "step-3.ckpt")
    assert file_digests(folder, hashed_up_to=inf) == {
        "checkpoint/states.pt": [5, digest(b"12345")],
        "latest": [10, digest(b"checkpoint")],
    }
    assert file_digests(folder, hashed_up_to=5)["latest"] == [10, None]
    sync_tree(folder)


def test_a_file_lists_itself(tmp_path: Path) -> None:
    path = tmp_path / "a"
    path.write_bytes(b"12345")
    digests = file_digests(path, hashed_up_to=inf)
    assert digests == {".": [5, digest(b"12345")]}
    assert find_damage(path, digests) is None


def test_what_only_helps_to_continue_is_left_out(tmp_path: Path) -> None:
    checkpoint(tmp_path / "step-3.ckpt")
    (tmp_path / ".lock").touch()
    (tmp_path / "model").touch()
    assert list(file_digests(tmp_path, hashed_up_to=inf, skip=SCRATCH)) == ["model"]


@pytest.mark.parametrize(
    ("damage", "reason"),
    [
        (lambda file: file.unlink(), "states.pt is missing"),
        (lambda file: file.write_bytes(b"1234"), "states.pt has 4 bytes instead of 5"),
        (lambda file: file.write_bytes(b"12346"), "states.pt is not what was written"),
        (lambda file: None, None),
    ],
)
def test_the_first_damaged_file_is_named(
    damage: Callable[[Path], object], reason: str | None, tmp_path: Path
) -> None:
    folder = checkpoint(tmp_path / "step-3.ckpt")
    digests = file_digests(folder, hashed_up_to=inf)
    damage(folder / "checkpoint" / "states.pt")
    assert find_damage(folder, digests) == reason


def test_a_broken_list_is_damage(tmp_path: Path) -> None:
    folder = checkpoint(tmp_path / "step-3.ckpt")
    assert find_damage(folder, {"latest": ["10", None]}) == "its list of files is broken at latest"
