"""TRL on the same work as this engine, with the smaller model."""

from __future__ import annotations

import importlib.util
import tempfile
from dataclasses import replace
from pathlib import Path

import torch

from mmie.bench.compare import compare, shipped_work
from mmie.bench.gpu.model import RandomWeights, device
from mmie.bench.gpu.notes import Notes
from mmie.bench.gpu.size import Size
from mmie.bench.work import write_checkpoint
from mmie.errors import InputError


def run(size: Size, notes: Notes) -> None:
    """The figures of ``python -m mmie.bench``.

    Raises:
        InputError: TRL is not installed.
    """
    if importlib.util.find_spec("trl") is None:
        raise InputError("TRL is not installed: carry trl, datasets and pyarrow")
    with tempfile.TemporaryDirectory() as scratch:
        small, folder = Path(scratch, "small"), Path(scratch, "model")
        write_checkpoint(small)
        backbone = RandomWeights(str(small), shape=size.shape, layers=size.layers)
        backbone.model.save_pretrained(folder)
        backbone.tokenizer.save_pretrained(folder)
        backbone.processor.save_pretrained(folder)
        del backbone
        torch.cuda.empty_cache()  # the engines need it
        work = replace(
            shipped_work(str(folder)),
            group_size=size.group_size,
            prompts=size.peer_prompts,
            prompt_tokens=size.prompt_tokens // 2,
            new_tokens=size.new_tokens // 2,
            image_size=size.image_size,
            steps=2,
            device=device().type,
            dtype="bfloat16",
        )
        notes.add(**compare(work, ["shared", "trl"]))
