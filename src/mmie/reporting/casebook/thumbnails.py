"""Small copies of the samples' pictures, inside the page or in a folder beside it."""

from __future__ import annotations

import base64
import hashlib
import io
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import quote

from PIL import Image

from mmie.data.pictures import open_picture, upright_size
from mmie.errors import InputError
from mmie.files import disk_errors
from mmie.types import Picture

SIDE = 512  # pixels
EMBEDDED = 15 * 2**20  # bytes of the page
COLOURS = 64  # up to which a drawing stays sharp as a small PNG
PLACES = ("embed", "folder")


@dataclass(frozen=True)
class Thumbnail:
    """A picture, or a part of one, as a small file.

    ``size`` is the width and height of what it shows, in pixels of the original.
    """

    data: bytes
    kind: str
    size: tuple[int, int]


def thumbnails(pictures: Iterable[Picture]) -> dict[Picture, Thumbnail | None]:
    """Picture → thumbnail, None where the file is missing or unreadable; not for blank pictures."""
    there = [picture for picture in dict.fromkeys(pictures) if picture.path is not None]
    return {picture: _thumbnail(picture) for picture in there}


def place(found: Collection[Thumbnail | None]) -> str:
    """``embed`` as long as the pictures take no more than 15 MB in the page."""
    size = sum(len(small.data) for small in found if small)
    return "embed" if size * 4 / 3 <= EMBEDDED else "folder"  # base64 takes 4 bytes for 3


def embedded(found: Mapping[Picture, Thumbnail | None]) -> dict[Picture, dict[str, Any]]:
    """What the page says of each picture, the files themselves being in it."""
    return {
        picture: _described(picture, small, _data_uri(small) if small else "")
        for picture, small in found.items()
    }


def beside(page: Path, found: Mapping[Picture, Thumbnail | None]) -> dict[Picture, dict[str, Any]]:
    """What the page says of each picture; writes the files to ``<page>_pictures`` beside it.

    Raises:
        InputError: the folder cannot be written.
    """
    folder = page.parent / f"{page.stem}_pictures"
    known = {}
    with disk_errors(folder):
        folder.mkdir(parents=True, exist_ok=True)
        for picture, small in found.items():
            name = small and f"{hashlib.sha256(small.data).hexdigest()[:16]}.{small.kind}"
            if small and name:
                (folder / name).write_bytes(small.data)
            known[picture] = _described(
                picture, small, quote(f"{folder.name}/{name}", errors="surrogateescape")
            )
    return known


def _thumbnail(picture: Picture) -> Thumbnail | None:
    assert picture.path is not None
    try:
        image = open_picture(picture, max_pixels=Image.MAX_IMAGE_PIXELS or 2**63)
        size = image.size if picture.box else upright_size(picture.path)
    except InputError:
        return None
    image.thumbnail((SIDE, SIDE))
    kind, options = (
        ("png", {"optimize": True}) if image.getcolors(COLOURS) else ("jpeg", {"quality": 85})
    )
    buffer = io.BytesIO()
    image.save(buffer, kind, **options)
    return Thumbnail(buffer.getvalue(), kind, size)


def _data_uri(small: Thumbnail) -> str:
    return f"data:image/{small.kind};base64,{base64.b64encode(small.data).decode()}"


def _described(picture: Picture, small: Thumbnail | None, source: str) -> dict[str, Any]:
    if small is None:
        return {"missing": picture.path.name if picture.path else ""}
    return {"source": source, "width": small.size[0], "height": small.size[1]}
