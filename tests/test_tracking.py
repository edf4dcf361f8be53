"""What wandb gets: names of single runs and of sweeps, curves, rollouts and scores."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import wandb
from hydra.types import RunMode
from omegaconf import OmegaConf

from helpers.small_runs import config_of
from mmie import pipeline
from mmie.pipeline import execute
from mmie.results import read_results
from mmie.stages import tracking

pytestmark = pytest.mark.usefixtures("no_pictures")


class Recorder:
    """Keeps what a wandb run is given."""

    id = "recorded"

    def __init__(self) -> None:
        self.options: dict[str, Any] = {}
        self.history: list[dict[str, Any]] = []
        self.summary: dict[str, Any] = {}

    def define_metric(self, name: str, **_: Any) -> None:
        """The axes of wandb's charts are not looked at here."""

    def log(self, row: dict[str, Any]) -> None:
        self.history.append(row)

    def rows_with(self, name: str) -> list[dict[str, Any]]:
        return [row for row in self.history if name in row]


@pytest.fixture
def recorder(monkeypatch: pytest.MonkeyPatch) -> Recorder:
    """Stands where wandb would start a run."""
    recorder = Recorder()

    def init(**options: Any) -> Recorder:
        recorder.options = options
        monkeypatch.setattr(wandb, "run", recorder)
        return recorder

    monkeypatch.setattr(wandb, "init", init)
    monkeypatch.setattr(wandb, "finish", lambda: None)
    return recorder


def context(tmp_path: Path, *overrides: str, **more: Any) -> Any:
    config = config_of(tmp_path, "logger.wandb=true", *overrides)
    return SimpleNamespace(
        config=config,
        **{"output": tmp_path, "sweep": None, "overrides": (), "follower": False, **more},
    )


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
    """The values of a sweep are not typed as they are used; what all jobs share is."""
    job = SimpleNamespace(
        mode=mode,
        sweep=SimpleNamespace(dir="multirun/x/today"),
        runtime=SimpleNamespace(output_dir="out"),
        overrides=SimpleNamespace(task=["seed=1", *varied]),
    )
    passed: dict[str, Any] = {}
    monkeypatch.setattr("sys.argv", ["run.py", "-m", "seed=1", "reward.alpha=0,0.2"])
    monkeypatch.setattr(pipeline.HydraConfig, "get", lambda: job)
    (tmp_path / "results.json").write_text('{"stages": {}}')
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
def test_wandb_gets_names_curves_rollouts_and_scores(tmp_path: Path, recorder: Recorder) -> None:
    overrides = ["logger.wandb=true", "logger.rollouts_every=1"]
    path = execute(config_of(tmp_path, *overrides), tmp_path, sweep="today", overrides=overrides)
    assert path is not None
    results = read_results(path)
    options = recorder.options
    assert (options["group"], options["name"]) == ("default today", " ".join(overrides))
    assert options["tags"] == ["default", "toy", results.key, *overrides]

    steps = [row["trainer/global_step"] for row in recorder.rows_with("grpo-train/reward")]
    assert steps == [0, 1]
    for name in ("sft-val/f1", "grpo-train/r_q", "grpo-train/r_p", "grpo-train/r_f"):
        assert recorder.rows_with(name), name

    tables = [row["rollouts"] for row in recorder.rows_with("rollouts")]
    assert len(tables) == 2
    assert {"text", "response", "reward", "r_q", "advantage"} <= set(tables[0].columns)
    assert all(isinstance(reward, float) for reward in tables[0].get_column("reward"))
    assert all(isinstance(image, wandb.Image) for image in tables[0].get_column("image"))

    measures = results.systems["JMERE-R1"]
    assert recorder.summary["test/quintuple/f1"] == measures["test/quintuple"].f1
    assert recorder.summary["JMERE-R1/test/quintuple/gold"] == measures["test/quintuple"].gold
    assert {"zero-shot/test/entity/f1", "warm-up/test/quintuple/f1_low"} <= set(recorder.summary)
