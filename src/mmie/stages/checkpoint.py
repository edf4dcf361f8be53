"""What tells one base checkpoint from another, wherever it lies."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

HASHED_WHOLE = 64 << 20  # bytes; of larger weight files, evenly spread pieces are hashed
SAMPLES = 256
PIECE = 1 << 16  # bytes


def model_identity(settings: Mapping[str, Any]) -> dict[str, Any]:
    """The ``model`` node with a digest of each file of a local checkpoint.

    A local checkpoint is known by its files and not by its folder, so a moved one is the same. A
    checkpoint of the hub is known by its name.
    """
    # Importing the backbone loads transformers, which a run that only reads data does not need.
    from mmie.models.backbone import resolve_path

    identity = dict(settings)
    folder = Path(resolve_path(identity["path"]))
    if not folder.is_dir():
        return {**identity, "files": {}}
    del identity["path"]
    return {**identity, "files": file_digests(folder)}


def file_digests(folder: Path) -> dict[str, str]:
    """The name of each file of a checkpoint or adapter → a digest of its content."""
    files = sorted(file for file in folder.iterdir() if _counts(file))
    return {file.name: _digest(file) for file in files}


def _counts(file: Path) -> bool:
    """Whether the file belongs to the checkpoint: hidden files and a README come with copying."""
    return file.is_file() and not file.name.startswith(".") and file.suffix != ".md"


def _digest(file: Path) -> str:
    """A digest of the whole file; of a large one its size and ``SAMPLES`` evenly spread pieces.

    In a file of 5 GB the pieces are 20 MB apart: no weight matrix of a 7B model fits between two.
    """
    size = file.stat().st_size
    digest = hashlib.sha256(str(size).encode())
    with file.open("rb") as content:
        if size <= HASHED_WHOLE:
            return hashlib.sha256(content.read()).hexdigest()[:16]
        for number in range(SAMPLES):
            content.seek((size - PIECE) * number // (SAMPLES - 1))
            digest.update(content.read(PIECE))
    return digest.hexdigest()[:16]
