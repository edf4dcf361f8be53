"""Pictures from disk: found, checked, and bounded before any model sees them."""

from __future__ import annotations

import logging
import math
import os
import struct
import unicodedata
import warnings
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Literal

from PIL import ExifTags, Image, ImageOps, UnidentifiedImageError

from mmie.data.files import HEAD, kind_of
from mmie.errors import InputError
from mmie.types import Picture

FORMATS = ("JPEG", "PNG", "WEBP", "GIF", "BMP", "TIFF")
UNREADABLE = (  # what Pillow raises over broken files
    OSError,
    EOFError,
    ValueError,
    SyntaxError,
    struct.error,
    Image.DecompressionBombError,
    Image.DecompressionBombWarning,
)
GREY = (128, 128, 128)
WHITE = (255, 255, 255, 255)
MAX_ASPECT = 100  # Qwen2.5-VL's image processor refuses 200
SHOWN = 5  # names in a message
MISSING = "missing"
TURNED = (5, 6, 7, 8)  # Exif orientations that change width for height

SUFFIXES = ("jpg", "jpeg", "png", "webp", "gif", "bmp", "tif", "tiff")
PHOTOS = {b"ftypheic": "HEIC", b"ftypmif1": "HEIC", b"ftypavif": "AVIF"}  # after the first 4 bytes
DEPTH = 4  # folders below the pictures' that are listed; bounds links that lead back up
SYSTEM_FILES = ("Thumbs.db", "desktop.ini")  # which come with copying and are no data

Box = tuple[int, int, int, int]
Track = Callable[[list[Any], str], Iterable[Any]]

log = logging.getLogger(__name__)
Image.init()  # knows all of FORMATS; otherwise only those that happen to be loaded


def untracked(items: list[Any], description: str) -> Iterable[Any]:
    """The items, without showing how far one is."""
    return items


class PictureFolder:
    """The pictures of a data set: ``<folder>/<split>/<name>`` or else ``<folder>/<name>``.

    A name may lack its suffix (``1`` for ``1.jpg``) and may have another Unicode form on disk.

    Args:
        folder: where they are; None for a data set without pictures, each of which is then blank.
        missing: ``error``, or ``blank`` for a blank picture in place of each one that is missing or
            unreadable.

    Raises:
        InputError: another value of ``missing``.
    """

    def __init__(self, folder: str | Path | None, missing: str) -> None:
        if missing not in ("error", "blank"):
            raise InputError(f"data.missing_images={missing}: use error or blank")
        self.blank = folder is None
        self.folder = Path(folder or "")
        self.missing = missing

    def find(self, split: str, names: Sequence[str], *, track: Track = untracked) -> list[Picture]:
        """One picture for each name; every file is decoded once to know that it can be.

        Args:
            split: the folder to look into first.
            names: of the pictures, as often as they are wanted.
            track: shows how far the decoding is.

        Raises:
            InputError: some are missing or unreadable and no blank ones may stand in, or a name
                without suffix fits two files.
        """
        if self.blank:
            return [Picture(None)] * len(names)
        paths = {name: self._path(split, name) for name in names}
        bad: dict[Path, str] = {}
        for path in track([*dict.fromkeys(paths.values())], f"checking pictures of {split}"):
            reason = unreadable(path)
            if reason is not None:
                bad[path] = reason
        if bad:
            reasons = {name: bad[path] for name, path in paths.items() if path in bad}
            self._complain(split, reasons, len(paths))
        return [Picture(None if paths[name] in bad else paths[name]) for name in names]

    def listing(self) -> list[tuple[str, int]]:
        """Name and size of all files in the folder and below, sorted: tells when pictures change.

        Neither times nor contents are looked at: the first differ between copies, the second cost
        as much as reading all pictures at every start. Hidden files and those of file managers do
        not count.
        """
        if self.blank:
            return []
        patterns = ("*/" * depth + "*" for depth in range(DEPTH + 1))
        files = (path for pattern in patterns for path in self.folder.glob(pattern))
        return sorted(
            (path.relative_to(self.folder).as_posix(), path.stat().st_size)
            for path in files
            if path.is_file() and not path.name.startswith(".") and path.name not in SYSTEM_FILES
        )

    def _path(self, split: str, name: str) -> Path:
        """The picture's file; where there is none, the place at which it should be."""
        places = (self.folder / split, self.folder)
        for written in dict.fromkeys((name, _formed("NFC", name), _formed("NFD", name))):
            for place in places:
                if os.path.isfile(place / written):
                    return place / written
        if name.rpartition(".")[2].lower() not in SUFFIXES:
            for place in places:
                found = [path for path in _with_suffixes(place, name) if os.path.isfile(path)]
                if len(found) > 1:
                    both = " and ".join(path.name for path in found)
                    raise InputError(f"{place}: {both} both fit the picture {name!r}; keep one")
                if found:
                    return found[0]
        return self.folder / name

    def _complain(self, split: str, reasons: Mapping[str, str], count: int) -> None:
        """``reasons``: name → why there is no such picture."""
        named = [
            name if reason == MISSING else f"{name}: {reason}" for name, reason in reasons.items()
        ]
        shown = ", ".join(named[:SHOWN]) + (", …" if len(reasons) > SHOWN else "")
        counted = f"{len(reasons)} of {count} pictures of {split} are missing or unreadable"
        message = f"{self.folder}: {counted} ({shown})"
        if self.missing == "error":
            advice = "put sound ones there, set data.images, or set data.missing_images=blank"
            raise InputError(f"{message}; {advice}")
        log.warning(f"{message}; blank ones stand in")


def _formed(form: Literal["NFC", "NFD"], name: str) -> str:
    return unicodedata.normalize(form, name)


def _with_suffixes(place: Path, name: str) -> list[Path]:
    return [place / f"{name}.{suffix}" for suffix in SUFFIXES]


def open_picture(
    picture: Picture, *, max_pixels: int, blank_size: tuple[int, int] = (112, 112)
) -> Image.Image:
    """The picture upright, cut to its box, in RGB, on white where it is transparent.

    A blank picture is mid-grey.

    Args:
        picture: the file to read, or a blank one.
        max_pixels: width × height above which it is scaled down in the same shape; 100 or more. A
            side is never made shorter than 1/100 of the other: what is thinner is stretched.
        blank_size: width and height of a blank picture.

    Raises:
        InputError: the file cannot be read, is broken, or has more than
            ``PIL.Image.MAX_IMAGE_PIXELS`` pixels; or nothing of the picture is within its box.
    """
    if picture.path is None:
        return Image.new("RGB", blank_size, GREY)
    try:
        with _opened(picture.path) as image:
            shown = _shown(image)
    except UNREADABLE as error:
        raise InputError(
            f"{picture.path}: not a readable picture ({error}); replace the file"
        ) from error
    if picture.box is not None:
        box = clipped(picture.box, shown.size)
        if box is None:
            raise InputError(
                f"{picture.path}: the box {picture.box} holds no pixel of the picture, whose size "
                f"is {shown.size}; correct it"
            )
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
        return (
            (height, width)
            if image.getexif().get(ExifTags.Base.Orientation) in TURNED
            else (width, height)
        )


def picture_to_json(picture: Picture, images: Path | None = None) -> Any:
    """The path, null for a blank picture; with a box ``{"path": …, "box": […]}``.

    Args:
        picture: any.
        images: a folder from which the path is written where it lies in it.
    """
    path = picture.path
    if path is not None and images is not None and path.is_relative_to(images):
        path = path.relative_to(images)
    written = path and str(path)
    return written if picture.box is None else {"path": written, "box": list(picture.box)}


def picture_from_json(value: Any, images: Path | None = None) -> Picture:
    """What ``picture_to_json`` wrote, a relative path inside ``images``.

    Something else raises TypeError, ValueError or LookupError.
    """
    path, box = (value["path"], value["box"]) if isinstance(value, dict) else (value, None)
    if box is not None:
        left, upper, right, lower = map(int, box)
        box = (left, upper, right, lower)
    return Picture(path and Path(images or "", path), box)


def unreadable(path: Path) -> str | None:
    """Why ``open_picture`` would refuse the file; None where it would not.

    The whole picture is decoded: what passes here passes everywhere later. A JPEG is decoded to an
    eighth of its size, which reads the whole file all the same and costs a fraction.
    """
    try:
        with _opened(path) as image:
            image.draft("RGB", (1, 1))
            _shown(image)
    except UNREADABLE as error:
        return _reason(path, error)
    return None


def _reason(path: Path, error: BaseException) -> str:
    if not os.path.isfile(path):
        return MISSING
    if not isinstance(error, UnidentifiedImageError):
        return " ".join(str(error).split())
    with path.open("rb") as file:
        head = file.read(HEAD)
    if head[4:12] in PHOTOS:
        return f"a {PHOTOS[head[4:12]]} photo, which must be converted to JPEG"
    kind = kind_of(head)
    return kind[0] if kind else "not a JPEG, PNG, WebP, GIF, BMP or TIFF picture"


@contextmanager
def _opened(path: Path) -> Iterator[Image.Image]:
    """The open file.

    Pillow's warning of a decompression bomb is an error; its other warnings are dropped.
    """
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
        upright = Image.alpha_composite(
            Image.new("RGBA", upright.size, WHITE), upright.convert("RGBA")
        )
    return upright.convert("RGB")


def _bounded(width: int, height: int, max_pixels: int) -> tuple[int, int]:
    """The largest size of this shape within ``max_pixels``."""
    width, height = (
        max(width, math.ceil(height / MAX_ASPECT)),
        max(height, math.ceil(width / MAX_ASPECT)),
    )
    scale = min(1.0, math.sqrt(max_pixels / (width * height)))
    return int(width * scale), int(height * scale)
