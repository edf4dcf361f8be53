"""wandb is optional: if it fails or hangs, the run continues soon, with one line of warning."""

from __future__ import annotations

import logging
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import wandb

from helpers.small_runs import config_of
from mmie.stages import tracking
from mmie.training.optional import LONGEST, Attempt
from mmie.training.wandb_log import WandbLog

SCORES = {"SFT": {"test/quintuple": {"f1": 0.5, "ci95": [0.4, 0.6]}}}


@pytest.fixture(autouse=True)
def _alone(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[None]:
    """No key, no settings, no run of another test."""
    for name in ("WANDB_API_KEY", "WANDB_MODE", "WANDB_BASE_URL", "WANDB_DATA_DIR", "WANDB_SILENT"):
        monkeypatch.setenv(name, "")
        monkeypatch.delenv(name)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setattr(tracking, "CONNECT", 2)
    yield
    tracking.finish()
    wandb.teardown()


def context(folder: Path) -> Any:
    config = config_of(folder, "logger.wandb=true")
    return SimpleNamespace(
        config=config, output=folder, sweep=None, overrides=(), follower=False, notes={}
    )


def whole_run(given: Any) -> list[Any]:
    """What a run asks of wandb, from its first stage to its end."""
    loggers = tracking.wandb_loggers(given, "sft")
    for logger in loggers:
        logger.log_metrics({"train/loss": 1.0}, step=0)
        logger.log_rollouts([{"image": [], "reward": 0.5, "text": "t"}], step=0)
    tracking.wandb_loggers(given, "grpo")
    tracking.summarise(given, SCORES)
    tracking.finish()
    return loggers


def warnings(caplog: pytest.LogCaptureFixture) -> list[str]:
    return [record.message for record in caplog.records if record.levelno >= logging.WARNING]


def raising(error: BaseException) -> Any:
    def call(*_: Any, **__: Any) -> None:
        raise error

    return call


NO_SERVER = {"WANDB_API_KEY": "a" * 40, "WANDB_BASE_URL": "http://127.0.0.1:9"}


@pytest.mark.slow
@pytest.mark.parametrize(
    ("environment", "warning"),
    [
        pytest.param(NO_SERVER, "wandb (online): ", marks=pytest.mark.slow),
        ({"WANDB_API_KEY": "abc"}, "wandb (online): WANDB_API_KEY invalid"),
        ({"WANDB_MODE": "foo"}, "WANDB_MODE=foo: it must be one of online, offline"),
    ],
)
def test_a_server_that_cannot_be_used_means_offline(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    environment: dict[str, str],
    warning: str,
) -> None:
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    start = time.perf_counter()
    assert len(whole_run(context(tmp_path))) == 1
    assert time.perf_counter() - start < 30
    (message,) = warnings(caplog)
    assert message.startswith(warning)
    assert message.endswith("logging offline")
    assert "\n" not in message
    assert list(tmp_path.glob("wandb/offline-run-*/*.wandb"))


@pytest.mark.parametrize(
    "error",
    [
        wandb.errors.CommError("no route"),
        wandb.errors.UsageError("no"),
        OSError(30, "read-only"),
        KeyError("x"),
        Exception("x"),
    ],
)
def test_a_wandb_that_cannot_start_at_all_is_done_without(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    error: Exception,
) -> None:
    monkeypatch.setattr(wandb, "init", raising(error))
    given = context(tmp_path)
    assert whole_run(given) == []
    assert [message.endswith("; going on without it") for message in warnings(caplog)] == [True]
    assert given.notes == {"wandb": "not used: it could not be started"}


def test_wandb_need_not_be_installed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setitem(sys.modules, "wandb", None)
    assert whole_run(context(tmp_path)) == []
    assert [message.endswith("; going on without it") for message in warnings(caplog)] == [True]


def test_an_address_that_is_none_is_no_reason_to_stop(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setenv("WANDB_BASE_URL", "foo")
    whole_run(context(tmp_path))
    assert [message.count("\n") for message in warnings(caplog)] == [0]


class Breaking:
    """A run that takes ``good`` calls and then none."""

    def __init__(self, good: int) -> None:
        self.good, self.calls = good, 0
        self.summary = SimpleNamespace(update=raising(wandb.errors.CommError("gone")))

    def log(self, *_: Any, **__: Any) -> None:
        self.calls += 1
        if self.calls > self.good:
            raise wandb.errors.CommError("gone\nfor good")


def test_a_failure_in_the_middle_is_told_once(caplog: pytest.LogCaptureFixture) -> None:
    run = Breaking(2)
    logger = WandbLog(run, stage="grpo")
    for step in range(5):
        logger.log_metrics({"train/loss": 1.0}, step=step)
        logger.log_rollouts([{"image": [], "reward": 0.5}], step=step)
    assert run.calls == 3
    assert warnings(caplog) == ["wandb: gone for good; the rest of this stage is not logged there"]


def test_scores_and_the_end_are_not_worth_a_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(wandb, "run", Breaking(0))
    monkeypatch.setattr(wandb, "finish", raising(TimeoutError("60 s")))
    tracking.summarise(context(tmp_path), SCORES)
    tracking.finish()
    assert [message.split("; ")[0] for message in warnings(caplog)] == [
        "wandb: gone",
        "wandb: 60 s",
    ]
    monkeypatch.setattr(wandb, "run", None)


@pytest.mark.parametrize("error", [KeyboardInterrupt(), SystemExit(143)])
def test_an_interrupt_is_no_failure_of_wandb(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, error: BaseException
) -> None:
    monkeypatch.setattr(wandb, "init", raising(error))
    with pytest.raises(type(error)):
        tracking.wandb_loggers(context(tmp_path), "sft")


def test_a_reason_is_one_line_of_bounded_length(caplog: pytest.LogCaptureFixture) -> None:
    with Attempt("it", otherwise="going on") as attempt:
        raise ValueError("a\n" * 10_000)
    assert attempt.failed
    assert len(warnings(caplog)[0]) < LONGEST + 30
