"""The adapter that the stages predict and export deliver, and the way of responding it learned."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from mmie.artifacts import Artifact
from mmie.config import node
from mmie.errors import InputError
from mmie.stages import checkpoint, keys
from mmie.stages.context import Context
from mmie.stages.due import due_stages
from mmie.stages.samples import Samples
from mmie.stages.system import System, systems
from mmie.tasks.task import Task

DELIVERIES = ("predict", "export")


@dataclass(frozen=True)
class Delivered:
    """An adapter and what answers with it.

    Attributes:
        adapter: the folder in PEFT's layout.
        key: what tells it from other adapters.
        task: with the way of responding that the adapter was trained for.
        system: the row of the tables that it is; None for a folder that was given.
        data: the data it was trained on, which may be gone; None for a folder that was given.
    """

    adapter: Path
    key: str
    task: Task
    system: System | None = None
    data: Artifact | None = None

    def load(self, context: Context) -> None:
        """Makes it the active adapter of the policy."""
        context.policy.read_adapter(self.adapter)


def trained_last(context: Context) -> str | None:
    """The last training of the configuration; None if it has none."""
    return next((name for name in ("grpo", "sft") if getattr(context.config, name)), None)


def check_adapter(context: Context) -> None:
    """Nothing is trained only because an adapter is asked for.

    Raises:
        InputError: the given folder holds no whole adapter that fits; or none is given, and the
            last training of the configuration is neither chosen nor finished.
    """
    config = context.config
    given, last = config.predict["adapter"], trained_last(context)
    if given is not None:
        from mmie.models.adapters import read_saved_adapter  # it loads torch

        read_saved_adapter(Path(given), rank=config.lora.rank, alpha=config.lora.alpha)
    elif last is None:
        reason = "this configuration trains none (sft and grpo are none)"
        raise InputError(f"predict.adapter: {reason}; give the folder of one")
    elif last not in due_stages(config):
        _require_finished(context, last)


def _require_finished(context: Context, last: str) -> None:
    system, _ = _foreseen(context)
    assert system.adapter is not None
    if not context.ready(last, system.adapter):
        asked = ",".join([last, *(name for name in DELIVERIES if name in context.config.stages)])
        raise InputError(
            f"stages: this configuration's {last} is not finished (no {system.adapter.folder}): "
            f"train it with 'stages=[{asked}]', or give a trained one with predict.adapter"
        )


def delivered(context: Context) -> Delivered:
    """The given adapter, or the one of the last training of the configuration.

    ``check_adapter`` has made sure that there is one.
    """
    given = context.config.predict["adapter"]
    if given is not None:
        files = checkpoint.file_digests(Path(given))
        return Delivered(Path(given), str(sorted(files.items())), _task(context))
    system, data = _foreseen(context)
    last = trained_last(context)
    assert last is not None
    assert system.adapter is not None
    if last not in context.stages:
        context.reopen(last, system.adapter)
    folder = system.adapter.folder / "adapter"
    return Delivered(folder, system.adapter.key, system.task, system, data)


def _foreseen(context: Context) -> tuple[System, Artifact]:
    """The system of the last training, and the data; their keys need no stage before them."""
    from mmie.planning.foresight import foresee

    config = context.config
    data = context.foreseen("data", keys.data(context))
    division = None
    if config.sft_share is not None:
        division = context.foreseen("divide", keys.divide(context, data))
    by_difficulty = node(config.schedule).by_difficulty
    stages = foresee(context, Samples(data, division), by_difficulty=by_difficulty)
    return systems(context, stages.sft, stages.grpo)[-1], data


def _task(context: Context) -> Task:
    sft = context.config.sft
    direct = sft is not None and sft.response == "direct"
    task: Task = context.direct if direct else context.reasoned
    return task
