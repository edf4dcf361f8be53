"""Resume points: a training whose process was killed continues from the last one.

A resume point is ``step-<n>.ckpt``, which is a file, or a folder if DeepSpeed writes it. Beside it
``step-<n>.json`` has the size and digest of every file. A resume point gets its name only when all
of it is on the disk, and the one before it is kept. So after the first there is always a whole one.
"""

from __future__ import annotations

import io
import logging
import os
import pickle
import re
import shutil
from math import inf
from pathlib import Path
from typing import Any

import pytorch_lightning as pl
import torch
from lightning_fabric.plugins.io.checkpoint_io import CheckpointIO

from mmie.errors import InputError
from mmie.files import parse_json, write_json
from mmie.integrity import file_digests, find_damage, sync_file, sync_tree

log = logging.getLogger(__name__)

NAME = re.compile(r"step-(\d{1,18})\.ckpt")
UNREADABLE = (OSError, EOFError, ValueError, TypeError, KeyError, RuntimeError)


class PlainCheckpoints(CheckpointIO):
    """Checkpoints of tensors and plain values.

    Reading one runs no code that it may contain, and writing one needs no temporary folder.
    """

    def save_checkpoint(
        self, checkpoint: dict[str, Any], path: Any, storage_options: Any = None
    ) -> None:
        buffer = io.BytesIO()
        torch.save(checkpoint, buffer)  # on a file, torch reports a full disk as a RuntimeError
        Path(path).write_bytes(buffer.getbuffer())

    def load_checkpoint(
        self, path: Any, map_location: Any = None, weights_only: bool | None = True
    ) -> dict[str, Any]:
        return torch.load(path, map_location=map_location or "cpu", weights_only=True)

    def remove_checkpoint(self, path: Any) -> None:
        _remove(Path(path))


class ResumePoint(pl.Callback):
    """Saves all that the rest of the training depends on.

    That includes no state of a random number generator, because the random numbers of a step depend
    on the seed and the step alone (see ``SFTModule`` and ``uniforms``).

    Args:
        folder: holds the last two.
        every: steps between two saves.

    Attributes:
        saved_steps: the steps of those two.
    """

    def __init__(self, folder: Path, *, every: int) -> None:
        self.folder = folder
        self.every = every
        self.saved_steps: list[int] = []

    def latest(self) -> Path | None:
        """The newest whole resume point; a newer one that is damaged gets a warning.

        Returns:
            None if there is none.
        """
        for step, path in sorted(_points(self.folder), reverse=True):
            reason = _damage(path, step)
            if reason is None:
                self.saved_steps = [step]
                return path
            message = "%s: not a whole resume point (%s); an older one is taken, or the start"
            log.warning(message, path, reason)
        return None

    def on_train_batch_start(
        self, trainer: pl.Trainer, module: Any, batch: Any, batch_idx: int
    ) -> None:
        """Saves, if it is time, before the next samples are used.

        By then the metrics of the last step are on the disk, and no rollout is half used.

        Raises:
            InputError: the folder cannot be written.
        """
        step = trainer.global_step
        if not batch.opens_group or not self._is_due(step, batch.updates):
            return
        part = self.folder / f"part-step-{step}"
        try:
            self._save(trainer, step, part)
        except (OSError, RuntimeError) as error:
            if isinstance(error, RuntimeError) and "PytorchStreamWriter" not in str(error):
                raise
            _remove(part)
            raise InputError(
                f"{self.folder}: the resume point of step {step} cannot be written ({error}): "
                "free the disk or choose another folder with artifacts=…"
            ) from error
        trainer.strategy.barrier()

    def on_load_checkpoint(
        self, trainer: pl.Trainer, pl_module: Any, checkpoint: dict[str, Any]
    ) -> None:
        """Counts the micro-batches that are done as this run cuts its steps.

        Lightning ends a training when it has counted all micro-batches. The run before may have had
        others of another size, or another number of processes.
        """
        progress = checkpoint["loops"]["fit_loop"]["epoch_loop.batch_progress"]["current"]
        done = checkpoint["global_step"] * trainer.accumulate_grad_batches
        progress.update(dict.fromkeys(progress, done))

    def _is_due(self, step: int, updates: int) -> bool:
        """Whether a multiple of ``every`` was reached since the last group of updates."""
        if step == 0 or step in self.saved_steps:
            return False
        return step // self.every > (step - updates) // self.every

    def _save(self, trainer: pl.Trainer, step: int, part: Path) -> None:
        """Writes to ``part``, forces it to the disk, and only then gives it its name."""
        trainer.save_checkpoint(part)  # all processes take part in this
        self.saved_steps = [*self.saved_steps[-1:], step]
        if not trainer.is_global_zero:
            return
        final = self.folder / f"step-{step}.ckpt"
        sync_tree(part)
        write_json(_note(final), {"step": step, "files": file_digests(part, hashed_up_to=inf)})
        _remove(final)  # a damaged one from before; os.replace would not replace a folder
        os.replace(part, final)
        sync_file(self.folder)
        self._remove_older()

    def _remove_older(self) -> None:
        points = [self.folder / f"step-{step}.ckpt" for step in self.saved_steps]
        keep = {*points, *map(_note, points)}
        for path in [*self.folder.glob("step-*"), *self.folder.glob("part-*")]:
            if path not in keep:
                _remove(path)


def _points(folder: Path) -> list[tuple[int, Path]]:
    """(step, path) of every resume point, whole or not."""
    points = []
    for path in folder.glob("step-*.ckpt"):
        name = NAME.fullmatch(path.name)
        if name is None:
            log.warning("%s: not a resume point (step-<number>.ckpt); ignored", path)
        else:
            points.append((int(name[1]), path))
    return points


def _note(path: Path) -> Path:
    """The file with the sizes and digests."""
    return path.with_suffix(".json")


def _damage(path: Path, step: int) -> str | None:
    """Why the training cannot go on from there; None if it can."""
    try:
        note = parse_json(_note(path).read_text(encoding="utf-8"))
        listed = note["files"]
        if note["step"] != step or not listed:
            return f"{_note(path).name} belongs to another one"
        reason = find_damage(path, listed)
        if reason is None and path.is_file():  # DeepSpeed reads its folders itself
            saved = torch.load(path, mmap=True, weights_only=True)
            reason = None if saved["global_step"] == step else "it is of another step"
    except pickle.UnpicklingError:  # torch's own message advises to run the code in it
        return "it holds more than tensors and plain values"
    except UNREADABLE as error:
        return f"{type(error).__name__}: {error}".splitlines()[0]
    return reason


def _remove(path: Path) -> None:
    if path.is_dir():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)
