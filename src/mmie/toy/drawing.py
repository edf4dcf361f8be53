"""Pictures of the toy world: up to four icons, one in each quadrant, on a plain ground."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from PIL import Image, ImageDraw

from mmie.toy.words import COLOURS

SIZE = 112
HALF = SIZE // 2

Draw = ImageDraw.ImageDraw
Colour = tuple[int, int, int]
Icon = tuple[str, str, int]  # colour, name, quadrant 0..3 in reading order


def _heart(draw: Draw, x: int, y: int, c: Colour) -> None:
    draw.ellipse((x + 8, y + 10, x + 29, y + 31), fill=c)
    draw.ellipse((x + 27, y + 10, x + 48, y + 31), fill=c)
    draw.polygon([(x + 9, y + 25), (x + 47, y + 25), (x + 28, y + 50)], fill=c)


def _house(draw: Draw, x: int, y: int, c: Colour) -> None:
    draw.polygon([(x + 4, y + 26), (x + 28, y + 4), (x + 52, y + 26)], fill=c)
    draw.rectangle((x + 12, y + 28, x + 44, y + 50), outline=c, width=5)


def _crib(draw: Draw, x: int, y: int, c: Colour) -> None:
    draw.arc((x + 4, y + 22, x + 52, y + 52), 0, 180, fill=c, width=6)
    for left in range(8, 52, 10):
        draw.line((x + left, y + 12, x + left, y + 40), fill=c, width=4)


def _mic(draw: Draw, x: int, y: int, c: Colour) -> None:
    draw.ellipse((x + 18, y + 4, x + 38, y + 26), fill=c)
    draw.line((x + 28, y + 26, x + 28, y + 48), fill=c, width=6)
    draw.line((x + 14, y + 50, x + 42, y + 50), fill=c, width=5)


def _medal(draw: Draw, x: int, y: int, c: Colour) -> None:
    draw.line((x + 14, y + 4, x + 28, y + 24), fill=c, width=5)
    draw.line((x + 42, y + 4, x + 28, y + 24), fill=c, width=5)
    draw.ellipse((x + 16, y + 24, x + 40, y + 50), fill=c)


def _flag(draw: Draw, x: int, y: int, c: Colour) -> None:
    draw.line((x + 8, y + 4, x + 8, y + 52), fill=c, width=5)
    draw.rectangle((x + 10, y + 6, x + 50, y + 28), fill=c)


def _tree(draw: Draw, x: int, y: int, c: Colour) -> None:
    draw.polygon([(x + 28, y + 2), (x + 6, y + 38), (x + 50, y + 38)], fill=c)
    draw.rectangle((x + 24, y + 38, x + 32, y + 52), fill=c)


def _kite(draw: Draw, x: int, y: int, c: Colour) -> None:
    draw.polygon(
        [(x + 28, y + 2), (x + 46, y + 20), (x + 28, y + 40), (x + 10, y + 20)], outline=c, width=6
    )
    draw.line((x + 28, y + 40, x + 12, y + 54), fill=c, width=4)


def _fence(draw: Draw, x: int, y: int, c: Colour) -> None:
    for left in (6, 22, 38):
        draw.rectangle((x + left, y + 8, x + left + 9, y + 48), fill=c)
    draw.line((x + 2, y + 28, x + 54, y + 28), fill=c, width=5)


def _boat(draw: Draw, x: int, y: int, c: Colour) -> None:
    draw.polygon([(x + 4, y + 36), (x + 52, y + 36), (x + 42, y + 50), (x + 14, y + 50)], fill=c)
    draw.line((x + 28, y + 6, x + 28, y + 36), fill=c, width=4)


def _star(draw: Draw, x: int, y: int, c: Colour) -> None:
    for ends in ((28, 4, 28, 52), (4, 28, 52, 28), (11, 11, 45, 45), (45, 11, 11, 45)):
        draw.line((x + ends[0], y + ends[1], x + ends[2], y + ends[3]), fill=c, width=5)


def _cake(draw: Draw, x: int, y: int, c: Colour) -> None:
    draw.rectangle((x + 6, y + 30, x + 50, y + 50), fill=c)
    for left in (16, 28, 40):
        draw.line((x + left, y + 10, x + left, y + 28), fill=c, width=4)


DRAWERS: dict[str, Callable[[Draw, int, int, Colour], None]] = {
    "ball": lambda draw, x, y, c: draw.ellipse((x + 6, y + 6, x + 50, y + 50), fill=c),
    "ring": lambda draw, x, y, c: draw.ellipse((x + 6, y + 6, x + 50, y + 50), outline=c, width=8),
    "heart": _heart,
    "house": _house,
    "crib": _crib,
    "mic": _mic,
    "medal": _medal,
    "flag": _flag,
    "tree": _tree,
    "kite": _kite,
    "fence": _fence,
    "boat": _boat,
    "star": _star,
    "cake": _cake,
}


def draw_scene(icons: Sequence[Icon]) -> Image.Image:
    """The icons on a light ground; 112 x 112 pixels, RGB."""
    image = Image.new("RGB", (SIZE, SIZE), (236, 236, 228))
    draw = ImageDraw.Draw(image)
    for colour, icon, quadrant in icons:
        row, column = divmod(quadrant, 2)
        DRAWERS[icon](draw, column * HALF, row * HALF, COLOURS[colour])
    return image
