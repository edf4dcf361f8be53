"""Runs one training in its working folder, from the beginning or from where a run was killed."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytorch_lightning as pl
import torch
from lightning_fabric.plugins.environments import LightningEnvironment
from pytorch_lightning.callbacks import Callback
from pytorch_lightning.strategies import DeepSpeedStrategy
from pytorch_lightning.strategies.launchers import _SubprocessScriptLauncher
from pytorch_lightning.utilities import rank_zero_only
from torch import Tensor

from mmie import stopping
from mmie.settings import LearningConfig, TrainerConfig
from mmie.training.callbacks import BestAdapter, OwnSignals
from mmie.training.metrics_log import MetricsLog
from mmie.training.module import AdapterModule
from mmie.training.plan import StepLoader
from mmie.training.progress import CountedUpdates, Progress
from mmie.training.resume import PlainCheckpoints, ResumePoint

log = logging.getLogger(__name__)


@dataclass
class Fit:
    """One training: module, data, validation, and where it writes.

    Attributes:
        module: what is trained.
        loader: (rank, world size) → the micro-batches of that process.
        validate: F1 of the current policy on the validation split.
        folder: working folder for resume points and ``metrics.csv``.
        progress: shows how many updates are made.
        loggers: further ones, besides ``metrics.csv``.
        callbacks: further ones, besides those that every training has.
    """

    module: AdapterModule
    loader: Callable[[int, int], StepLoader]
    validate: Callable[[], float]
    folder: Path
    progress: Progress
    loggers: Sequence[Any] = ()
    callbacks: Sequence[Callback] = field(default_factory=list)


class _StepData(pl.LightningDataModule):
    """Creates the loader after the processes have started and the resume point is loaded."""

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
        """Does nothing: batches hold examples, and encoding creates their tensors on the device."""
        return batch


class _CutMetrics(Callback):
    """Drops the metrics that a killed run wrote after its resume point: they are written again."""

    def __init__(self, metrics: MetricsLog) -> None:
        self.metrics = metrics

    def on_train_start(self, trainer: pl.Trainer, pl_module: Any) -> None:
        self.metrics.start_at(trainer.global_step)


class _AllSteps(Callback):
    """Keeps a part of a training from passing for the whole."""

    def on_train_end(self, trainer: pl.Trainer, pl_module: Any) -> None:
        made, steps = trainer.global_step, pl_module.steps
        if made != steps:
            raise RuntimeError(f"the training ended after {made} of {steps} steps")


class ZeRO2(DeepSpeedStrategy):
    """ZeRO-2 whose checkpoints leave out the frozen base."""

    def __init__(self) -> None:
        super().__init__(stage=2, exclude_frozen_parameters=True)

    def backward(self, closure_loss: Tensor, optimizer: Any, *args: Any, **kwargs: Any) -> Tensor:
        """Keeps DeepSpeed from dividing the loss by the number of accumulated micro-batches.

        Lightning has done so already.
        """
        return super().backward(closure_loss, optimizer, *args, scale_wrt_gas=False, **kwargs)


class OneProcess(LightningEnvironment):
    """One process, as configured, whatever the environment variables of a scheduler say."""

    def local_rank(self) -> int:
        return 0

    def node_rank(self) -> int:
        return 0

    def global_rank(self) -> int:
        return 0


def strategy_of(config: TrainerConfig) -> Any:
    """Lightning's strategy of that name; for ``deepspeed_zero2`` our own ``ZeRO2``."""
    return ZeRO2() if config.strategy == "deepspeed_zero2" else config.strategy


def make_trainer(config: TrainerConfig, **options: Any) -> pl.Trainer:
    """Lightning's trainer with the settings that all trainings share.

    Lightning's checkpoints, sampler and validation loop are off: ``ResumePoint``, ``StepLoader``
    and ``BestAdapter`` do their work.
    """
    plugins: list[Any] = [PlainCheckpoints()]
    if config.processes == 1:
        plugins.append(OneProcess())
        # Lightning reads the rank from the environment when it is imported.
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


def start_processes(config: TrainerConfig) -> None:
    """Starts the other processes of a run on this machine, unless somebody has.

    They run the same command. Trainers that are made later find them, and start no others.
    """
    if config.processes == 1:
        return
    launcher = make_trainer(config, logger=False).strategy.launcher
    if isinstance(launcher, _SubprocessScriptLauncher):
        threads = torch.get_num_threads()
        launcher.launch(lambda: None)
        torch.set_num_threads(threads)  # Lightning changes the number, and so the rounding
        stopping.adopt(launcher.procs)


def fit(training: Fit, loop: LearningConfig, trainer_config: TrainerConfig) -> BestAdapter:
    """Trains to the end and leaves the adapter with the best validation F1 in the policy.

    Args:
        training: what to train.
        loop: gradient clipping, number of validations, steps between resume points.
        trainer_config: where to run.

    Returns:
        The callback with the best F1, its step and the history of validations.

    Raises:
        RuntimeError: Lightning ended before the last step.
    """
    start_processes(trainer_config)
    module = training.module
    best = BestAdapter(training.validate, steps=module.steps, validations=loop.validations)
    resume = ResumePoint(training.folder, every=loop.checkpoint_every)
    metrics = MetricsLog(training.folder / "metrics.csv")
    # Lightning calls callbacks in this order. The resume point comes after all that it must hold.
    callbacks = [OwnSignals(), _CutMetrics(metrics), _AllSteps(), best, *training.callbacks, resume]
    counted = CountedUpdates(best)
    trainer = make_trainer(
        trainer_config,
        enable_progress_bar=False,
        accumulate_grad_batches=training.loader(0, trainer_config.processes).accumulate,
        gradient_clip_val=loop.max_grad_norm,
        logger=[metrics, *training.loggers],
        callbacks=[*callbacks, counted],
    )
    device = module.policy.device
    start = resume.latest()
    done = 0 if start is None else resume.saved_steps[-1]
    with training.progress("updates", module.steps, lambda: counted.note, done=done) as advance:
        counted.advance = advance
        _fit_from(trainer, module, _StepData(training.loader), start)
    module.to(device)  # Lightning leaves the model on the CPU
    if best.adapter:
        module.policy.load_adapter_state(best.adapter)
    return best


def _fit_from(
    trainer: pl.Trainer, module: AdapterModule, data: _StepData, start: Path | None
) -> None:
    """Trains from a resume point, or from the beginning if it is None."""
    if start is None:
        trainer.fit(module, datamodule=data)
        return
    log.info("resuming from %s", start)
    trainer.fit(module, datamodule=data, ckpt_path=start, weights_only=True)
