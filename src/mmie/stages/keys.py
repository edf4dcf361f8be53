"""What the result of each stage depends on: the parts of its key.

Which fields of a configuration section belong to which key, the fields say themselves
(``mmie.checks.key_of``). A stage that builds on another one takes that one's key, so everything
that changes a stage changes all stages after it.
"""

from __future__ import annotations

from typing import Any

from mmie.artifacts import Artifact
from mmie.checks import key_of
from mmie.config import GRPOConfig, SFTConfig, node
from mmie.stages.answers import Phase
from mmie.stages.context import Context

Parts = dict[str, Any]


def data(context: Context) -> Parts:
    """Where the files lie is left out: moved files are the same data."""
    source = context.source
    settings = {
        name: value for name, value in context.config.data.items() if name not in source.places
    }
    return {"data": settings, "task": context.config.task, "files": source.content()}


def divide(context: Context, data: Artifact) -> Parts:
    config = context.config
    return {"data": data.key, "task": config.task, "share": config.sft_share, "seed": config.seed}


def distil(context: Context, data: Artifact, division: Artifact | None) -> Parts:
    config = context.config
    return {
        "data": data.key,
        "samples": _key(division),
        "task": config.task,
        "cot": key_of(config.cot, "distil"),
        "teacher": _teacher(context),
    }


def filtered(context: Context, distil: Artifact) -> Parts:
    """The filters are applied one after the other, so their order counts."""
    config = context.config
    order = list(config.filter)
    return {"distil": distil.key, "filter": config.filter, "order": order, "seed": config.seed}


def sft(
    context: Context,
    config: SFTConfig,
    data: Artifact,
    division: Artifact | None,
    chains: Artifact | None,
) -> Parts:
    task = context.direct if config.response == "direct" else context.reasoned
    return {
        **_training(context, task, data, "sft"),
        "samples": _key(division),
        "sft": key_of(config, "sft"),
        "chains": _key(chains),
    }


def grpo(
    context: Context,
    config: GRPOConfig,
    data: Artifact,
    division: Artifact | None,
    *,
    reference: Artifact | None,
    difficulty: Artifact | None,
) -> Parts:
    return {
        **_training(context, context.reasoned, data, "grpo"),
        "samples": _key(division),
        "grpo": key_of(config, "grpo"),
        "reward": context.config.reward,
        "schedule": context.config.schedule,
        "reference": _key(reference),
        "difficulty": _key(difficulty),
    }


def difficulty(context: Context, phase: Phase, data: Artifact, division: Artifact | None) -> Parts:
    return {"data": data.key, "samples": _key(division), **answered(context, phase, "difficulty")}


def evaluate(context: Context, phase: Phase, data: Artifact) -> Parts:
    return {"data": data.key, **answered(context, phase, "evaluate")}


def evaluate_teacher(context: Context, phase: Phase, data: Artifact) -> Parts:
    """The evaluation in which the teacher itself answers; no model of ours takes part."""
    config = context.config
    return {
        "data": data.key,
        "task": config.task,
        "response": _response(phase.task),
        "teacher": _teacher(context),
        "evaluation": key_of(config.evaluation, "evaluate"),
        "seed": config.seed,
    }


def vote(context: Context, phase: Phase, data: Artifact) -> Parts:
    return {"data": data.key, **answered(context, phase, "vote")}


def answered(context: Context, phase: Phase, stage: str) -> Parts:
    """All that the answers of a model and their scores depend on but the samples."""
    config = context.config
    return {
        "task": config.task,
        "response": _response(phase.task),
        "model": context.model_identity,
        "adapter": _key(phase.adapter),
        "evaluation": key_of(config.evaluation, stage),
        "trainer": _trainer(context, stage),
        "seed": config.seed,
    }


def _training(context: Context, task: Any, data: Artifact, stage: str) -> Parts:
    """What both trainings depend on; the validations choose the adapter that is kept."""
    config = context.config
    return {
        "data": data.key,
        "task": config.task,
        "response": _response(task),
        "model": context.model_identity,
        "lora": key_of(config.lora, stage),
        "validation": key_of(config.evaluation, stage),
        "trainer": _trainer(context, stage),
        "seed": config.seed,
    }


def _trainer(context: Context, stage: str) -> Parts:
    """On a GPU the number of threads changes no rounding; ``auto`` counts as what it stands for.

    ``trainer.threads=null`` stays null, whatever number torch chooses: processes that Lightning
    starts would choose another one than the first and wait for another key.
    """
    keyed = key_of(context.config.trainer, stage)
    if context.on_gpu:
        return {**keyed, "accelerator": "gpu", "threads": None}
    return {**keyed, "accelerator": "cpu"}


def _teacher(context: Context) -> list[Any]:
    """Which model, asked how; not how fast, how often or under which key and address."""
    teacher = node(context.config.teacher)
    return [teacher.model, dict(teacher.parameters), teacher.max_pixels]


def _key(artifact: Artifact | None) -> str | None:
    return None if artifact is None else artifact.key


def _response(task: Any) -> list[str]:
    """The form of the responses: their class, and the sentence that asks for it."""
    return [type(task.response).__name__, task.response.instruction]
