"""Damaged finished work is refused at the start. Unfinished work continues before the damage."""

from __future__ import annotations

import json
import os
import resource
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import torch

from helpers.configured import run_config
from mmie.artifacts import Store
from mmie.errors import InputError
from mmie.files import disk_errors, parse_json, read_and_repair_jsonl
from mmie.models.exporting import export_merged
from mmie.models.vision_cache import FeatureStore
from mmie.stages.context import Context
from mmie.stages.deliver import export
from mmie.training.metrics_log import MetricsLog
from mmie.types import Sampling

ROWS = '{"id": 1}\n{"id": 2}\n'
DEEP = "[" * 100_000


def finished(store: Store) -> Path:
    with store.writing("filter", "abc", parts={}) as folder:
        assert folder is not None
        (folder / "chosen.jsonl").write_text(ROWS)
        (folder / "empty.jsonl").touch()
        (folder / "adapter").mkdir()
        (folder / "adapter" / "weights").write_bytes(b"12345678")
        (folder / "step-4.ckpt").write_text("resume point")
        (folder / "step-3.ckpt").mkdir()
        (folder / "part-step-5").touch()
        (folder / ".metrics.csv.12").touch()
    return store.path("filter", "abc")


def meta_with(**changes: Any) -> Callable[[Path], None]:
    def change(folder: Path) -> None:
        path = folder / "meta.json"
        path.write_text(json.dumps({**json.loads(path.read_text()), **changes}))

    return change


DAMAGES: dict[str, tuple[Callable[[Path], Any], str]] = {
    "no meta.json": (lambda folder: (folder / "meta.json").unlink(), "meta.json is missing"),
    "half a meta.json": (lambda folder: os.truncate(folder / "meta.json", 40), "meta.json is "),
    "meta.json in no encoding": (
        lambda folder: (folder / "meta.json").write_bytes(b"\xff"),
        "meta.json is ",
    ),
    "deep meta.json": (lambda folder: (folder / "meta.json").write_text(DEEP), "meta.json is "),
    "another's meta.json": (meta_with(key="abd"), "meta.json does not belong to it"),
    "no list of files": (meta_with(files=None), "meta.json does not belong to it"),
    "broken list of files": (meta_with(files={"chosen.jsonl": 3}), "its list of files is broken"),
    "emptied": (
        lambda folder: os.truncate(folder / "chosen.jsonl", 0),
        "chosen.jsonl has 0 bytes instead of 20",
    ),
    "cut at a line end": (
        lambda folder: os.truncate(folder / "chosen.jsonl", 10),
        "chosen.jsonl has 10 bytes instead of 20",
    ),
    "another digit": (
        lambda folder: (folder / "chosen.jsonl").write_text(ROWS.replace("1", "3")),
        "chosen.jsonl is not what was written",
    ),
    "a missing file": (
        lambda folder: (folder / "adapter" / "weights").unlink(),
        "weights is missing",
    ),
    "an empty folder": (
        lambda folder: (shutil.rmtree(folder), folder.mkdir()),
        "meta.json is missing",
    ),
    "a file in its place": (
        lambda folder: (shutil.rmtree(folder), folder.touch()),
        "meta.json is missing",
    ),
}


@pytest.mark.parametrize(("damage", "reason"), DAMAGES.values(), ids=DAMAGES)
def test_damaged_finished_work_is_refused_before_any_work(
    damage: Callable[[Path], Any], reason: str, tmp_path: Path
) -> None:
    store, worked = Store(tmp_path), []
    folder = finished(store)
    damage(folder)
    with pytest.raises(InputError) as error, store.writing("filter", "abc", parts={}) as partial:
        worked.append(partial)
    assert worked == []
    message = str(error.value)
    assert message.startswith(f"{folder}: this finished work is damaged ({reason}")
    assert message.endswith("; delete the folder and run again")
    assert "\n" not in message
    shutil.rmtree(folder) if folder.is_dir() else folder.unlink()  # the advice leads out of it
    assert finished(store) == folder
    with store.writing("filter", "abc", parts={}) as partial:
        assert partial is None


def test_what_only_helps_to_go_on_is_deleted_under_the_final_name(tmp_path: Path) -> None:
    """A kill before the rename leaves the resume points; one after it leaves only rubbish."""
    store = Store(tmp_path)
    folder = finished(store)
    names = sorted(path.name for path in folder.iterdir())
    assert names == ["adapter", "chosen.jsonl", "empty.jsonl", "meta.json"]
    (folder / "step-4.ckpt").touch()
    with store.writing("filter", "abc", parts={}) as partial:
        assert partial is None
    assert not (folder / "step-4.ckpt").exists()


def test_of_large_files_the_size_is_checked(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("mmie.artifacts.HASHED", 10)
    store = Store(tmp_path)
    folder = finished(store)
    files = store.meta("filter", "abc")["files"]
    assert files["chosen.jsonl"] == [20, None]
    assert len(files["adapter/weights"][1]) == 64
    os.truncate(folder / "chosen.jsonl", 19)
    with pytest.raises(InputError, match="has 19 bytes instead of 20"):
        finished(store)


BROKEN_ROWS = {
    "torn": '{"id": 3',
    "not JSON": '{"id": 3\n{"id": 4}\n',
    "deep": f"{DEEP}\n",
    "no object": "3\n",
    "null": "null\n",
    "without the key": '{"name": 3}\n',
}


@pytest.mark.parametrize("broken", BROKEN_ROWS.values(), ids=BROKEN_ROWS)
def test_rows_go_on_after_the_last_whole_one(broken: str, tmp_path: Path) -> None:
    path = tmp_path / "predictions.jsonl"
    path.write_text(ROWS + broken)
    assert read_and_repair_jsonl(path, keys=["id"]) == [{"id": 1}, {"id": 2}]
    assert path.read_text() == ROWS


def test_rows_in_no_encoding_are_cut(tmp_path: Path) -> None:
    path = tmp_path / "predictions.jsonl"
    path.write_bytes(b'{"id": 1}\n{"id": "\xff"}\n')
    assert read_and_repair_jsonl(path, keys=["id"]) == [{"id": 1}]


def test_damaged_metrics_are_dropped(tmp_path: Path) -> None:
    log = MetricsLog(tmp_path / "metrics.csv")
    log.path.write_bytes(
        b'step,name,value\n0,a,1\n0,"b,1\n\xff\x00,c\n0,c,2\n\xc2\xb2,c,2\n9,d,1\n'
    )
    log.start_at(1)
    assert log.path.read_text().splitlines() == ["step,name,value", "0,a,1", "0,c,2"]


def test_deep_json_is_a_value_error() -> None:
    with pytest.raises(ValueError, match="nested too deeply"):
        parse_json(DEEP)


@contextmanager
def disk_of(size: int) -> Iterator[None]:
    """No file can grow beyond that many bytes."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


def exported(policy: Any, folder: Path, adapter: Path) -> None:
    config = run_config(f"export.folder={folder}", f"predict.adapter={adapter}")
    context = Context(config, Store(folder.parent / "artifacts"), folder.parent)
    context.__dict__["policy"] = policy
    export(context)


WRITERS: dict[str, Callable[[Any, Path, Path], Any]] = {
    "features": lambda policy, folder, adapter: FeatureStore(folder).put("ab", torch.ones(9000)),
    "adapter": lambda policy, folder, adapter: policy.save_adapter(folder),
    "merged": lambda policy, folder, adapter: export_merged(
        policy, folder, sampling=Sampling(temperature=0.8, max_new_tokens=8)
    ),
    "export": exported,
}


@pytest.mark.parametrize("write", WRITERS.values(), ids=WRITERS)
def test_a_full_disk_is_one_line_wherever_it_is_met(
    write: Callable[[Any, Path, Path], Any], make_policy: Any, tmp_path: Path
) -> None:
    policy = make_policy("qwen")
    policy.save_adapter(tmp_path / "adapter")
    folder = tmp_path / "out"
    with disk_of(4096), pytest.raises(InputError, match=r"out\S*: cannot be written") as error:
        write(policy, folder, tmp_path / "adapter")
    assert "\n" not in str(error.value)


def test_an_export_folder_that_is_a_file_is_one_line(make_policy: Any, tmp_path: Path) -> None:
    (tmp_path / "out").touch()
    policy = make_policy("qwen")
    policy.save_adapter(tmp_path / "adapter")
    with pytest.raises(InputError, match=r"out: no folder can be made there \(File exists\)"):
        exported(policy, tmp_path / "out", tmp_path / "adapter")


def test_other_errors_are_no_disk_errors(tmp_path: Path) -> None:
    with pytest.raises(KeyError), disk_errors(tmp_path, also=(ValueError,)):
        raise KeyError
