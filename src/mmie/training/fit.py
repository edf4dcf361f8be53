"""Runs one training stage in its working folder, from the beginning or where a run was killed."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytorch_lightning as pl
import torch
from lightning_fabric.plugins.environments import LightningEnvironment
from pytorch_lightning.callbacks import Callback, RichProgressBar
from pytorch_lightning.strategies import DeepSpeedStrategy
from pytorch_lightning.utilities import rank_zero_only
from torch import Tensor

from mmie.settings import LearningConfig, TrainerConfig
from mmie.training.callbacks import BestAdapter, OwnSignals
from mmie.training.metrics_log import MetricsLog
from mmie.training.module import AdapterModule
from mmie.training.plan import StepLoader
from mmie.training.resume import PlainCheckpoints, ResumePoint

log = logging.getLogger(__name__)


@dataclass
class Fit:
    """One training: module, data, validation, and where it writes.

    Attributes:
        module: what is trained.
        loader: made for (rank, world size) when the processes are up.
        validate: F1 of the present policy on the validation split.
        folder: working folder; holds the resume point and ``metrics.csv``.
        loggers: besides ``metrics.csv``.
        callbacks: besides the two that every training has.
    """

    module: AdapterModule
    loader: Callable[[int, int], StepLoader]
    validate: Callable[[], float]
    folder: Path
    loggers: Sequence[Any] = ()
    callbacks: Sequence[Callback] = field(default_factory=list)


class _Bar(RichProgressBar):
    """Counts micro-batches over the whole training, which is one epoch to Lightning."""

    def _get_train_description(self, current_epoch: int) -> str:
        return "training"


class _Data(pl.LightningDataModule):
    def __init__(self, make: Callable[[int, int], StepLoader]) -> None:
        super().__init__()
        self.make = make

    def train_dataloader(self) -> StepLoader:
        assert self.trainer is not None
        loader = self.make(self.trainer.global_rank, self.trainer.world_size)
        loader.first_step = self.trainer.global_step
        return loader

    def transfer_batch_to_device(
        self, batch: Any, device: torch.device, dataloader_idx: int
    ) -> Any:
        """Batches hold examples; tensors are made on the device when they are encoded."""
        return batch


class _CutMetrics(Callback):
    def __init__(self, metrics: MetricsLog) -> None:
        self.metrics = metrics

    def on_train_start(self, trainer: pl.Trainer, pl_module: Any) -> None:
        self.metrics.start_at(trainer.global_step)


class ZeRO2(DeepSpeedStrategy):
    """ZeRO-2 whose checkpoints leave the frozen base out.

    Its loss is divided by the number of accumulated micro-batches once, not twice.
    """

    def __init__(self) -> None:
        super().__init__(stage=2, exclude_frozen_parameters=True)

    def backward(self, closure_loss: Tensor, optimizer: Any, *args: Any, **kwargs: Any) -> Tensor:
        """Lightning has divided the loss; DeepSpeed would do so once more."""
        return super().backward(closure_loss, optimizer, *args, scale_wrt_gas=False, **kwargs)


class OneProcess(LightningEnvironment):
    """The configuration says one process, whatever a scheduler's environment variables say."""

    def local_rank(self) -> int:
        return 0

    def node_rank(self) -> int:
        return 0

    def global_rank(self) -> int:
        return 0


def strategy_of(config: TrainerConfig) -> Any:
    """Lightning's strategy, by its name, or ours for ZeRO-2."""
    return ZeRO2() if config.strategy == "deepspeed_zero2" else config.strategy


def make_trainer(config: TrainerConfig, **options: Any) -> pl.Trainer:
    """Lightning's trainer with what every run of ours has in common."""
    plugins: list[Any] = [PlainCheckpoints()]
    if config.processes == 1:
        plugins.append(OneProcess())
        # Lightning took it from the environment when it was imported
        rank_zero_only.rank = 0  # type: ignore[attr-defined]
    precision: Any = config.precision  # Lightning's own type lists every word it knows
    return pl.Trainer(
        accelerator=config.accelerator,
        devices=config.devices,
        num_nodes=config.num_nodes,
        strategy=strategy_of(config),
        precision=precision,
        enable_checkpointing=False,
        enable_model_summary=False,
        use_distributed_sampler=False,
        limit_val_batches=0,
        log_every_n_steps=1,
        max_epochs=1,
        plugins=plugins,
        **options,
    )


def fit(task: Fit, loop: LearningConfig, trainer_config: TrainerConfig) -> BestAdapter:
    """Trains to the end and leaves the best adapter by validation F1 in the policy.

    Args:
        task: what to train.
        loop: gradient clipping, number of validations, steps between resume points.
        trainer_config: where to run.

    Returns:
        The callback with the best F1, its step and the history of validations.
    """
    steps = task.module.steps
    best = BestAdapter(task.validate, steps=steps, validations=loop.validations)
    resume = ResumePoint(task.folder, every=loop.checkpoint_every)
    metrics = MetricsLog(task.folder / "metrics.csv")
    start = resume.latest()
    if start is not None:
        log.info("resuming from %s", start)
    home = task.module.policy.device
    accumulate = task.loader(0, trainer_config.processes).accumulate
    own = [OwnSignals(), _CutMetrics(metrics), best]
    trainer = make_trainer(
        trainer_config,
        accumulate_grad_batches=accumulate,
        gradient_clip_val=loop.max_grad_norm,
        logger=[metrics, *task.loggers],
        callbacks=[*own, *task.callbacks, resume, _Bar(leave=True)],
    )
    plain = True if start else None  # Lightning warns where it is said and nothing is loaded
    trainer.fit(task.module, datamodule=_Data(task.loader), ckpt_path=start, weights_only=plain)
    task.module.to(home)  # Lightning leaves it on the CPU
    if best.adapter:
        task.module.policy.load_adapter_state(best.adapter)
    return best
