"""Pictures as the teacher gets them: in a format that servers accept, upright, bounded in size."""

from __future__ import annotations

import hashlib
import re
import warnings
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path

from PIL import ExifTags, Image

from mmie.data.pictures import FORMATS, UNREADABLE, open_picture
from mmie.errors import InputError
from mmie.types import Picture

LARGEST_FILE = 4 << 20  # bytes; some servers refuse pictures of 5 MB
JPEG_QUALITY = 90
MODES = {"1", "L", "LA", "P", "RGB", "RGBA"}  # some servers show others, such as CMYK, wrongly
UPRIGHT = (None, 0, 1)  # values of Exif's orientation that turn nothing
_START = re.compile(
    rb"(?P<png>\x89PNG\r\n\x1a\n)|(?P<jpeg>\xff\xd8\xff)|(?P<gif>GIF8[79]a)|(?P<webp>RIFF.{4}WEBP)",
    re.DOTALL,
)


@dataclass(frozen=True)
class EncodedPicture:
    """A picture as it is sent to the server.

    Attributes:
        data: the content of the file.
        kind: ``png``, ``jpeg``, ``gif`` or ``webp``.
        digest: SHA-256 of the original file and of how it was changed. It is not that of ``data``,
            which may differ with another version of Pillow, and the record's keys must not.
    """

    data: bytes
    kind: str
    digest: str


def encode_for_teacher(picture: Picture, *, max_pixels: int) -> EncodedPicture:
    """The picture's file unchanged if servers accept it, otherwise encoded anew as PNG or JPEG.

    Encoded anew are a part within a box, formats other than PNG, JPEG, WebP and GIF, the first
    frame of an animation, pictures that Exif turns, and pictures above ``max_pixels`` or 4 MiB.

    Args:
        picture: not a blank one.
        max_pixels: width × height above which the picture is scaled down.

    Raises:
        InputError: the file cannot be read, or is not a picture.
    """
    assert picture.path is not None
    try:
        data = picture.path.read_bytes()
    except OSError as error:
        reason = f"cannot read the picture ({error.strerror})"
        raise InputError(f"{picture.path}: {reason}; put it there") from error
    kind = _START.match(data)
    if picture.box is None and kind and _is_accepted(data, picture.path, max_pixels):
        return EncodedPicture(data, str(kind.lastgroup), hashlib.sha256(data).hexdigest())
    image = open_picture(picture, max_pixels=max_pixels)
    change = f" box {picture.box} size {image.size}"
    return EncodedPicture(*_encoded(image), hashlib.sha256(data + change.encode()).hexdigest())


def _is_accepted(data: bytes, path: Path, max_pixels: int) -> bool:
    """Whether servers accept this PNG, JPEG, GIF or WebP file unchanged."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            with Image.open(BytesIO(data), formats=FORMATS) as image:
                # MPO is a JPEG with further pictures behind it; readers of JPEG see the first one.
                still = image.format == "MPO" or getattr(image, "n_frames", 1) == 1
                upright = image.getexif().get(ExifTags.Base.Orientation) in UPRIGHT
                small = image.width * image.height <= max_pixels and len(data) <= LARGEST_FILE
                return still and upright and small and image.mode in MODES
    except UNREADABLE as error:
        raise InputError(f"{path}: not a readable picture ({error}); replace the file") from error


def _encoded(image: Image.Image) -> tuple[bytes, str]:
    """PNG, which loses nothing; JPEG if the PNG would be too large a file."""
    content = BytesIO()
    image.save(content, format="PNG")
    if content.tell() <= LARGEST_FILE:
        return content.getvalue(), "png"
    content = BytesIO()
    image.save(content, format="JPEG", quality=JPEG_QUALITY)
    return content.getvalue(), "jpeg"
