"""After a step: the best adapter, the rollout rows, the metrics file, the resume point."""

from __future__ import annotations

import json
import signal
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import pytorch_lightning as pl
import torch

from helpers.adapters import adapter_hash
from helpers.training_runs import loop_config, train_grpo, train_sft
from mmie.training.callbacks import BestAdapter, RolloutRows
from mmie.training.metrics_log import MetricsLog
from mmie.training.plan import MicroBatch


def trainer_at(step: int, **more: Any) -> Any:
    values = {
        "global_step": step,
        "accumulate_grad_batches": 2,
        "loggers": [],
        "is_global_zero": True,
        **more,
    }
    return SimpleNamespace(**values)


def module_with(value: float) -> Any:
    return SimpleNamespace(policy=SimpleNamespace(adapter_state=lambda: {"w": torch.tensor(value)}))


@pytest.mark.parametrize(
    ("steps", "validations", "after"),
    [(6, 3, {2, 4, 6}), (5, 2, {2, 5}), (3, 1, {3}), (2, 5, {0, 1, 2}), (4, 0, {4})],
)
def test_validations_are_evenly_spread(steps: int, validations: int, after: set[int]) -> None:
    best = BestAdapter(lambda: 0.0, steps=steps, validations=validations)
    assert best.validation_steps == after


def test_the_earliest_best_adapter_is_kept() -> None:
    scores = iter([0.2, 0.5, 0.5, 0.4])
    best = BestAdapter(lambda: next(scores), steps=4, validations=4)
    for step in range(1, 5):
        for index in (2 * step - 2, 2 * step - 1):  # the second micro-batch ends the step
            best.on_train_batch_end(trainer_at(step), module_with(step), None, None, index)
    assert (best.f1, best.step, float(best.adapter["w"])) == (0.5, 2, 2.0)
    assert best.history == [(1, 0.2), (2, 0.5), (3, 0.5), (4, 0.4)]
    again = BestAdapter(lambda: 0.0, steps=4, validations=4)
    again.load_state_dict(best.state_dict())
    assert again.state_dict() == best.state_dict()


def test_zero_is_a_score_worth_keeping() -> None:
    best = BestAdapter(lambda: 0.0, steps=1, validations=1)
    best.on_train_batch_end(trainer_at(1), module_with(3.0), None, None, 1)
    assert (best.f1, float(best.adapter["w"])) == (0.0, 3.0)


def test_the_policy_ends_as_the_best_adapter(
    make_policy: Any, examples: list[Any], tmp_path: Path
) -> None:
    policy, hashes, scores = make_policy("qwen"), [], iter([0.1, 0.9, 0.3, 0.9])

    def validate() -> float:
        hashes.append(adapter_hash(policy))
        return next(scores)

    best = train_sft(
        policy, examples, tmp_path, epochs=2, validate=validate, loop=loop_config(validations=4)
    )
    assert len(set(hashes)) == 4
    assert adapter_hash(policy) == hashes[1]
    assert (best.step, best.f1) == (2, 0.9)


def rollouts(step: int) -> Any:
    rows = [{"step": step, "response": f"{step}-{number}"} for number in range(4)]
    return SimpleNamespace(
        last_rollouts=SimpleNamespace(step=step, rows=lambda advantages: rows),
        advantages=lambda rollouts: None,
    )


def batch(**changes: Any) -> MicroBatch:
    return MicroBatch(["a"], step=0, weight=1.0, **changes)


def responses(path: Path) -> list[str]:
    return [json.loads(line)["response"] for line in path.read_text().split("\n")[:-1]]


def test_some_rollouts_of_some_steps_are_recorded(tmp_path: Path) -> None:
    path = tmp_path / "rollouts.jsonl"
    rows = RolloutRows(path, every=2, per_step=3)
    for step in range(4):
        rows.on_train_batch_end(trainer_at(step + 1), rollouts(step), None, batch(), 0)
    second_update = batch(update=1)  # the same samples once more
    rows.on_train_batch_end(trainer_at(5), rollouts(4), None, second_update, 0)
    rows.on_train_batch_end(trainer_at(5, is_global_zero=False), rollouts(4), None, batch(), 0)
    assert responses(path) == ["0-0", "0-1", "0-2", "2-0", "2-1", "2-2"]


def test_rollout_rows_go_on_from_the_resume_point(tmp_path: Path) -> None:
    path = tmp_path / "rollouts.jsonl"
    rows = RolloutRows(path, every=1, per_step=1)
    rows.on_train_start(trainer_at(0), None)
    assert not path.exists()
    for step in range(4):
        rows.on_train_batch_end(trainer_at(step + 1), rollouts(step), None, batch(), 0)
    with path.open("a") as file:
        file.write('{"step": 1, "response": "a\u2028b"}\n{"step": 4, "image": {"path": "x"}')
    rows.on_train_start(trainer_at(2), None)  # two steps are done: 0 and 1
    assert responses(path) == ["0-0", "1-0", "a\u2028b"]


def test_every_0_records_no_rollouts(make_policy: Any, examples: list[Any], tmp_path: Path) -> None:
    silent = RolloutRows(tmp_path / "none.jsonl", every=0, per_step=3)
    train_grpo(make_policy("qwen"), examples, tmp_path, epochs=0.5, callbacks=[silent])
    assert not (tmp_path / "none.jsonl").exists()
    assert len(responses(tmp_path / "rollouts.jsonl")) == 4


def test_metrics_are_cut_at_the_resume_point(tmp_path: Path) -> None:
    log = MetricsLog(tmp_path / "metrics.csv")
    log.start_at(0)
    for done in (1, 2, 3):
        log.log_metrics({"val/f1": 0.5}, step=done)
        log.log_metrics({"train/loss": 1 / 3, "epoch": 0, "seconds/sample": 2.0}, step=done - 1)
    with log.path.open("a") as file:
        file.write("2,train/lo")
    log.start_at(2)
    assert log.path.read_text().splitlines() == [
        "step,name,value",
        "1,val/f1,0.5",
        "0,seconds/sample,2",
        "0,train/loss,0.333333333",
        "2,val/f1,0.5",
        "1,seconds/sample,2",
        "1,train/loss,0.333333333",
    ]


def test_a_training_leaves_the_signals_to_the_run(
    make_policy: Any, examples: list[Any], tmp_path: Path
) -> None:
    """Lightning's own handler would end a stopped training as if it had succeeded."""
    before, during = signal.getsignal(signal.SIGTERM), []

    class Look(pl.Callback):
        def on_train_batch_end(self, *args: Any) -> None:
            during.append(signal.getsignal(signal.SIGTERM))

    train_sft(make_policy("qwen"), examples, tmp_path, epochs=0.5, callbacks=[Look()])
    assert set(during) == {before}
    assert signal.getsignal(signal.SIGTERM) == before
