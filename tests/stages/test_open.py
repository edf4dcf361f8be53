"""How a stage is opened: its key, its folder, what is said of it, and what others wait for."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from helpers.configured import run_config
from mmie.artifacts import Store, fingerprint
from mmie.errors import InputError, NotFiniteError
from mmie.stages import ranks
from mmie.stages.context import Context
from mmie.stages.stage import VERSIONS


def context_of(folder: Path, *, processes: int = 1) -> Context:
    config = run_config()
    config = replace(config, trainer=replace(config.trainer, devices=processes))
    return Context(config, Store(folder / "artifacts"), folder)


def fill(
    context: Context,
    name: str = "data",
    *,
    label: str = "",
    error: BaseException | None = None,
    **parts: Any,
) -> str:
    """The stage's usual form, with a file that counts how often it was begun."""
    with context.open(name, parts, label=label) as stage:
        if stage.new:
            begun = stage.work / "begun"
            begun.write_text(begun.read_text() + "x" if begun.exists() else "x")
            if error:
                raise error
    return (stage.artifact.folder / "begun").read_text()


def test_a_stage_is_made_once(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    first, second = context_of(tmp_path), context_of(tmp_path)
    assert [fill(first, seed=1), fill(second, seed=1), fill(second, seed=2)] == ["x", "x", "x"]
    said = capsys.readouterr().out.replace("\n", "")
    assert said.count("data ──") == 2
    assert said.count("data: kept from before (") == 1
    assert [context.stages["data"]["cached"] for context in (first, second)] == [False, False]
    fill(second, seed=1)
    key = first.stages["data"]["key"]
    assert second.stages["data"] == {**second.stages["data"], "cached": True, "key": key}
    assert set(first.stages["data"]) == {"seconds", "made_in", "cached", "key"}


def test_an_interrupted_stage_goes_on_in_its_folder(tmp_path: Path) -> None:
    context = context_of(tmp_path)
    with pytest.raises(KeyboardInterrupt):
        fill(context, error=KeyboardInterrupt())
    assert context.stages == {}
    assert [path.name for path in tmp_path.glob("artifacts/data/*/begun")] == ["begun"]
    assert not list(tmp_path.glob("artifacts/data/*/meta.json"))
    assert fill(context) == "xx"


def test_two_runs_of_one_stage_have_their_labels(tmp_path: Path) -> None:
    context = context_of(tmp_path)
    fill(context, "evaluate", label="evaluate SFT", system=1)
    fill(context, "evaluate", label="evaluate base", system=2)
    assert list(context.stages) == ["evaluate SFT", "evaluate base"]


def test_what_is_not_finite_names_the_stage(tmp_path: Path) -> None:
    context = context_of(tmp_path)
    error = NotFiniteError("a logit", "sample 3")
    with pytest.raises(InputError, match=r"^vote SFT: a logit"):
        fill(context, "vote", label="vote SFT", error=error)


@pytest.fixture
def follower(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Context:
    monkeypatch.setenv("LOCAL_RANK", "1")
    return context_of(tmp_path, processes=2)


def while_waiting(monkeypatch: pytest.MonkeyPatch, leader: Context, name: str) -> None:
    """The first process finishes the stage as soon as the other one waits for it."""

    def finish(_: float) -> None:
        monkeypatch.setenv("LOCAL_RANK", "0")
        fill(leader, name)
        monkeypatch.setenv("LOCAL_RANK", "1")

    monkeypatch.setattr(ranks.time, "sleep", finish)


def test_another_process_waits_for_the_first(
    follower: Context, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    while_waiting(monkeypatch, context_of(tmp_path), "data")
    with follower.open("data", {}) as stage:
        assert not stage.new
        assert (stage.artifact.folder / "begun").exists()
    assert follower.stages == {}


def test_another_process_takes_part_in_a_training_and_waits_at_its_end(
    follower: Context, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It does not begin before the first process, which may have to wait for another run."""
    key = fingerprint(stage="sft", version=VERSIONS["sft"])

    def begin(_: float) -> None:
        ranks.begin_training(follower.config, follower.store, key)

    monkeypatch.setattr(ranks.time, "sleep", begin)
    with follower.open("sft", {}) as stage:
        while_waiting(monkeypatch, context_of(tmp_path), "sft")
        assert stage.new
        assert not stage.artifact.folder.exists()
    assert (stage.artifact.folder / "begun").read_text() == "x"
    with follower.open("sft", {}) as again:
        assert not again.new


def test_the_first_process_says_which_training_it_has_begun(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    leader = context_of(tmp_path, processes=2)
    config, store = leader.config, leader.store
    monkeypatch.setattr(ranks.time, "sleep", pytest.fail)
    with ranks.in_touch(config, store):
        with leader.open("grpo", {}) as stage:
            key = stage.artifact.key
            assert ranks.takes_part_in_training(config, store, "grpo", key)
        assert not ranks.takes_part_in_training(config, store, "grpo", key)
    assert not list(tmp_path.glob("artifacts/heartbeat/*"))


def test_no_process_takes_part_in_a_training_that_another_run_has_done(
    follower: Context, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Alone in a collective operation it would wait for the first one until that times out."""
    while_waiting(monkeypatch, context_of(tmp_path), "sft")
    with follower.open("sft", {}) as stage:
        assert not stage.new
        assert (stage.artifact.folder / "begun").exists()


def test_nobody_waits_for_a_process_that_is_gone(
    follower: Context, monkeypatch: pytest.MonkeyPatch
) -> None:
    parents = iter([os.getppid(), 1])
    monkeypatch.setattr(ranks.os, "getppid", lambda: next(parents))
    with pytest.raises(InputError, match=r"^data: the first process of this run is gone"):
        fill(follower)
