"""A training that was killed and resumed ends like one that was not."""

from __future__ import annotations

import csv
import json
import multiprocessing
import os
import signal
from pathlib import Path
from typing import Any

import pytest
import pytorch_lightning as pl

from helpers.adapters import adapter_hash
from helpers.training_runs import (
    end_early,
    grpo_config,
    loop_config,
    mean_length,
    train_grpo,
    train_sft,
)
from mmie.training.metrics_log import MetricsLog

STEPS = 6


def die() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def after_saving(step: int) -> None:
    """Dies as soon as the resume point of a step is there."""
    replace = os.replace

    def hook(part: Any, final: Any) -> None:
        replace(part, final)
        if Path(final).name == f"step-{step}.ckpt":
            die()

    os.replace = hook


def while_saving(step: int) -> None:
    """Dies with half a checkpoint on the disk."""
    save = pl.Trainer.save_checkpoint

    def half(self: Any, path: Any, *rest: Any, **options: Any) -> None:
        if self.global_step == step:
            Path(path).write_bytes(b"half")
            die()
        save(self, path, *rest, **options)

    pl.Trainer.save_checkpoint = half  # type: ignore[method-assign]


def after_metrics(step: int) -> None:
    """Dies when the metrics of a step are written and, perhaps, its resume point is not."""
    write = MetricsLog.log_metrics
    seen: set[int] = set()

    def hook(self: Any, metrics: Any, **options: Any) -> None:
        write(self, metrics, **options)
        if "train/loss" in metrics:
            seen.add(options["step"])
        if len(seen) == step:
            die()

    MetricsLog.log_metrics = hook  # type: ignore[method-assign]


class Dying(pl.Callback):
    """Dies before the second micro-batch of a step."""

    def __init__(self, step: int) -> None:
        self.step = step

    def on_train_batch_start(self, trainer: Any, module: Any, batch: Any, batch_idx: int) -> None:
        if trainer.global_step == self.step and batch_idx % 2 == 1:
            die()


def run(
    kind: str,
    folder: Path,
    make_policy: Any,
    examples: list[Any],
    *,
    every: int,
    prepare: Any = None,
) -> None:
    """Six steps of two micro-batches, with dropout (SFT) and a validation that uses the weights.

    Writes the outcome into the folder.
    """
    callbacks = (prepare() if prepare else None) or []
    policy = end_early(make_policy("qwen", dropout=0.3 if kind == "sft" else 0.0))
    if kind != "sft":
        policy.add_reference()
    train = train_sft if kind == "sft" else train_grpo
    epochs, config = 3.0, None
    if kind == "grpo, two updates":
        # With a correction the second update needs what the first one has computed.
        options = {"clip_low": 0.2, "clip_high": 0.2, "rollout_correction": "truncate"}
        epochs, config = 1.5, grpo_config(updates_per_group=2, **options)
    best = train(
        policy,
        examples,
        folder,
        epochs=epochs,
        config=config,
        callbacks=callbacks,
        validate=mean_length(policy, examples[:3]),
        loop=loop_config(checkpoint_every=every, validations=3),
    )
    outcome = {
        "history": best.history,
        "f1": best.f1,
        "step": best.step,
        "hash": adapter_hash(policy),
    }
    (folder / "outcome.json").write_text(json.dumps(outcome))
    policy.save_adapter(folder / "adapter")


def traces(folder: Path) -> tuple[bytes, str, list[list[str]], str]:
    """All that must not depend on a kill; seconds do."""
    with (folder / "metrics.csv").open(encoding="utf-8", newline="") as file:
        rows = [row for row in csv.reader(file) if not row[1].startswith("seconds/")]
    rollouts = folder / "rollouts.jsonl"
    return (
        (folder / "adapter" / "adapter_model.safetensors").read_bytes(),
        (folder / "outcome.json").read_text(),
        rows,
        rollouts.read_text() if rollouts.exists() else "",
    )


def killed(*args: Any, **options: Any) -> int | None:
    """Runs in a process of its own, which is expected to die."""
    process = multiprocessing.get_context("fork").Process(target=run, args=args, kwargs=options)
    process.start()
    process.join(60)
    return process.exitcode


KILLS = {  # resume points every so many steps, and what kills
    "before the first resume point": (2, lambda: [Dying(1)]),
    "right after saving": (2, lambda: after_saving(4)),
    "after metrics beyond the resume point": (2, lambda: after_metrics(3)),
    "in the middle of a step": (1, lambda: [Dying(3)]),
    "while saving": (2, lambda: while_saving(4)),
    "after the last step": (3, lambda: after_metrics(6)),
}


@pytest.mark.slow
@pytest.mark.parametrize(
    ("kind", "kills"),
    [
        ("sft", ["right after saving", "in the middle of a step"]),
        ("grpo", [*KILLS]),
        ("grpo, two updates", ["after metrics beyond the resume point", "in the middle of a step"]),
    ],
)
def test_killed_and_resumed_equals_uninterrupted(
    kind: str, kills: list[str], make_policy: Any, examples: list[Any], tmp_path: Path
) -> None:
    """The loop is one for all kinds, so every way to die is tried on one of them."""
    (tmp_path / "whole").mkdir()
    run(kind, tmp_path / "whole", make_policy, examples, every=100)
    whole = traces(tmp_path / "whole")
    assert len({row[0] for row in whole[2][1:]}) >= STEPS
    for name in kills:
        every, prepare = KILLS[name]
        folder = tmp_path / name
        folder.mkdir()
        exit_code = killed(kind, folder, make_policy, examples, every=every, prepare=prepare)
        assert exit_code == -signal.SIGKILL, name
        assert not (folder / "outcome.json").exists()
        assert bool(list(folder.glob("step-*.ckpt"))) == (name != "before the first resume point")
        run(kind, folder, make_policy, examples, every=every)
        for part, expected in zip(traces(folder), whole, strict=True):
            assert part == expected, name
