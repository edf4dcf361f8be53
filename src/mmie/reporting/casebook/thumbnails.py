"""Small copies of the samples' pictures, in a folder beside the page."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple
from urllib.parse import quote

from PIL import Image

from mmie.data.pictures import open_picture
from mmie.errors import InputError
from mmie.files import disk_errors
from mmie.types import Picture

SIDE = 512  # pixels


class Thumbnail(NamedTuple):
    """The address of a copy, and width and height of the original in pixels."""

    address: str
    width: int
    height: int


def save_thumbnails(pictures: Iterable[Picture], page: Path) -> dict[Picture, Thumbnail]:
    """Writes ``<page>_pictures/1.jpeg``, … without the pictures that are blank or unreadable.

    Raises:
        InputError: the folder cannot be written.
    """
    folder = page.parent / f"{page.stem}_pictures"
    saved = {}
    for number, picture in enumerate(dict.fromkeys(pictures), start=1):
        image = _opened(picture)
        if image is not None:
            name = f"{number}.jpeg"
            address = quote(f"{folder.name}/{name}", errors="surrogateescape")
            saved[picture] = Thumbnail(address, *image.size)
            image.thumbnail((SIDE, SIDE))
            with disk_errors(folder):
                folder.mkdir(parents=True, exist_ok=True)
                image.save(folder / name, quality=90)
    return saved


def _opened(picture: Picture) -> Image.Image | None:
    if picture.path is None:
        return None
    try:
        return open_picture(picture, max_pixels=Image.MAX_IMAGE_PIXELS or 2**63)
    except InputError:
        return None
