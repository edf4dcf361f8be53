"""Stages sft and grpo: from chains to the warmed-up adapter, and from there to the policy.

``mmie.stages.trainings`` trains. It loads torch, peft and Lightning, which a run with finished
trainings does not need. So it is imported where a training begins.
"""

from __future__ import annotations

from collections.abc import Mapping

from mmie.artifacts import Artifact, Store
from mmie.config import GRPOConfig, SFTConfig
from mmie.results import StageRecord
from mmie.stages import keys
from mmie.stages.context import Context
from mmie.stages.samples import Samples


def sft(context: Context, config: SFTConfig, samples: Samples, chains: Artifact | None) -> Artifact:
    """SFT on the chosen chains, or on the bare answers if there are none; writes ``adapter/``."""
    with context.open("sft", keys.sft(context, config, samples, chains)) as stage:
        if stage.new:
            from mmie.stages.trainings import train_sft

            train_sft(context, config, samples, chains, stage.work)
    return stage.artifact


def grpo(
    context: Context,
    config: GRPOConfig,
    samples: Samples,
    *,
    reference: Artifact | None,
    difficulty: Artifact | None,
) -> Artifact:
    """GRPO, which starts from the warm-up or the base; writes ``adapter/`` and ``rollouts.jsonl``.

    Args:
        context: the run.
        config: its section ``grpo``.
        samples: the training samples.
        reference: the finished warm-up, which GRPO starts from and stays close to; None for the
            base.
        difficulty: which samples are easy, for a schedule that asks.
    """
    parts = keys.grpo(context, config, samples, reference=reference, difficulty=difficulty)
    with context.open("grpo", parts) as stage:
        if stage.new:
            from mmie.stages.trainings import train_grpo

            train_grpo(
                context,
                config,
                samples,
                stage.work,
                reference=reference,
                difficulty=difficulty,
            )
    return stage.artifact


def validation_f1(store: Store, stages: Mapping[str, StageRecord]) -> float | None:
    """The best validation F1 of the last training among a run's stages, whoever trained it.

    Args:
        store: the artefacts.
        stages: as in ``results.json``.
    """
    trained = next((name for name in ("grpo", "sft") if name in stages), None)
    if trained is None:
        return None
    artifact = store.artifact(trained, stages[trained].key)
    best: float = artifact.load("validations.json")["best_f1"]
    return best
