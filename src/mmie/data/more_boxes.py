"""The boxes of MORE's objects: normalised (cx, cy, w, h) by picture and object name, in a file of torch's."""

from __future__ import annotations

import math
import pickle
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch

from mmie.data.pictures import Box, clipped
from mmie.errors import InputError

UNREADABLE = (OSError, EOFError, RuntimeError, ValueError, LookupError, TypeError, AttributeError, pickle.UnpicklingError)

LARGEST = 2.0  # a share of the picture above this is no slip of a detector but pixels
Centred = tuple[float, float, float, float]


class Boxes:
    """One file ``{img_id: {object name: (cx, cy, w, h)}}``; nothing but plain values and tensors is loaded from it.

    Raises:
        InputError: it cannot be read or holds something else.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        try:
            found = torch.load(path, map_location="cpu", weights_only=True)
        except UNREADABLE as error:
            raise InputError(f"{path}: not a readable file of boxes ({_first_line(error)}); copy it anew") from error
        if not isinstance(found, Mapping) or not all(isinstance(objects, Mapping) for objects in found.values()):
            raise InputError(f"{path}: holds no boxes by picture and object; it is not one of MORE's files")
        self._found = found

    def of(self, img_id: str, name: str, *, where: str) -> Centred:
        """The box of an object: centre, width and height as shares of the picture's.

        Raises:
            InputError: there is none, or it is no box; ``where`` comes first.
        """
        what = f"object {name!r} of {img_id}"
        box = self._found.get(img_id, {}).get(name)
        if box is None:
            raise InputError(f"{where}: {self.path.name} has no box for {what}; add it or remove this line")
        try:
            cx, cy, w, h = map(float, () if isinstance(box, str | Mapping) else box)
        except (TypeError, ValueError, OverflowError):
            cx = cy = w = h = math.nan
        if not (abs(cx) <= LARGEST and abs(cy) <= LARGEST and 0 < w <= LARGEST and 0 < h <= LARGEST):
            shown = " ".join(repr(box).split())
            shares = f"cx, cy, w > 0, h > 0 as shares of the picture (up to {LARGEST:g}, what is outside is cut off)"
            raise InputError(f"{where}: the box of {what} is {shown}, not {shares}; correct {self.path.name}")
        return cx, cy, w, h


def in_pixels(box: Centred, size: tuple[int, int]) -> Box | None:
    """The box in a picture of this width and height, each edge on the nearest pixel edge, clipped; None where that is no pixel."""
    cx, cy, w, h = box
    left, right = (_edge(cx + side * w, size[0]) for side in (-0.5, 0.5))
    upper, lower = (_edge(cy + side * h, size[1]) for side in (-0.5, 0.5))
    return clipped((left, upper, right, lower), size)


def _edge(share: float, length: int) -> int:
    return round(min(max(share, 0.0), 1.0) * length)


def _first_line(error: Any) -> str:
    return next(iter(str(error).splitlines()), type(error).__name__)
