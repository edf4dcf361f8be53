"""Resume points: what a training goes on from when its process was killed at any time.

A resume point is ``step-<n>.ckpt``, a file, or a folder where DeepSpeed writes it, and beside it
``step-<n>.json`` with the size and digest of every file. It is on the disk before it gets its name,
and the one before it is kept.
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

    Reading one runs no code, and writing one needs no temporary folder.
    """

    def save_checkpoint(
        self, checkpoint: dict[str, Any], path: Any, storage_options: Any = None
    ) -> None:
        buffer = io.BytesIO()
        torch.save(checkpoint, buffer)  # torch itself would turn a full disk into a RuntimeError
        Path(path).write_bytes(buffer.getbuffer())

    def load_checkpoint(
        self, path: Any, map_location: Any = None, weights_only: bool | None = True
    ) -> dict[str, Any]:
        return torch.load(path, map_location=map_location or "cpu", weights_only=True)

    def remove_checkpoint(self, path: Any) -> None:
        _remove(Path(path))


class ResumePoint(pl.Callback):
    """Saves what the rest of the training depends on; a killed run goes on from the last one.

    No state of a random number generator is among it: all random numbers belong to their step (see
    ``SFTModule``, ``uniforms``).

    Args:
        folder: holds the last two.
        every: steps between two saves.
    """

    def __init__(self, folder: Path, *, every: int) -> None:
        self.folder = folder
        self.every = every
        self.whole: list[int] = []

    def latest(self) -> Path | None:
        """The newest whole resume point; each newer one that is not whole gets a warning."""
        for step, path in sorted(_points(self.folder), reverse=True):
            reason = _reason(path, step)
            if reason is None:
                self.whole = [step]
                return path
            message = "%s: not a whole resume point (%s); an older one is taken, or the start"
            log.warning(message, path, reason)
        return None

    def on_train_batch_start(
        self, trainer: pl.Trainer, module: Any, batch: Any, batch_idx: int
    ) -> None:
        """Saves before the next samples come up.

        By then the metrics of the last step are on the disk, and no rollout is half used.
        """
        step = trainer.global_step
        due = step // self.every > (step - batch.updates) // self.every
        if not batch.opens_group or not due or not step or step in self.whole:
            return
        part = self.folder / f"part-step-{step}"
        try:
            self._save(trainer, step, part)
        except (OSError, RuntimeError) as error:
            if isinstance(error, RuntimeError) and "PytorchStreamWriter" not in str(error):
                raise
            _remove(part)
            what = f"{self.folder}: the resume point of step {step} cannot be written ({error})"
            advice = "free the disk or choose another folder with artifacts=…"
            raise InputError(f"{what}: {advice}") from error
        trainer.strategy.barrier()

    def _save(self, trainer: pl.Trainer, step: int, part: Path) -> None:
        trainer.save_checkpoint(part)
        self.whole = [*self.whole[-1:], step]
        if not trainer.is_global_zero:
            return
        final = self.folder / f"step-{step}.ckpt"
        sync_tree(part)
        write_json(_note(final), {"step": step, "files": file_digests(part, hashed_up_to=inf)})
        _remove(final)  # a damaged one; a folder cannot be replaced
        os.replace(part, final)
        sync_file(self.folder)
        names = {f"step-{kept}{end}" for kept in self.whole for end in (".ckpt", ".json")}
        for old in [*self.folder.glob("step-*"), *self.folder.glob("part-*")]:
            if old.name not in names:
                _remove(old)


def _points(folder: Path) -> list[tuple[int, Path]]:
    points = []
    for path in folder.glob("step-*.ckpt"):
        name = NAME.fullmatch(path.name)
        if name is None:
            log.warning("%s: not a resume point (step-<number>.ckpt); ignored", path)
        else:
            points.append((int(name[1]), path))
    return points


def _note(path: Path) -> Path:
    return path.with_suffix(".json")


def _reason(path: Path, step: int) -> str | None:
    """Why the training cannot go on from there; None where it can."""
    try:
        note = parse_json(_note(path).read_text(encoding="utf-8"))
        listed = note["files"]
        if note["step"] != step or not listed:
            return f"{_note(path).name} belongs to another one"
        reason = find_damage(path, listed)
        if reason is None and path.is_file():  # DeepSpeed reads its folders itself
            saved = torch.load(path, mmap=True, weights_only=True)
            reason = None if saved["global_step"] == step else "it is of another step"
    except pickle.UnpicklingError:  # torch's own message advises to run whatever is in it
        return "it holds more than tensors and plain values"
    except UNREADABLE as error:
        return f"{type(error).__name__}: {error}".splitlines()[0]
    return reason


def _remove(path: Path) -> None:
    if path.is_dir():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)
