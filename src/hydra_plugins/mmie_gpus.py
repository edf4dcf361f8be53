"""``hydra/launcher=gpus``. Hydra finds launchers in the namespace ``hydra_plugins`` only.

It imports this module at the start of every run, so everything else is in ``mmie.launching``.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from hydra.core.utils import JobReturn
from hydra.plugins.launcher import Launcher
from hydra.types import HydraContext, TaskFunction
from omegaconf import DictConfig


class GpuLauncher(Launcher):
    """Runs the jobs of a sweep side by side, each in a process and on devices of its own."""

    def __init__(self, devices: Any = None) -> None:
        self.devices = devices

    def setup(
        self, *, hydra_context: HydraContext, task_function: TaskFunction, config: DictConfig
    ) -> None:
        """Hydra calls this once, before ``launch``."""
        self.context, self.task_function, self.config = hydra_context, task_function, config

    def launch(
        self, job_overrides: Sequence[Sequence[str]], initial_job_idx: int
    ) -> Sequence[JobReturn]:
        """See ``mmie.launching.launch``. Sweepers such as Optuna call this once per batch."""
        from mmie.launching.launch import Batch, launch

        batch = Batch(self.context, self.config, self.task_function)
        return launch(batch, job_overrides, first=initial_job_idx, devices=self.devices)
