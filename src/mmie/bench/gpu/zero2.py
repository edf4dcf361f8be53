"""The same updates under DeepSpeed ZeRO-2, with one process."""

from __future__ import annotations

import importlib.util
import tempfile
from pathlib import Path

from mmie.bench.gpu.model import device
from mmie.bench.gpu.notes import Notes
from mmie.bench.gpu.paper import Runs, metrics
from mmie.bench.gpu.size import Size
from mmie.errors import InputError


def run(size: Size, notes: Notes) -> None:
    """One run of ``paper.py`` with ``trainer.strategy=deepspeed_zero2``.

    Raises:
        InputError: DeepSpeed is not installed, there is no GPU, or the run fails.
    """
    if importlib.util.find_spec("deepspeed") is None:
        raise InputError("DeepSpeed is not installed: carry it")
    if device().type == "cpu":
        raise InputError("Lightning runs DeepSpeed on GPUs only")
    with tempfile.TemporaryDirectory() as scratch:
        runs = Runs(size, Path(scratch), "trainer.strategy=deepspeed_zero2")
        runs.make_model()
        artifacts = Path(scratch, "artifacts")
        notes.add(seconds=runs.finish(artifacts))
        notes.add(sft=metrics(artifacts, "sft"), grpo=metrics(artifacts, "grpo"))
