"""Resume points: when they are written, which one is used, and what damaged ones do."""

from __future__ import annotations

import json
import logging
import os
import shutil
import tempfile
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch

from helpers.adapters import adapter_hash
from helpers.training_runs import KillBefore, KilledError, loop_config, mean_length, train_sft
from mmie.errors import InputError
from mmie.integrity import file_digests
from mmie.training.plan import MicroBatch, StepLoader
from mmie.training.resume import PlainCheckpoints, ResumePoint


def trainer_at(step: int, save: Callable[[Path], object] | None = None) -> Any:
    def whole(path: Path) -> None:
        PlainCheckpoints().save_checkpoint({"global_step": step, "state_dict": {}}, path)

    return SimpleNamespace(
        global_step=step,
        is_global_zero=True,
        save_checkpoint=save or whole,
        strategy=SimpleNamespace(barrier=lambda: None),
    )


def batch(**changes: Any) -> MicroBatch:
    return MicroBatch(["a"], step=0, weight=1.0, **changes)


def saved(folder: Path, *steps: int) -> ResumePoint:
    """The folder after a training that saved at these steps."""
    resume = ResumePoint(folder, every=1)
    for step in steps:
        resume.on_train_batch_start(trainer_at(step), None, batch(), step)
    return resume


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def test_the_last_two_are_kept(tmp_path: Path) -> None:
    (tmp_path / "part-step-1").touch()  # of a run that was killed while saving
    saved(tmp_path, 8, 9, 10)
    assert names(tmp_path) == ["step-10.ckpt", "step-10.json", "step-9.ckpt", "step-9.json"]
    assert ResumePoint(tmp_path, every=1).latest() == tmp_path / "step-10.ckpt"


@pytest.mark.parametrize(("updates", "steps"), [(1, [2, 4]), (2, [2, 4, 6, 8]), (3, [3, 6, 9, 12])])
def test_resume_points_are_written_between_groups(
    tmp_path: Path, updates: int, steps: list[int]
) -> None:
    """Every second step, but never while the samples drawn for several updates are half used."""
    written = []

    def save(path: Path) -> None:
        written.append(path.name)
        PlainCheckpoints().save_checkpoint({"global_step": int(path.name.split("-")[-1])}, path)

    resume = ResumePoint(tmp_path, every=2)
    plan = [[n, n + 1] for n in range(0, 10, 2)]
    loader = StepLoader("abcdefghij", plan, sizes=[1] * 10, micro_batch_size=1, updates=updates)
    assert len(loader) == 10 * updates
    for number, micro in enumerate(loader):
        resume.on_train_batch_start(trainer_at(number // 2, save), None, micro, number)
    assert written == [f"part-step-{step}" for step in steps]
    resumed = ResumePoint(tmp_path, every=2)
    assert resumed.latest() == tmp_path / f"step-{steps[-1]}.ckpt"
    loader.first_step = steps[-1]
    resumed.on_train_batch_start(trainer_at(steps[-1], save), None, next(iter(loader)), 0)
    assert len(written) == len(steps)  # not once more


def flipped(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)


def renamed(path: Path) -> None:
    for end in (".ckpt", ".json"):
        path.with_suffix(end).rename(path.with_name(f"step-99999{end}"))


def planted(path: Path) -> None:
    """Runs code where it is read as an arbitrary pickle; the digests are right."""

    class Evil:
        def __reduce__(self) -> Any:
            return os.mkdir, (str(path.parent / "executed"),)

    torch.save({"global_step": 3, "state_dict": Evil()}, path)
    note = {"step": 3, "files": file_digests(path, hashed_up_to=path.stat().st_size)}
    path.with_suffix(".json").write_text(json.dumps(note))


ODD_NOTE = '{"step": 3, "files": {".": 1}}'
DAMAGES: dict[str, Callable[[Path], Any]] = {
    "empty": lambda path: path.write_bytes(b""),
    "half": lambda path: path.write_bytes(path.read_bytes()[:100]),
    "one byte": flipped,
    "another step": renamed,
    "no digest": lambda path: path.with_suffix(".json").unlink(),
    "broken digest": lambda path: path.with_suffix(".json").write_text("[" * 100_000),
    "odd digest": lambda path: path.with_suffix(".json").write_text(ODD_NOTE),
    "a folder": lambda path: (path.unlink(), path.mkdir()),
    "planted": planted,
}


@pytest.mark.parametrize("damage", DAMAGES.values(), ids=DAMAGES)
def test_the_newest_whole_one_is_taken(
    damage: Callable[[Path], Any], tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    saved(tmp_path, 2, 3)
    damage(tmp_path / "step-3.ckpt")
    resume = ResumePoint(tmp_path, every=1)
    with caplog.at_level(logging.WARNING):
        assert resume.latest() == tmp_path / "step-2.ckpt"
    assert not (tmp_path / "executed").exists()
    (message,) = caplog.messages
    assert message.startswith(f"{tmp_path}/step-")
    assert "\n" not in message
    resume.on_train_batch_start(trainer_at(3), None, batch(), 3)  # the step comes again
    assert names(tmp_path)[-4:] == ["step-2.ckpt", "step-2.json", "step-3.ckpt", "step-3.json"]
    assert ResumePoint(tmp_path, every=1).latest() == tmp_path / "step-3.ckpt"


def test_what_is_no_resume_point_is_ignored(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    for name in ("step-abc.ckpt", "step-.ckpt", "part-step-7"):
        (tmp_path / name).touch()
    with caplog.at_level(logging.WARNING):
        assert ResumePoint(tmp_path, every=1).latest() is None
    assert len(caplog.messages) == 2


def test_a_folder_is_checked_like_a_file(tmp_path: Path) -> None:
    """DeepSpeed's resume points are folders with one file for each process."""

    def save(path: Path) -> None:
        (path / "checkpoint").mkdir(parents=True)
        for rank in range(2):
            (path / "checkpoint" / f"rank-{rank}.pt").write_bytes(b"weights")

    resume = ResumePoint(tmp_path, every=1)
    for step in (1, 2, 3):
        resume.on_train_batch_start(trainer_at(step, save), None, batch(), step)
    assert names(tmp_path) == ["step-2.ckpt", "step-2.json", "step-3.ckpt", "step-3.json"]
    assert ResumePoint(tmp_path, every=1).latest() == tmp_path / "step-3.ckpt"
    (tmp_path / "step-3.ckpt/checkpoint/rank-1.pt").unlink()
    assert ResumePoint(tmp_path, every=1).latest() == tmp_path / "step-2.ckpt"


FULL = {
    "file": OSError(28, "No space left on device"),
    "folder": RuntimeError("[enforce fail at inline_container.cc] . PytorchStreamWriter failed"),
}


@pytest.mark.parametrize("error", FULL.values(), ids=FULL)
def test_a_full_disk_is_one_line(error: Exception, tmp_path: Path) -> None:
    def full(path: Path) -> None:
        path.write_bytes(b"half")
        raise error

    with pytest.raises(InputError, match=r"resume point of step 3 cannot be written") as raised:
        ResumePoint(tmp_path, every=3).on_train_batch_start(trainer_at(3, full), None, batch(), 6)
    assert "\n" not in str(raised.value)
    assert names(tmp_path) == []


def test_a_defect_stays_a_traceback(tmp_path: Path) -> None:
    def defect(path: Path) -> None:
        raise RuntimeError("expected all tensors on one device")

    with pytest.raises(RuntimeError, match="one device"):
        ResumePoint(tmp_path, every=3).on_train_batch_start(trainer_at(3, defect), None, batch(), 6)


def test_the_temporary_folder_is_not_used(
    make_policy: Any, examples: list[Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "nowhere"))
    loop = loop_config(checkpoint_every=1)
    train_sft(make_policy("qwen"), examples, tmp_path, epochs=1, loop=loop)
    assert ResumePoint(tmp_path, every=1).latest() == tmp_path / "step-1.ckpt"


@pytest.mark.parametrize("left", [2, 0], ids=["the older one", "none"])
def test_a_training_goes_on_from_what_is_whole(
    left: int, make_policy: Any, examples: list[Any], tmp_path: Path
) -> None:
    """From any resume point, or from the start, it ends like a training that was not killed."""
    ends = []
    for name in ("whole", "damaged"):
        folder = tmp_path / name
        folder.mkdir()
        if name == "damaged":
            shutil.copytree(tmp_path / "whole", folder, dirs_exist_ok=True)
            points = sorted(folder.glob("step-*.ckpt"))
            for point in points[1 if left else 0 :]:
                flipped(point)
        policy = make_policy("qwen", dropout=0.3)
        validate = mean_length(policy, examples[:3])
        loop = loop_config(checkpoint_every=1)
        best = train_sft(policy, examples, folder, epochs=2, validate=validate, loop=loop)
        metrics = (folder / "metrics.csv").read_text()
        ends.append((adapter_hash(policy), best.history, metrics))
        assert json.loads((folder / "step-3.json").read_text())["step"] == 3
    assert ends[0] == ends[1]


@pytest.mark.parametrize(("before", "after"), [(4, 1), (1, 4)])
def test_all_steps_are_made_whatever_the_micro_batches_were_before(
    before: int, after: int, make_policy: Any, examples: list[Any], tmp_path: Path
) -> None:
    """Lightning counts micro-batches, and goes on counting those of the resume point."""
    options: dict[str, Any] = {"epochs": 4, "loop": loop_config(checkpoint_every=1)}
    kill = KillBefore(step=5)
    with pytest.raises(KilledError):
        train_sft(make_policy(), examples, tmp_path, micro=before, callbacks=[kill], **options)
    best = train_sft(make_policy(), examples, tmp_path, micro=after, **options)
    assert [step for step, _ in best.history] == [4, 8]
    assert (tmp_path / "step-7.ckpt").exists()
