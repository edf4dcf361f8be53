"""Several processes answer what one answers, each its share, and leave the same file."""

from __future__ import annotations

import json
import multiprocessing
import os
import signal
import time
from collections.abc import Callable, Sequence
from contextlib import redirect_stderr
from dataclasses import dataclass, replace
from operator import itemgetter
from pathlib import Path
from typing import Any

import pytest

from helpers.training_runs import TRAINER
from mmie.artifacts import Store
from mmie.config import TrainerConfig
from mmie.errors import InputError
from mmie.stages import heartbeat, shares
from mmie.stages.answers import AnswerFile
from mmie.stages.context import Context
from mmie.stages.ranks import in_touch, rank_of
from mmie.types import Example

FORK = multiprocessing.get_context("fork")
SAMPLES = [Example(f"test-{number}", f"tëxt {number}", (), ()) for number in range(11)]
IDS = [example.id for example in SAMPLES]


@dataclass
class Config:
    trainer: TrainerConfig


def context_of(folder: Path, size: int) -> Context:
    trainer = replace(TRAINER, devices=size, strategy="ddp" if size > 1 else "auto")
    config: Any = Config(trainer)
    return Context(config, Store(folder / "artifacts"), folder)


def file_at(path: Path) -> AnswerFile[str]:
    def row(example: Example, text: str) -> dict[str, Any]:
        return {"id": example.id, "response": text}

    return AnswerFile(path, row, itemgetter("response"), keys=["id", "response"])


def fill(folder: Path, size: int, *, dies_at: int | None = None) -> list[str]:
    """The stage of one process; returns what it was asked.

    It is killed in the batch after ``dies_at`` samples.
    """
    asked: list[str] = []

    def ask(examples: Sequence[Example]) -> list[str]:
        if dies_at is not None and len(asked) >= dies_at:
            os.kill(os.getpid(), signal.SIGKILL)
        asked.extend(example.id for example in examples)
        return [example.text.upper() for example in examples]

    context = context_of(folder, size)
    with in_touch(context.config, context.store), context.open("evaluate", {}) as stage:
        if stage.new:
            path = stage.work / "predictions.jsonl"
            answers = shares.answer_in_shares(
                context, SAMPLES, ask, batch_size=2, file=file_at(path), label="answering"
            )
            expected = [example.text.upper() for example in SAMPLES]
            assert answers == (None if context.follower else expected)
    return asked


def member(rank: int, size: int, folder: Path, dies_at: int | None) -> None:
    os.environ["LOCAL_RANK"] = str(rank)
    heartbeat.BEAT, heartbeat.SILENCE = 0.1, 4.0
    heartbeat.STARTED = time.time()
    with (folder / f"{size}-{rank}.log").open("w") as log, redirect_stderr(log):
        asked = fill(folder, size, dies_at=dies_at)
    (folder / f"{size}-{rank}.json").write_text(json.dumps(asked))


def together(folder: Path, size: int, *, dying: dict[int, int] | None = None) -> list[int | None]:
    """Runs the stage in several processes; returns their exit codes."""
    start: Callable[..., Any] = FORK.Process
    processes = [
        start(target=member, args=(rank, size, folder, (dying or {}).get(rank)))
        for rank in range(size)
    ]
    for process in processes:
        process.start()
    for process in processes:
        process.join(timeout=60)
    return [process.exitcode for process in processes]


def asked_of(folder: Path, size: int) -> list[list[str]]:
    return [json.loads((folder / f"{size}-{rank}.json").read_text()) for rank in range(size)]


def files(folder: Path) -> dict[str, bytes]:
    (final,) = (folder / "artifacts" / "evaluate").iterdir()
    return {path.name: path.read_bytes() for path in final.iterdir() if path.name != "meta.json"}


@pytest.fixture
def alone(tmp_path: Path) -> dict[str, bytes]:
    """The files of one process."""
    folder = tmp_path / "alone"
    assert fill(folder, 1) == IDS
    return files(folder)


@pytest.mark.parametrize("size", [2, 3])
def test_several_processes_leave_the_files_of_one(
    size: int, tmp_path: Path, alone: dict[str, bytes]
) -> None:
    assert list(alone) == ["predictions.jsonl"]
    assert together(tmp_path, size) == [0] * size
    assert asked_of(tmp_path, size) == [IDS[rank::size] for rank in range(size)]
    assert files(tmp_path) == alone


@pytest.mark.slow
@pytest.mark.parametrize(("dead", "name"), [(1, "process 1"), (0, "the first process")])
def test_the_death_of_a_process_ends_the_others(dead: int, name: str, tmp_path: Path) -> None:
    start = time.monotonic()
    statuses = together(tmp_path, 2, dying={dead: 2})
    assert statuses == ([-signal.SIGKILL, 2] if dead == 0 else [2, -signal.SIGKILL])
    message = (tmp_path / f"2-{1 - dead}.log").read_text()
    assert message.startswith(f"error: no sign of life of {name} of this run for 4 s at ")
    assert message.count("\n") == 1
    assert time.monotonic() - start < 30
    assert heartbeat.SILENCE + 2 * heartbeat.BEAT < 60  # as shipped: within a minute


@pytest.mark.parametrize("size", [1, 2, 3])
def test_a_killed_run_goes_on_with_any_number_of_processes(
    size: int, tmp_path: Path, alone: dict[str, bytes]
) -> None:
    together(tmp_path, 2, dying={0: 4, 1: 2})
    done = {*IDS[0::2][:4], *IDS[1::2][:2]}
    (partial,) = tmp_path.glob("artifacts/evaluate/*.partial")
    with (partial / "part-1-of-2.jsonl").open("ab") as file:
        file.write('{"id": "test-5", "respé'.encode()[:-1])  # torn
    if size == 1:
        assert sorted(fill(tmp_path, 1)) == sorted({*IDS} - done)
    else:
        assert together(tmp_path, size) == [0] * size
        left = [[name for name in IDS[rank::size] if name not in done] for rank in range(size)]
        assert asked_of(tmp_path, size) == left
    assert files(tmp_path) == alone


def test_what_one_process_has_answered_is_not_asked_again(
    tmp_path: Path, alone: dict[str, bytes]
) -> None:
    process = FORK.Process(target=fill, args=(tmp_path, 1), kwargs={"dies_at": 4})
    process.start()
    process.join()
    assert together(tmp_path, 2) == [0, 0]
    assert asked_of(tmp_path, 2) == [IDS[4::2], IDS[5::2]]
    assert files(tmp_path) == alone


def test_nobody_waits_for_ever_for_a_process_that_has_never_been_started(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LOCAL_RANK", "0")
    monkeypatch.setattr(shares, "STARTUP", 0.1)
    message = r"^process 1 of 2 \(trainer\.devices × trainer\.num_nodes\) has not been started"
    with pytest.raises(InputError, match=message):
        fill(tmp_path, 2)


def test_answers_that_are_lost_are_missed(tmp_path: Path) -> None:
    together(tmp_path, 2, dying={1: 100})  # for its folder
    (final,) = (tmp_path / "artifacts" / "evaluate").iterdir()
    with pytest.raises(InputError, match=r": the answers to 11 of 11 samples are missing; delete"):
        shares._joined(file_at(final / "other" / "predictions.jsonl"), SAMPLES)


@pytest.mark.parametrize(
    ("environment", "rank"),
    [
        ({}, 0),
        ({"LOCAL_RANK": "1"}, 1),
        ({"LOCAL_RANK": "1", "NODE_RANK": "1"}, 3),
        ({"LOCAL_RANK": "1", "RANK": "3"}, 3),
        ({"SLURM_PROCID": "2", "SLURM_LOCALID": "0"}, 2),
        ({"SLURM_PROCID": "0", "LOCAL_RANK": "1"}, 1),
    ],
)
def test_each_process_has_a_number(
    environment: dict[str, str], rank: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("RANK", "LOCAL_RANK", "NODE_RANK", "SLURM_PROCID"):
        monkeypatch.delenv(name, raising=False)
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    assert rank_of(replace(TRAINER, devices=2, num_nodes=2)) == rank
    assert rank_of(TRAINER) == 0
