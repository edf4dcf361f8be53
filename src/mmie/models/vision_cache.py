"""Picture features, computed once a picture: a bounded memory over files that outlive the run.

The vision tower is frozen, so a picture's features depend on its bytes, the tower's weights and the processor's settings;
these three make the file's name. A file that is not whole is computed anew.
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
    """Features on disk, one safetensors file a picture, each with a digest of its content.

    Args:
        folder: of one vision tower with one processor, see ``tower_digest``.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def get(self, key: str) -> Tensor | None:
        """The features [n, H]; None where there are none or the file is damaged."""
        path = self._path(key)
        if not path.exists():
            return None
        try:
            with safe_open(path, framework="pt") as file:
                features = file.get_tensor("features")
                whole = (file.metadata() or {}).get("sha256") == _digest(features)
        except (SafetensorError, OSError, ValueError):
            whole = False
        if not whole:
            log.warning("%s: damaged; its features are computed anew", path)
            return None
        return features

    def put(self, key: str, features: Tensor) -> None:
        """Raises InputError where the folder cannot be written."""
        content = save({"features": features}, metadata={"sha256": _digest(features)})
        # Not durable: ``get`` computes a damaged file anew, and waiting for the disk costs more.
        with replacing(self._path(key), durable=False) as temporary:
            temporary.write_bytes(content)  # safetensors' own writing raises no OSError

    def _path(self, key: str) -> Path:
        return self.folder / key[:2] / f"{key}.safetensors"


class VisionCache:
    """The least recently used features leave memory when the bound is passed.

    Args:
        store: where features outlive the run; None keeps them in memory alone.
        max_bytes: of features held in memory.
    """

    def __init__(self, store: FeatureStore | None = None, *, max_bytes: int = 2 << 30) -> None:
        self.store = store
        self.max_bytes = max_bytes
        self.held = 0
        self.computed = 0
        self.read = 0
        self._features: OrderedDict[Hashable, Tensor] = OrderedDict()

    def __call__(self, picture: Picture, compute: Callable[[], Tensor]) -> Tensor:
        """The picture's features [n, H] on the CPU, from memory, from disk, or computed, in this order.

        Raises:
            InputError: the store cannot be written.
        """
        if picture in self._features:
            self._features.move_to_end(picture)
            return self._features[picture]
        value = self._features[picture] = self._read(picture, compute)
        self.held += value.nbytes
        while self.held > self.max_bytes and len(self._features) > 1:
            self.held -= self._features.popitem(last=False)[1].nbytes
        return value

    def _read(self, picture: Picture, compute: Callable[[], Tensor]) -> Tensor:
        key = picture_digest(picture) if self.store else ""
        found = self.store.get(key) if self.store else None
        if found is not None:
            self.read += 1
            return found
        features = compute().cpu()
        self.computed += 1
        if self.store:
            self.store.put(key, features.contiguous())
        return features


def picture_digest(picture: Picture) -> str:
    """Of the file's bytes and what of it is shown; a picture that changes on disk is another picture.

    Raises:
        InputError: the file cannot be read.
    """
    shown = repr([value for name, value in vars(picture).items() if name != "path"])
    content = b"blank" if picture.path is None else read(picture.path)
    return hashlib.sha256(shown.encode() + b"\0" + content).hexdigest()[:32]


def tower_digest(modules: Sequence[nn.Module], settings: str) -> str:
    """Of all weights that turn pixels into features, and of the settings: image processor, size bound, layers taken."""
    digest = hashlib.sha256(settings.encode())
    for module in modules:
        for name, value in sorted(module.state_dict().items()):
            digest.update(f"{name} {value.dtype} {tuple(value.shape)}".encode())
            digest.update(_bytes(value))
    return digest.hexdigest()[:16]


def _digest(features: Tensor) -> str:
    return hashlib.sha256(
        f"{features.dtype} {tuple(features.shape)}".encode() + _bytes(features)
    ).hexdigest()


def _bytes(value: Tensor) -> bytes:
    return value.detach().cpu().contiguous().flatten().view(torch.uint8).numpy().tobytes()
