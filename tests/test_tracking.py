"""What wandb gets: names of single runs and of sweeps, curves, rollouts and scores in the offline folder."""

from __future__ import annotations

import json
import struct
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from hydra.types import RunMode
from omegaconf import OmegaConf

from helpers.results import results_of
from helpers.small_runs import config_of
from mmie import pipeline
from mmie.pipeline import execute
from mmie.results import write_results
from mmie.stages import tracking

pytestmark = pytest.mark.usefixtures("no_pictures")

BLOCK = 32768


@pytest.fixture
def _offline(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in {
        "WANDB_MODE": "offline",
        "WANDB_DATA_DIR": "",
        "WANDB_SILENT": "true",
    }.items():
        monkeypatch.setenv(name, value)


def context(tmp_path: Path, *overrides: str, **more: Any) -> Any:
    config = config_of(tmp_path, "logger.wandb=true", *overrides)
    return SimpleNamespace(
        config=config,
        **{"output": tmp_path, "sweep": None, "overrides": (), "follower": False, **more},
    )


def records(folder: Path) -> Iterator[Any]:
    """The records of a ``.wandb`` file: a LevelDB log of protocol buffers behind seven bytes of its own."""
    from wandb.proto.wandb_internal_pb2 import Record

    (path,) = folder.glob("wandb/offline-run-*/run-*.wandb")
    data, place, parts = path.read_bytes(), 7, b""
    while place + 7 <= len(data):
        if BLOCK - place % BLOCK < 7:
            place += BLOCK - place % BLOCK
            continue
        _, length, kind = struct.unpack("<IHB", data[place : place + 7])
        parts += data[place + 7 : place + 7 + length]
        place += 7 + length
        if kind in (1, 4):  # whole, or the last part
            yield Record.FromString(parts)
            parts = b""


def values(items: Any) -> dict[str, Any]:
    return {"/".join(item.nested_key) or item.key: json.loads(item.value_json) for item in items}


def test_single_runs_are_named_as_ever(tmp_path: Path) -> None:
    found = tracking.names(context(tmp_path, "+experiment=jmere_r1", "seed=3"))
    assert (found["group"], found["name"]) == ("jmere_r1", "jmere_r1-toy-seed3")
    assert found["tags"][:2] == ["jmere_r1", "toy"]
    assert len(found["tags"]) == 3


def test_the_jobs_of_a_sweep_are_grouped_and_told_apart(tmp_path: Path) -> None:
    varied = ["grpo.group_size=2", "reward.alpha=0.2"]
    found = tracking.names(
        context(
            tmp_path, "+experiment=jmere_r1", *varied, sweep="2026-11-21_10-00-00", overrides=varied
        )
    )
    assert (found["group"], found["name"]) == (
        "jmere_r1 2026-11-21_10-00-00",
        "grpo.group_size=2 reward.alpha=0.2",
    )
    assert found["tags"][3:] == varied
    plain = tracking.names(context(tmp_path, sweep="s"))
    assert (plain["group"], plain["name"]) == ("default s", "default-toy-seed0")


@pytest.mark.parametrize(
    ("mode", "sweep", "varied"),
    [(RunMode.MULTIRUN, "today", ["reward.alpha=0.2", "filter=[]"]), (RunMode.RUN, None, [])],
)
def test_what_varies_is_passed_on(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    mode: RunMode,
    sweep: str | None,
    varied: list[str],
) -> None:
    """A sweep's values are typed as lists or stand in an experiment's file, what all jobs share is typed as it is."""
    job = SimpleNamespace(
        mode=mode,
        sweep=SimpleNamespace(dir="multirun/x/today"),
        runtime=SimpleNamespace(output_dir="out"),
        overrides=SimpleNamespace(task=["seed=1", *varied]),
    )
    passed: dict[str, Any] = {}
    monkeypatch.setattr("sys.argv", ["run.py", "-m", "seed=1", "reward.alpha=0,0.2"])
    monkeypatch.setattr(pipeline.HydraConfig, "get", lambda: job)
    write_results(tmp_path / "results.json", results_of())
    config = SimpleNamespace(
        stages=["evaluate"], artifacts="artifacts", trainer=SimpleNamespace(devices=1, num_nodes=1)
    )
    monkeypatch.setattr(pipeline, "to_run_config", lambda _: config)
    monkeypatch.setattr(
        pipeline, "execute", lambda *_, **more: passed.update(more) or tmp_path / "results.json"
    )
    pipeline.run(OmegaConf.create())
    assert (passed["sweep"], passed["overrides"]) == (sweep, varied)


def test_names_and_tags_are_no_longer_than_wandb_takes(tmp_path: Path) -> None:
    long = f"model.path={'x' * 200}"
    found = tracking.names(context(tmp_path, sweep="s" * 200, overrides=[long]))
    assert [len(found["group"]), len(found["name"]), max(map(len, found["tags"]))] == [128, 128, 64]


def test_other_processes_of_a_run_log_nothing(tmp_path: Path) -> None:
    follower = context(tmp_path, follower=True)
    assert tracking.wandb_loggers(follower, "sft") == []
    tracking.summarise(follower, {"SFT": {"test/quintuple": {"f1": 0.5}}})
    assert not (tmp_path / "wandb").exists()


def test_a_key_is_looked_for(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.delenv("WANDB_API_KEY", raising=False)
    monkeypatch.setenv("HOME", str(tmp_path))
    assert not tracking.has_key()
    (tmp_path / ".netrc").write_text("machine api.wandb.ai login user password secret\n")
    (tmp_path / ".netrc").chmod(0o600)
    assert tracking.has_key()


@pytest.mark.slow
@pytest.mark.usefixtures("_offline")
def test_the_offline_folder_holds_curves_rollouts_and_scores(tmp_path: Path) -> None:
    overrides = ["logger.wandb=true", "logger.rollouts_every=1"]
    results = execute(config_of(tmp_path, *overrides), tmp_path, sweep="today", overrides=overrides)
    found = json.loads(results.read_text(encoding="utf-8"))
    kept = [*records(tmp_path)]
    (run,) = [record.run for record in kept if record.WhichOneof("record_type") == "run"]
    assert (run.run_group, run.display_name) == (
        "default today",
        "logger.wandb=true logger.rollouts_every=1",
    )
    assert list(run.tags) == ["default", "toy", found["key"], *overrides]
    history = [
        values(record.history.item)
        for record in kept
        if record.WhichOneof("record_type") == "history"
    ]
    curve = {
        row["trainer/global_step"]: row["grpo-train/reward"]
        for row in history
        if "grpo-train/reward" in row
    }
    assert sorted(curve) == [0, 1]
    assert any("sft-val/f1" in row for row in history)
    assert all(
        any(f"grpo-train/{part}" in row for row in history) for part in ("r_q", "r_p", "r_f")
    )
    tables = [row["rollouts/path"] for row in history if "rollouts/path" in row]
    assert len(tables) == 2
    (files,) = tmp_path.glob("wandb/offline-run-*/files")
    table = json.loads((files / tables[0]).read_text(encoding="utf-8"))
    assert {"text", "response", "reward", "r_q", "advantage"} <= set(table["columns"])
    assert all(isinstance(row[table["columns"].index("reward")], float) for row in table["data"])
    assert list((tmp_path / "wandb/artifacts/staging").iterdir()), (
        "the tables' pictures are not in the run's folder"
    )
    summary = {}
    for record in kept:
        if record.WhichOneof("record_type") == "summary":
            summary |= values(record.summary.update)
    assert summary["test/quintuple/f1"] == found["systems"]["JMERE-R1"]["test/quintuple"]["f1"]
    assert (
        summary["JMERE-R1/test/quintuple/gold"]
        == found["systems"]["JMERE-R1"]["test/quintuple"]["gold"]
    )
    assert {"zero-shot/test/entity/f1", "warm-up/test/quintuple/f1_low"} <= set(summary)
