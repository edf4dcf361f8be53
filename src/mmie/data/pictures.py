"""Pictures from disk: found, checked, and bounded before any model sees them."""

from __future__ import annotations

import logging
import math
import os
import struct
import warnings
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from PIL import ExifTags, Image, ImageOps

from mmie.errors import InputError
from mmie.types import Picture

FORMATS = ("JPEG", "PNG", "WEBP", "GIF", "BMP", "TIFF")
UNREADABLE = (  # what Pillow raises over broken files
    OSError, EOFError, ValueError, SyntaxError, struct.error, Image.DecompressionBombError, Image.DecompressionBombWarning,
)  # fmt: skip
GREY = (128, 128, 128)
WHITE = (255, 255, 255, 255)
MAX_ASPECT = 100  # Qwen2.5-VL's image processor refuses 200
SHOWN = 5  # names in a message
TURNED = (5, 6, 7, 8)  # Exif orientations that change width for height

Box = tuple[int, int, int, int]

log = logging.getLogger(__name__)
Image.init()  # knows all of FORMATS; otherwise only those that happen to be loaded


class PictureFolder:
    """The pictures of a data set: ``<folder>/<split>/<name>`` or else ``<folder>/<name>``.

    Args:
        folder: where they are.
        missing: ``error``, or ``blank`` for a blank picture in place of each that is missing or unreadable.

    Raises:
        InputError: another value of ``missing``.
    """

    def __init__(self, folder: str | Path, missing: str) -> None:
        if missing not in ("error", "blank"):
            raise InputError(f"data.missing_images={missing}: use error or blank")
        self.folder = Path(folder)
        self.missing = missing

    def find(self, split: str, names: Sequence[str]) -> list[Picture]:
        """One picture a name; every file is decoded once to know that it can be.

        Raises:
            InputError: some are missing or unreadable and no blank ones may stand in.
        """
        paths = {name: self._path(split, name) for name in names}
        bad = set(verify_pictures(paths.values()))
        if bad:
            self._complain(split, [name for name, path in paths.items() if path in bad], len(paths))
        return [Picture(None if paths[name] in bad else paths[name]) for name in names]

    def listing(self) -> list[tuple[str, int]]:
        """Name and size of all files in the folder and one level below, sorted: tells when pictures have come or gone."""
        files = (path for pattern in ("*", "*/*") for path in self.folder.glob(pattern) if path.is_file())
        return sorted((str(path.relative_to(self.folder)), path.stat().st_size) for path in files)

    def _path(self, split: str, name: str) -> Path:
        inside = self.folder / split / name
        return inside if os.path.isfile(inside) else self.folder / name

    def _complain(self, split: str, bad: Sequence[str], count: int) -> None:
        shown = ", ".join(bad[:SHOWN]) + (", …" if len(bad) > SHOWN else "")
        message = f"{self.folder}: {len(bad)} of {count} pictures of {split} are missing or unreadable ({shown})"
        if self.missing == "error":
            raise InputError(f"{message}; put them there, set data.images, or set data.missing_images=blank")
        log.warning(f"{message}; blank ones stand in")


def open_picture(picture: Picture, *, max_pixels: int, blank_size: tuple[int, int] = (112, 112)) -> Image.Image:
    """The picture upright, cut to its box, in RGB, on white where it is transparent; mid-grey for a blank one.

    Args:
        picture: the file to read, or a blank one.
        max_pixels: width × height above which it is scaled down, shape kept; 100 or more. A side is never made shorter
            than 1/100 of the other: what is thinner in the file is stretched.
        blank_size: width and height of a blank one.

    Raises:
        InputError: the file cannot be read, is broken, or has more than ``PIL.Image.MAX_IMAGE_PIXELS`` pixels; or
            nothing of the picture is within its box.
    """
    if picture.path is None:
        return Image.new("RGB", blank_size, GREY)
    try:
        with _opened(picture.path) as image:
            shown = _shown(image)
    except UNREADABLE as error:
        raise InputError(f"{picture.path}: not a readable picture ({error}); replace the file") from error
    if picture.box is not None:
        box = clipped(picture.box, shown.size)
        if box is None:
            raise InputError(f"{picture.path}: the box {picture.box} holds no pixel of the picture, whose size is {shown.size}; correct it")
        shown = shown.crop(box)
    size = _bounded(*shown.size, max_pixels)
    return shown if size == shown.size else shown.resize(size, Image.Resampling.BICUBIC)


def clipped(box: Box, size: tuple[int, int]) -> Box | None:
    """What of the box is within a picture of this width and height; None where that is no pixel."""
    width, height = size
    left, right = (min(max(edge, 0), width) for edge in box[::2])
    upper, lower = (min(max(edge, 0), height) for edge in box[1::2])
    return (left, upper, right, lower) if left < right and upper < lower else None


def upright_size(path: Path) -> tuple[int, int]:
    """Width and height as ``open_picture`` shows a sound file, which is not decoded for it."""
    with _opened(path) as image:
        width, height = image.size
        return (height, width) if image.getexif().get(ExifTags.Base.Orientation) in TURNED else (width, height)


def picture_to_json(picture: Picture) -> Any:
    """The path, null for a blank picture; with a box ``{"path": …, "box": […]}``."""
    path = picture.path and str(picture.path)
    return path if picture.box is None else {"path": path, "box": list(picture.box)}


def picture_from_json(value: Any) -> Picture:
    """What ``picture_to_json`` wrote; something else raises TypeError, ValueError or LookupError."""
    path, box = (value["path"], value["box"]) if isinstance(value, dict) else (value, None)
    if box is not None:
        left, upper, right, lower = map(int, box)
        box = (left, upper, right, lower)
    return Picture(path and Path(path), box)


def verify_pictures(paths: Iterable[Path]) -> list[Path]:
    """Those that are missing, broken or too large to decode, each once and in order."""
    return [path for path in dict.fromkeys(paths) if not _is_sound(path)]


def _is_sound(path: Path) -> bool:
    try:
        with _opened(path) as image:
            image.draft("RGB", (1, 1))  # JPEG: an eighth of the size shows a cut file as well
            _shown(image)
    except UNREADABLE:
        return False
    return True


@contextmanager
def _opened(path: Path) -> Iterator[Image.Image]:
    """The open file; Pillow's warning of a decompression bomb is an error, its other warnings are dropped."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        warnings.simplefilter("error", Image.DecompressionBombWarning)
        with Image.open(path, formats=FORMATS) as image:
            yield image


def _shown(image: Image.Image) -> Image.Image:
    """Decoded, upright, in RGB, on white."""
    upright = ImageOps.exif_transpose(image)
    if upright.mode == "I;16":  # 16 bits of grey, which Pillow would clip to white
        upright = upright.point(lambda value: value / 256, "L")
    if upright.has_transparency_data:
        upright = Image.alpha_composite(Image.new("RGBA", upright.size, WHITE), upright.convert("RGBA"))
    return upright.convert("RGB")


def _bounded(width: int, height: int, max_pixels: int) -> tuple[int, int]:
    """The largest size of this shape within ``max_pixels``."""
    width, height = max(width, math.ceil(height / MAX_ASPECT)), max(height, math.ceil(width / MAX_ASPECT))
    scale = min(1.0, math.sqrt(max_pixels / (width * height)))
    return int(width * scale), int(height * scale)
