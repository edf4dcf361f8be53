"""A picture that is accepted is read by everything later; others are named with a reason."""

import io
import random
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from mmie.data.pictures import PictureFolder, open_picture, unreadable, upright_size
from mmie.errors import InputError
from mmie.types import Picture

FORMS: dict[str, dict[str, Any]] = {
    "jpeg": {"format": "JPEG"},
    "progressive jpeg": {"format": "JPEG", "progressive": True},
    "png": {"format": "PNG"},
    "gif": {"format": "GIF"},
    "bmp": {"format": "BMP"},
    "tiff": {"format": "TIFF"},
    "webp": {"format": "WEBP"},
}


def encoded(size: tuple[int, int] = (96, 64), **options: Any) -> bytes:
    content = io.BytesIO()
    Image.effect_noise(size, 80).convert("RGB").save(content, **options)
    return content.getvalue()


def animated(form: str) -> bytes:
    content = io.BytesIO()
    first, *others = [Image.new("RGB", (8, 8), (shade, 0, 0)) for shade in (10, 200, 90)]
    first.save(content, form, save_all=True, append_images=others)
    return content.getvalue()


def opens(path: Path) -> bool:
    try:
        open_picture(Picture(path), max_pixels=1 << 20)
    except InputError:
        return False
    return True


@pytest.mark.parametrize("form", FORMS)
def test_the_quick_check_finds_what_the_model_would_find(tmp_path: Path, form: str) -> None:
    content, path, rng = encoded(**FORMS[form]), tmp_path / "a.jpg", random.Random(form)
    sizes = [0, 1, 20, 300, len(content) // 2, *(len(content) - left for left in range(1, 12))]
    damaged = [content, *(content[:size] for size in sizes)]
    for flips in (1, 5, 30) * 6:
        wrong = bytearray(content)
        for _ in range(flips):
            wrong[rng.randrange(len(wrong))] = rng.randrange(256)
        damaged.append(bytes(wrong))
    for number, some in enumerate(damaged):
        path.write_bytes(some)
        assert (unreadable(path) is None) == opens(path), f"damage {number}"
    path.write_bytes(content)
    assert unreadable(path) is None
    path.write_bytes(content[: len(content) // 2])
    assert unreadable(path)


@pytest.mark.parametrize("form", ["GIF", "WEBP", "PNG", "TIFF"])
def test_of_an_animation_the_first_picture_is_shown(tmp_path: Path, form: str) -> None:
    path = tmp_path / "a.jpg"
    path.write_bytes(animated(form))
    assert unreadable(path) is None
    shown = open_picture(Picture(path), max_pixels=1 << 20)
    assert abs(shown.getpixel((4, 4))[0] - 10) < 5
    assert upright_size(path) == shown.size == (8, 8)


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (lambda: b"", "empty"),
        (lambda: b"no picture", "not a JPEG, PNG, WebP, GIF, BMP or TIFF picture"),
        (lambda: b"<html>quota exceeded</html>", "a web page or XML"),
        (lambda: b"version https://git-lfs.github.com/spec/v1\n", "a Git LFS pointer"),
        (lambda: b"%PDF-1.7", "a PDF"),
        (lambda: b"\0\0\0\x18ftypheic", "a HEIC photo"),
        (lambda: encoded(format="JPEG")[:2500], "image file is truncated"),
        (lambda: encoded(format="PNG")[:4000], "truncated"),
    ],
)
def test_a_file_that_is_no_sound_picture_is_named_with_a_reason(
    tmp_path: Path, content: Callable[[], bytes], reason: str
) -> None:
    (tmp_path / "5.jpg").write_bytes(content())
    Image.new("L", (4, 4)).save(tmp_path / "1.jpg")
    with pytest.raises(InputError) as caught:
        PictureFolder(tmp_path, "error").find("train", ["1.jpg", "5.jpg", "gone.jpg"])
    message = str(caught.value)
    assert "2 of 3 pictures of train are missing or unreadable (5.jpg: " in message
    assert reason in message
    assert ", gone.jpg); put sound ones there" in message
    assert "\n" not in message


def test_every_picture_is_decoded_once_with_progress(tmp_path: Path) -> None:
    names = [f"{number}.jpg" for number in range(4)]
    for name in names:
        Image.new("L", (4, 4)).save(tmp_path / name)
    seen: list[tuple[str, list[Any]]] = []

    def track(items: list[Any], description: str) -> list[Any]:
        seen.append((description, items))
        return items

    PictureFolder(tmp_path, "error").find("val", names * 3, track=track)
    assert seen == [("checking pictures of val", [tmp_path / name for name in names])]
