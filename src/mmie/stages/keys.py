"""What the result of each stage depends on: the parts of its key.

Each field of a configuration section says to which keys it belongs (``key_of``). A
stage that builds on another one takes that one's key, so everything that changes a stage also
changes all stages after it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import Field, fields, is_dataclass
from typing import TYPE_CHECKING, Any

from mmie.artifacts import Artifact, fingerprint
from mmie.config import GRPOConfig, SFTConfig, node
from mmie.data.pictures import picture_to_json
from mmie.settings import EvaluationConfig, Key, left_out
from mmie.stages.context import Context
from mmie.stages.samples import Samples
from mmie.stages.system import System
from mmie.tasks.task import Task
from mmie.types import Example

if TYPE_CHECKING:  # it needs the keys
    from mmie.stages.delivered import Delivered

Parts = dict[str, Any]


def data(context: Context) -> Parts:
    """Where the files lie is left out: moved files are the same data.

    The source is given all that it needs of the task, such as the labels. Beyond that the task
    only counts what the statistics say of a sample, so its class is enough here.
    """
    config, source = context.config, context.source
    settings = {name: value for name, value in config.data.items() if name not in source.places}
    return {"data": settings, "counted by": _class(config.task), "files": source.content()}


def divide(context: Context, data: Artifact) -> Parts:
    """The task's class says to which class a sample belongs."""
    config = context.config
    return {
        "data": data.key,
        "task": _class(config.task),
        "share": config.sft_share,
        "seed": config.seed,
    }


def distil(context: Context, samples: Samples) -> Parts:
    """The teacher has prompts of its own, so another prompt of the student asks it nothing anew."""
    return {
        **_samples(samples),
        "cot": key_of(context.config.cot, "distil"),
        "teacher": _teacher(context),
    }


def filtered(context: Context, distilled: Artifact) -> Parts:
    """The filters are applied one after the other, so their order counts."""
    config = context.config
    order = list(config.filter)
    return {"distil": distilled.key, "filter": config.filter, "order": order, "seed": config.seed}


def sft(context: Context, config: SFTConfig, samples: Samples, chains: Artifact | None) -> Parts:
    task = context.direct if config.response == "direct" else context.reasoned
    return {
        **_samples(samples),
        **_training(context, task, "sft"),
        "sft": key_of(config, "sft"),
        "chains": _key(chains),
    }


def grpo(
    context: Context,
    config: GRPOConfig,
    samples: Samples,
    *,
    reference: Artifact | None,
    difficulty: Artifact | None,
) -> Parts:
    return {
        **_samples(samples),
        **_training(context, context.reasoned, "grpo"),
        "grpo": key_of(config, "grpo"),
        "reward": context.config.reward,
        "schedule": context.config.schedule,
        "reference": _key(reference),
        "difficulty": _key(difficulty),
    }


def difficulty(context: Context, system: System, samples: Samples) -> Parts:
    evaluation = context.config.evaluation.for_training()
    return {**_samples(samples), **_answers(context, system, "difficulty", evaluation)}


def evaluate(context: Context, system: System, data: Artifact) -> Parts:
    evaluation = context.config.evaluation
    return {"data": data.key, **_answers(context, system, "evaluate", evaluation)}


def evaluate_teacher(context: Context, system: System, data: Artifact) -> Parts:
    """The evaluation in which the teacher itself answers; no model of ours takes part."""
    config = context.config
    return {
        "data": data.key,
        "task": config.task,
        "response": _response(system.task),
        "teacher": _teacher(context),
        "evaluation": key_of(config.evaluation, "evaluate"),
        "seed": config.seed,
    }


def vote(context: Context, system: System, data: Artifact) -> Parts:
    evaluation = context.config.evaluation
    return {"data": data.key, **_answers(context, system, "vote", evaluation)}


def predict(context: Context, delivered: Delivered, examples: Sequence[Example]) -> Parts:
    """The questions count with all that the answers repeat of them, the paths of pictures too."""
    config = context.config
    asked = [[example.id, example.text, example.extra, *_pictures(example)] for example in examples]
    return {
        "questions": fingerprint(asked=asked),
        "task": config.task,
        "response": _response(delivered.task),
        "model": context.model_identity,
        "adapter": delivered.key,
        "evaluation": key_of(config.evaluation, "predict"),
        "trainer": _trainer(context, "predict"),
        "seed": config.seed,
        **_engine(context),
    }


def _pictures(example: Example) -> list[Any]:
    """Path, size in bytes and box of each picture."""
    described: list[Any] = []
    for picture in example.pictures:
        size = picture.path.stat().st_size if picture.path else None
        described.append([picture_to_json(picture), size])
    return described


def _samples(samples: Samples) -> Parts:
    return {"data": samples.data.key, "samples": _key(samples.division)}


def _answers(context: Context, system: System, stage: str, evaluation: EvaluationConfig) -> Parts:
    """What the answers of a system and their scores depend on, apart from the samples."""
    config = context.config
    return {
        "task": config.task,
        "response": _response(system.task),
        "model": context.model_identity,
        "adapter": _key(system.adapter),
        "evaluation": key_of(evaluation, stage),
        "trainer": _trainer(context, stage),
        "seed": config.seed,
        **_engine(context),
    }


def _training(context: Context, task: Task, stage: str) -> Parts:
    """What both trainings depend on; the validations choose the adapter that is kept."""
    config = context.config
    return {
        "task": config.task,
        "response": _response(task),
        "model": context.model_identity,
        "lora": key_of(config.lora, stage),
        "validation": key_of(config.evaluation.for_training(), stage),
        "trainer": _trainer(context, stage),
        "seed": config.seed,
        **_engine(context),
    }


def _engine(context: Context) -> Parts:
    """Who samples, if it is not this process. Where it is and how it is asked is left out."""
    identity = context.rollout.identity
    return {"engine": dict(identity)} if identity else {}


def _trainer(context: Context, stage: str) -> Parts:
    """On a GPU the number of threads changes no rounding; ``auto`` counts as what it stands for.

    ``trainer.threads=null`` stays null, whatever number torch chooses. Processes that Lightning
    starts would choose another number than the first process and wait for another key.
    """
    keyed = key_of(context.config.trainer, stage)
    if context.on_gpu:
        return {**keyed, "accelerator": "gpu", "threads": None}
    return {**keyed, "accelerator": "cpu"}


def _teacher(context: Context) -> list[Any]:
    """Which model and how it is asked; not how fast, how often, or with which key and address."""
    teacher = node(context.config.teacher)
    return [teacher.model, dict(teacher.parameters), teacher.max_pixels]


def _class(part: Mapping[str, Any]) -> str:
    return str(part["_target_"])


def _key(artifact: Artifact | None) -> str | None:
    return None if artifact is None else artifact.key


def _response(task: Task) -> list[str]:
    """The form of the responses: their class, and the sentence that asks for it."""
    return [type(task.response).__name__, task.response.instruction]


def key_of(section: Any, stage: str) -> dict[str, Any]:
    """The part of a configuration section that the stage's result depends on, as plain values.

    Args:
        section: a dataclass whose fields say through ``key`` in their metadata to which stage keys
            they belong; a field that says nothing belongs to all.
        stage: the stage's name.
    """
    keyed: dict[str, Any] = {}
    for entry in fields(section):
        value = getattr(section, entry.name)
        if _in_key(entry, stage) and not left_out(entry.metadata, value):
            keyed[entry.name] = _plain(value, stage)
    return keyed


def _plain(value: Any, stage: str) -> Any:
    return key_of(value, stage) if is_dataclass(value) else value


def _in_key(entry: Field[Any], stage: str) -> bool:
    key: Key = entry.metadata.get("key", True)
    return key if isinstance(key, bool) else stage in key
