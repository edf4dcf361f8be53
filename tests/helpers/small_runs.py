"""The smallest run that has every stage, for tests of the pipeline as a whole."""

from __future__ import annotations

from pathlib import Path

from helpers.configured import run_config
from mmie.config import RunConfig

SMALL = [
    "data.sizes={train: 16, val: 4, test: 6}",
    "cot.candidates=2",
    "sft.epochs=1",
    "sft.batch_size=8",
    "sft.micro_batch_size=8",
    "sft.validations=1",
    "grpo.epochs=0.5",
    "grpo.prompts_per_step=4",
    "grpo.micro_prompts=2",
    "grpo.group_size=2",
    "grpo.max_new_tokens=8",
    "grpo.validations=1",
    "evaluation.max_new_tokens=8",
    "evaluation.batch_size=3",
    "evaluation.bootstrap_samples=20",
    "logger.wandb=false",
    "trainer.threads=1",
    "filter=[]",
]


def config_of(folder: Path, *overrides: str) -> RunConfig:
    """The small run with its artefacts under ``folder``; without sft, its values are left out."""
    small = SMALL
    if "+experiment=only_rl" in overrides:
        small = [item for item in SMALL if not item.startswith("sft.")]
    return run_config(*small, *overrides, artifacts=folder / "artifacts")
