"""Picture features, computed once per picture: a bounded cache in memory, over files on disk.

The vision tower is frozen, so a picture's features depend on its bytes, the tower's weights and the
processor's settings. These three make up the file's name. The features of a damaged file are
computed again.
"""

from __future__ import annotations

import hashlib
import logging
from collections import OrderedDict
from collections.abc import Callable, Hashable, Sequence
from pathlib import Path

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save
from torch import Tensor, nn

from mmie.data.source import read
from mmie.files import replacing
from mmie.types import Picture

log = logging.getLogger(__name__)


class FeatureStore:
    """Features on disk: one safetensors file per picture, each with a digest of its content.

    Args:
        folder: that of one vision tower with one processor, see ``tower_digest``.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def get(self, key: str) -> Tensor | None:
        """The features [image tokens, H]; None if there are none or the file is damaged."""
        path = self._path(key)
        if not path.exists():
            return None
        try:
            with safe_open(path, framework="pt") as file:
                features = file.get_tensor("features")
                digest = (file.metadata() or {}).get("sha256")
        except (SafetensorError, OSError, ValueError):
            features = digest = None
        if features is None or digest != _digest(features):
            log.warning("%s: damaged; its features are computed again", path)
            return None
        return features

    def put(self, key: str, features: Tensor) -> None:
        """Stores the features.

        Raises:
            InputError: the folder cannot be written.
        """
        content = save({"features": features}, metadata={"sha256": _digest(features)})
        # Not durable: ``get`` computes a damaged file anew, and waiting for the disk costs more.
        with replacing(self._path(key), durable=False) as temporary:
            temporary.write_bytes(content)  # safetensors' own writing raises no OSError

    def _path(self, key: str) -> Path:
        return self.folder / key[:2] / f"{key}.safetensors"


class VisionCache:
    """Features in memory; the least recently used ones are dropped when they exceed the bound.

    Args:
        store: where features outlive the run; None keeps them in memory only.
        max_bytes: bound of the features in memory. The newest stay even if they alone exceed it.

    Attributes:
        memory_bytes: size of the features in memory.
        computed: how many pictures went through the vision tower.
        read: how many were read from the store.
    """

    def __init__(self, store: FeatureStore | None = None, *, max_bytes: int = 2 << 30) -> None:
        self.store = store
        self.max_bytes = max_bytes
        self.memory_bytes = 0
        self.computed = 0
        self.read = 0
        self._features: OrderedDict[Hashable, Tensor] = OrderedDict()

    def __call__(self, picture: Picture, compute: Callable[[], Tensor]) -> Tensor:
        """The picture's features [image tokens, H] on the CPU.

        They come from memory, else from disk, else they are computed.

        Raises:
            InputError: the store cannot be written.
        """
        if picture in self._features:
            self._features.move_to_end(picture)
            return self._features[picture]
        features = self._features[picture] = self._read_or_compute(picture, compute)
        self.memory_bytes += features.nbytes
        while self.memory_bytes > self.max_bytes and len(self._features) > 1:
            _, dropped = self._features.popitem(last=False)
            self.memory_bytes -= dropped.nbytes
        return features

    def _read_or_compute(self, picture: Picture, compute: Callable[[], Tensor]) -> Tensor:
        if self.store is None:
            return self._compute(compute)
        key = picture_digest(picture)
        stored = self.store.get(key)
        if stored is not None:
            self.read += 1
            return stored
        features = self._compute(compute)
        self.store.put(key, features.contiguous())
        return features

    def _compute(self, compute: Callable[[], Tensor]) -> Tensor:
        self.computed += 1
        return compute().cpu()


def picture_digest(picture: Picture) -> str:
    """A digest of the file's bytes and of the part of it that is shown.

    A file whose content changes counts as another picture.

    Raises:
        InputError: the file cannot be read.
    """
    part = repr([value for name, value in vars(picture).items() if name != "path"])
    content = b"blank" if picture.path is None else read(picture.path)
    return hashlib.sha256(part.encode() + b"\0" + content).hexdigest()[:32]


def tower_digest(modules: Sequence[nn.Module], settings: str) -> str:
    """A digest of all weights that turn pixels into features, and of the settings.

    Args:
        modules: vision tower and projector.
        settings: of the image processor, the size bound and the layers used.
    """
    digest = hashlib.sha256(settings.encode())
    for module in modules:
        for name, value in sorted(module.state_dict().items()):
            digest.update(f"{name} {value.dtype} {tuple(value.shape)}".encode())
            digest.update(_bytes(value))
    return digest.hexdigest()[:16]


def _digest(features: Tensor) -> str:
    kind = f"{features.dtype} {tuple(features.shape)}"
    return hashlib.sha256(kind.encode() + _bytes(features)).hexdigest()


def _bytes(value: Tensor) -> bytes:
    return value.detach().cpu().contiguous().flatten().view(torch.uint8).numpy().tobytes()
