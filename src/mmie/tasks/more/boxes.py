"""The boxes of MORE's objects: normalised (cx, cy, w, h) by picture and object name.

They come in a file that torch wrote.
"""

from __future__ import annotations

import collections
import math
import pickle
import re
import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch

from mmie.data.files import ARCHIVES, kind_of, read_head
from mmie.data.pictures import Box, clipped
from mmie.errors import InputError

UNREADABLE = (
    OSError,
    EOFError,
    RuntimeError,
    ValueError,
    LookupError,
    TypeError,
    AttributeError,
    pickle.UnpicklingError,
)

LARGEST = 2.0  # a share of the picture above this is no slip of a detector but pixels
Centred = tuple[float, float, float, float]

_NUMBERS = "float16 float32 float64 int8 int16 int32 int64 uint8 uint16 uint32 uint64".split()
_BUILTINS = ("builtins", "__builtin__")  # the second is pickle's protocol 2
_PLAIN = (dict, list, tuple, float, int)
_ANSI = re.compile(r"\x1b\[[0-9;]*m")
_REFUSED = re.compile(r"GLOBAL ([\w.]+)")
_PICKLED, _ZIPPED = b"\x80", b"PK\x03\x04"
_OLD_TORCH = b"\x8a\nl\xfc\x9cF\xf9 j\xa8P\x19."  # torch's magic number, before its files were zips


class Boxes:
    """One file ``{img_id: {object name: (cx, cy, w, h)}}``.

    Nothing but plain values, tensors and numpy's arrays and numbers is loaded from it.

    Raises:
        InputError: it cannot be read or holds something else.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        found = _loaded(path)
        if not isinstance(found, Mapping) or not all(
            isinstance(objects, Mapping) for objects in found.values()
        ):
            raise InputError(
                f"{path}: holds no boxes by picture and object; it is not one of MORE's files"
            )
        self._found = {str(img_id): objects for img_id, objects in found.items()}

    def of(self, img_id: str, name: str, *, where: str) -> Centred:
        """The box of an object: centre, width and height as shares of the picture's.

        Raises:
            InputError: there is none, or it is no box; ``where`` comes first.
        """
        what = f"object {name!r} of {img_id}"
        box = self._found.get(img_id, {}).get(name)
        if box is None:
            raise InputError(
                f"{where}: {self.path.name} has no box for {what}; add it or remove this line"
            )
        try:
            cx, cy, w, h = map(float, () if isinstance(box, str | Mapping) else box)
        except (TypeError, ValueError, OverflowError):
            cx = cy = w = h = math.nan
        if not (
            abs(cx) <= LARGEST and abs(cy) <= LARGEST and 0 < w <= LARGEST and 0 < h <= LARGEST
        ):
            shown = " ".join(repr(box).split())
            bound = f"(up to {LARGEST:g}, what is outside is cut off)"
            shares = f"cx, cy, w > 0, h > 0 as shares of the picture {bound}"
            wrong = f"the box of {what} is {shown}, not {shares}"
            raise InputError(f"{where}: {wrong}; correct {self.path.name}")
        return cx, cy, w, h


def in_pixels(box: Centred, size: tuple[int, int]) -> Box | None:
    """The box in a picture of this width and height, each edge on the nearest pixel edge, clipped.

    None where that is no pixel.
    """
    cx, cy, w, h = box
    left, right = (_edge(cx + side * w, size[0]) for side in (-0.5, 0.5))
    upper, lower = (_edge(cy + side * h, size[1]) for side in (-0.5, 0.5))
    return clipped((left, upper, right, lower), size)


def _edge(share: float, length: int) -> int:
    return round(min(max(share, 0.0), 1.0) * length)


def _loaded(path: Path) -> Any:
    head = read_head(path)
    kind = kind_of(head, allowed=ARCHIVES)
    if kind is not None:
        raise InputError(f"{path}: is {kind[0]}, not the boxes; {kind[1]}")
    try:
        with warnings.catch_warnings(), torch.serialization.safe_globals(_safe_globals()):
            warnings.simplefilter("ignore")  # of a newer pickle protocol, which is refused below
            return torch.load(path, map_location="cpu", weights_only=True)
    except UNREADABLE as error:
        written = head.startswith((_PICKLED, _ZIPPED))
        if written and isinstance(error, pickle.UnpicklingError):
            raise InputError(_refusal(path, head, str(error))) from error
        reason = next(iter(_ANSI.sub("", str(error)).splitlines()), type(error).__name__)
        raise InputError(
            f"{path}: not a readable file of boxes ({reason}); download or copy it again"
        ) from error


def _safe_globals() -> list[Any]:
    """What builds numpy's values, under the names of numpy 1 and 2, and a plain defaultdict."""
    builders = {
        "_reconstruct": np.empty(0).__reduce__()[0],
        "scalar": np.float64(0).__reduce__()[0],
    }
    named = [
        (builder, f"numpy.{core}.multiarray.{name}")
        for core in ("core", "_core")
        for name, builder in builders.items()
    ]
    plain = [(kind, f"{module}.{kind.__name__}") for module in _BUILTINS for kind in _PLAIN]
    dtypes = [type(np.dtype(name)) for name in _NUMBERS]
    return [*named, *plain, *dtypes, np.ndarray, np.dtype, (_ordered, "collections.defaultdict")]


def _ordered(*_: Any) -> collections.OrderedDict[Any, Any]:
    """In place of a defaultdict, whose items torch's reader of plain values would not set."""
    return collections.OrderedDict()


def _refusal(path: Path, head: bytes, complaint: str) -> str:
    """What the file holds beyond plain values, and how to write it anew without."""
    refused = _REFUSED.search(complaint)
    what = f"holds values of {refused[1]}" if refused else "is in a form that is not loaded safely"
    load = "torch.load(f, weights_only=False)"
    if head.startswith(_PICKLED) and _OLD_TORCH not in head:
        what, load = "is a pickle that torch did not write", "pickle.loads(f.read_bytes())"
    floats = "{i: {n: [float(v) for v in b] for n, b in o.items()} for i, o in d.items()}"
    place = f"f = pathlib.Path({str(path)!r})"
    script = f"import pathlib, pickle, torch; {place}; d = {load}; torch.save({floats}, f)"
    return f"{path}: {what}; if you trust its origin, rewrite it in Python with: {script}"
