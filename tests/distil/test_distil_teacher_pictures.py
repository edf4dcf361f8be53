"""Pictures on their way to the teacher."""

from __future__ import annotations

from io import BytesIO

import pytest
from PIL import Image

from mmie.distil import teacher_pictures as module
from mmie.distil.teacher_pictures import encode_for_teacher
from mmie.errors import InputError
from mmie.types import Picture

ORIENTATION = 0x0112


def saved(path, image, **options):
    image.save(path, **options)
    return Picture(path)


def sent(picture, *, max_pixels=10_000):
    result = encode_for_teacher(picture, max_pixels=max_pixels)
    image = Image.open(BytesIO(result.data))
    image.load()
    assert image.format.lower() == result.kind
    return result, image


@pytest.mark.parametrize("kind", ["png", "jpeg", "gif", "webp"])
@pytest.mark.parametrize("mode", ["RGB", "L"])
def test_what_servers_take_goes_as_it_is(tmp_path, kind, mode):
    picture = saved(tmp_path / "picture.jpg", Image.new(mode, (40, 20), 70), format=kind)
    result, _ = sent(picture)
    assert (result.data, result.kind) == (picture.path.read_bytes(), kind)


@pytest.mark.parametrize("kind", ["bmp", "tiff"])
def test_another_format_becomes_png(tmp_path, kind):
    picture = saved(tmp_path / f"p.{kind}", Image.new("RGB", (40, 20), (200, 0, 0)))
    result, image = sent(picture)
    assert (result.kind, image.size, image.getpixel((3, 3))) == ("png", (40, 20), (200, 0, 0))


@pytest.mark.parametrize("kind", ["gif", "webp", "png"])
def test_of_an_animation_the_first_frame_is_sent(tmp_path, kind):
    frames = [Image.new("RGB", (8, 8), colour) for colour in ("red", "blue")]
    options = {"format": kind, "save_all": True, "append_images": frames[1:], "lossless": True}
    picture = saved(tmp_path / "p", frames[0], **options)
    result, image = sent(picture)
    assert (result.kind, getattr(image, "n_frames", 1)) == ("png", 1)
    assert image.convert("RGB").getpixel((3, 3)) == (255, 0, 0)


def test_a_picture_that_exif_turns_is_sent_upright(tmp_path):
    exif = Image.Exif()
    exif[ORIENTATION] = 6
    picture = saved(tmp_path / "p.jpg", Image.new("RGB", (40, 20)), exif=exif)
    assert sent(picture)[1].size == (20, 40)
    exif[ORIENTATION] = 1
    upright = saved(tmp_path / "q.jpg", Image.new("RGB", (40, 20)), exif=exif)
    assert sent(upright)[0].data == upright.path.read_bytes()


def test_colours_for_print_become_rgb(tmp_path):
    picture = saved(tmp_path / "p.jpg", Image.new("CMYK", (8, 8)))
    assert sent(picture)[1].mode == "RGB"


def test_a_large_picture_is_scaled_down_and_its_size_is_part_of_the_digest(tmp_path):
    picture = saved(tmp_path / "p.png", Image.new("RGB", (400, 200)))
    original, image = sent(picture, max_pixels=80_000)
    assert image.size == (400, 200)
    small, image = sent(picture, max_pixels=20_000)
    assert image.size == (200, 100)
    smaller, _ = sent(picture, max_pixels=10_000)
    assert len({original.digest, small.digest, smaller.digest}) == 3
    assert original.digest == sent(picture, max_pixels=90_000)[0].digest


def test_a_large_file_becomes_a_smaller_one(tmp_path, monkeypatch):
    monkeypatch.setattr(module, "LARGEST_FILE", 20_000)
    picture = saved(tmp_path / "p.png", Image.effect_noise((200, 200), 90))
    assert picture.path.stat().st_size > 20_000
    result, image = sent(picture, max_pixels=90_000)
    assert (result.kind, image.size) == ("jpeg", (200, 200))


@pytest.mark.parametrize("data", [b"no picture", b"\x89PNG\r\n\x1a\n and so on", b"GIF89a", b""])
def test_what_is_no_picture_is_named(tmp_path, data):
    path = tmp_path / "note.png"
    path.write_bytes(data)
    with pytest.raises(InputError, match=r"note\.png: not a readable picture"):
        encode_for_teacher(Picture(path), max_pixels=10_000)


def test_a_missing_picture_is_named(tmp_path):
    with pytest.raises(
        InputError, match=r"missing\.png: cannot read the picture .*; put it there$"
    ):
        encode_for_teacher(Picture(tmp_path / "missing.png"), max_pixels=10_000)
