"""Every value that the trainer's configuration offers trains, or is refused first."""

from __future__ import annotations

import csv
from dataclasses import fields, replace
from pathlib import Path
from typing import Any

import pytest
import torch
from pytorch_lightning.utilities import rank_zero_only

from helpers import training_runs
from helpers.adapters import adapter_hash
from helpers.configured import run_config
from helpers.training_runs import TRAINER, train_grpo, train_sft
from mmie.config import TrainerConfig
from mmie.errors import InputError
from mmie.pipeline import execute

TRAINED = {
    "accelerator": ["cpu", "auto"],
    "strategy": ["auto", "ddp"],
    "precision": ["32-true", "bf16-mixed"],
}
NEED_A_GPU = {"accelerator": ["gpu"], "strategy": ["deepspeed_zero2"], "precision": ["16-mixed"]}


def test_every_offered_value_is_tried_here() -> None:
    for field in fields(TrainerConfig):
        rule = field.metadata["rule"]
        if rule.startswith("one of "):
            offered = rule.removeprefix("one of ").split(", ")
            assert sorted(offered) == sorted([*TRAINED[field.name], *NEED_A_GPU[field.name]])


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a GPU")
@pytest.mark.parametrize("train", [train_sft, train_grpo])
@pytest.mark.parametrize(
    ("key", "value"), [(key, value) for key, values in TRAINED.items() for value in values]
)
def test_it_trains(
    train: Any,
    key: str,
    value: str,
    make_policy: Any,
    examples: list[Any],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(training_runs, "TRAINER", replace(TRAINER, **{key: value}))
    for name in ("LOCAL_RANK", "NODE_RANK", "WORLD_SIZE", "MASTER_ADDR", "MASTER_PORT"):
        monkeypatch.setenv(name, "")  # the strategy sets them; undone after the test
        monkeypatch.delenv(name)
    policy = make_policy("qwen")
    before = adapter_hash(policy)
    train(policy, examples, tmp_path, epochs=0.5)
    if torch.distributed.is_initialized():
        torch.distributed.destroy_process_group()
    assert adapter_hash(policy) != before


def test_one_process_writes_its_metrics_whatever_the_environment_says(
    make_policy: Any, examples: list[Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("RANK", "LOCAL_RANK", "SLURM_PROCID", "SLURM_NTASKS"):
        monkeypatch.setenv(name, "2")
    monkeypatch.setattr(rank_zero_only, "rank", 2)  # as where Lightning is imported with RANK=2
    train_sft(make_policy("qwen"), examples, tmp_path, epochs=0.5)
    with (tmp_path / "metrics.csv").open() as file:
        assert {row[1] for row in csv.reader(file)} > {"train/loss", "val/f1"}


AUTO, AUTO_REFUSED = "trainer.accelerator=auto", r"^trainer\.accelerator=auto: torch sees no GPU"


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a GPU")
@pytest.mark.parametrize(
    ("overrides", "message"),
    [
        ("trainer.precision=16-mixed", r"^trainer\.precision: 16-mixed needs a GPU"),
        ("trainer.strategy=deepspeed_zero2", r"^trainer\.strategy: deepspeed_zero2 needs a GPU"),
        ("trainer.precision=bf16-true", r"^trainer\.precision: 'bf16-true' is out of range"),
        ("trainer=gpu", r"^trainer\.accelerator=gpu: torch sees no GPU"),
        (f"{AUTO} trainer.precision=16-mixed", AUTO_REFUSED),
        (f"{AUTO} trainer.strategy=deepspeed_zero2", AUTO_REFUSED),
    ],
)
def test_what_needs_a_gpu_is_refused_before_any_stage(
    overrides: str, message: str, tmp_path: Path
) -> None:
    artifacts = tmp_path / "artifacts"
    with pytest.raises(InputError, match=message):
        execute(run_config(*overrides.split(), "logger=none", artifacts=artifacts), tmp_path)
    assert not artifacts.exists()
