"""Pictures: found by name, refused when broken, bounded, upright, on white."""

import logging
import struct
from pathlib import Path

import pytest
from PIL import Image, ImageOps

from mmie.data.pictures import PictureFolder, clipped, open_picture, unreadable, upright_size
from mmie.errors import InputError
from mmie.types import Picture

RED, BLUE, WHITE, GREY = (255, 0, 0), (0, 0, 255), (255, 255, 255), (128, 128, 128)
PLENTY = 1 << 22


def red(path: Path, size: tuple[int, int] = (8, 6)) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new("RGB", size, RED).save(path)
    return path


def cut_jpeg(path: Path) -> Path:
    Image.effect_noise((400, 300), 80).save(path)
    content = path.read_bytes()
    path.write_bytes(content[: len(content) // 2])
    return path


def test_a_picture_comes_as_rgb_unchanged(tmp_path: Path) -> None:
    image = open_picture(Picture(red(tmp_path / "a.png")), max_pixels=PLENTY)
    assert (image.mode, image.size, image.getpixel((0, 0))) == ("RGB", (8, 6), RED)


def test_a_blank_picture_is_mid_grey() -> None:
    image = open_picture(Picture(None), max_pixels=PLENTY)
    assert (image.mode, image.size) == ("RGB", (112, 112))
    assert image.getcolors() == [(112 * 112, GREY)]
    assert open_picture(Picture(None), max_pixels=PLENTY, blank_size=(56, 28)).size == (56, 28)


@pytest.mark.parametrize(
    ("size", "max_pixels", "expected"),
    [
        ((400, 200), 80_000, (400, 200)),  # exactly at the bound
        ((400, 200), 20_000, (200, 100)),
        ((200, 400), 20_000, (100, 200)),
        ((300, 300), 10_000, (100, 100)),
        ((401, 200), 80_000, (400, 199)),  # one pixel too much: 401·s = 400.5, 200·s = 199.8
    ],
)
def test_a_large_picture_is_scaled_down_in_shape(
    tmp_path: Path, size: tuple[int, int], max_pixels: int, expected: tuple[int, int]
) -> None:
    image = open_picture(Picture(red(tmp_path / "a.png", size)), max_pixels=max_pixels)
    assert image.size == expected
    assert image.getpixel((0, 0)) == RED


@pytest.mark.parametrize("size", [(3000, 1), (1, 3000), (20_000, 3), (1, 1)])
def test_no_picture_is_thinner_than_one_in_a_hundred(tmp_path: Path, size: tuple[int, int]) -> None:
    width, height = open_picture(Picture(red(tmp_path / "a.png", size)), max_pixels=100_000).size
    assert max(width, height) <= 110 * min(width, height)
    assert width * height <= 100_000


def test_a_huge_picture_is_bounded(tmp_path: Path) -> None:
    path = tmp_path / "huge.png"
    Image.new("1", (8000, 6000)).save(path)
    assert open_picture(Picture(path), max_pixels=1_000_000).size == (1154, 866)


def test_a_decompression_bomb_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    warned, refused = (
        red(tmp_path / "warned.png", (40, 30)),
        red(tmp_path / "refused.png", (60, 50)),
    )
    monkeypatch.setattr(
        Image, "MAX_IMAGE_PIXELS", 1199
    )  # Pillow warns above it and refuses above its double
    for path in (warned, refused):
        with pytest.raises(InputError, match=f"{path.name}: not a readable picture .*bomb"):
            open_picture(Picture(path), max_pixels=PLENTY)
    assert unreadable(warned)
    assert unreadable(refused)
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 1200)
    assert unreadable(warned) is None
    assert unreadable(refused)


def test_exif_orientation_is_honoured(tmp_path: Path) -> None:
    image = Image.new("RGB", (64, 32), RED)
    image.paste(BLUE, (0, 0, 32, 32))  # left half
    exif = Image.Exif()
    exif[0x0112] = 6  # to be turned by 90° clockwise: left becomes top
    image.save(tmp_path / "a.png", exif=exif)
    upright = open_picture(Picture(tmp_path / "a.png"), max_pixels=PLENTY)
    assert upright.size == (32, 64)
    assert (upright.getpixel((16, 5)), upright.getpixel((16, 60))) == (BLUE, RED)


@pytest.mark.parametrize("alpha", [0, 128, 255])
def test_transparency_shows_white(tmp_path: Path, alpha: int) -> None:
    Image.new("RGBA", (4, 4), (*RED, alpha)).save(tmp_path / "a.png")
    expected = {0: WHITE, 128: (255, 127, 127), 255: RED}[alpha]
    assert open_picture(Picture(tmp_path / "a.png"), max_pixels=PLENTY).getpixel((0, 0)) == expected


def test_transparent_palette_and_grey_alpha_show_white(tmp_path: Path) -> None:
    palette = Image.new("P", (4, 4), 0)
    palette.putpalette([*BLUE, *RED])
    palette.putpixel((1, 1), 1)
    palette.save(tmp_path / "palette.gif", transparency=0)
    Image.new("LA", (4, 4), (0, 0)).save(tmp_path / "grey.png")
    image = open_picture(Picture(tmp_path / "palette.gif"), max_pixels=PLENTY)
    assert (image.getpixel((0, 0)), image.getpixel((1, 1))) == (WHITE, RED)
    assert open_picture(Picture(tmp_path / "grey.png"), max_pixels=PLENTY).getpixel((0, 0)) == WHITE


@pytest.mark.parametrize(
    ("mode", "suffix"), [("L", "png"), ("1", "png"), ("CMYK", "jpg"), ("P", "png")]
)
def test_other_modes_become_rgb(tmp_path: Path, mode: str, suffix: str) -> None:
    path = tmp_path / f"a.{suffix}"
    Image.new(mode, (4, 4)).save(path)
    assert open_picture(Picture(path), max_pixels=PLENTY).mode == "RGB"


def test_sixteen_bits_of_grey_are_not_clipped(tmp_path: Path) -> None:
    Image.frombytes("I;16", (2, 1), bytes([0, 128, 255, 255])).save(tmp_path / "a.png")
    image = open_picture(Picture(tmp_path / "a.png"), max_pixels=PLENTY)
    assert (image.getpixel((0, 0)), image.getpixel((1, 0))) == (GREY, WHITE)


def test_a_broken_picture_is_an_input_error_with_its_name(tmp_path: Path) -> None:
    text, empty, rare = tmp_path / "text.jpg", tmp_path / "empty.png", tmp_path / "rare.jpg"
    text.write_text("no picture")
    empty.touch()
    Image.new("RGB", (8, 8)).save(
        rare, "PPM"
    )  # readable, but Pillow's rare formats are closed: one runs Ghostscript
    for path in (
        text,
        empty,
        rare,
        cut_jpeg(tmp_path / "cut.jpg"),
        tmp_path / "gone.jpg",
        tmp_path,
    ):
        with pytest.raises(
            InputError, match=f"^{path}: not a readable picture .*replace the file$"
        ):
            open_picture(Picture(path), max_pixels=PLENTY)


@pytest.mark.parametrize("error", [OSError, EOFError, ValueError, SyntaxError, struct.error])
def test_whatever_pillow_raises_over_a_broken_file_is_an_input_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, error: type[Exception]
) -> None:
    def broken(image: Image.Image) -> Image.Image:
        raise error("broken inside")

    path = red(tmp_path / "a.jpg")
    monkeypatch.setattr(ImageOps, "exif_transpose", broken)
    assert unreadable(path) == "broken inside"
    with pytest.raises(InputError, match=r"not a readable picture \(broken inside\)"):
        open_picture(Picture(path), max_pixels=PLENTY)


def test_pillows_small_complaints_are_dropped(tmp_path: Path) -> None:
    # It announces five entries and holds none; Pillow warns and goes on.
    exif = b"Exif\0\0MM\0*\0\0\0\x08\0\x05"
    Image.new("RGB", (4, 4), GREY).save(tmp_path / "a.jpg", exif=exif)
    assert unreadable(tmp_path / "a.jpg") is None
    assert open_picture(Picture(tmp_path / "a.jpg"), max_pixels=PLENTY).getpixel((0, 0)) == GREY


def test_what_cannot_be_decoded_is_unreadable(tmp_path: Path) -> None:
    broken = red(tmp_path / "b.png")
    broken.write_bytes(broken.read_bytes()[:50])
    assert unreadable(broken)
    assert unreadable(cut_jpeg(tmp_path / "cut.jpg"))
    assert unreadable(tmp_path / "gone.png") == "missing"
    assert unreadable(red(tmp_path / "a.jpg")) is None


def test_a_picture_is_looked_for_in_the_split_then_beside_it(tmp_path: Path) -> None:
    inside, beside = red(tmp_path / "train" / "a.jpg"), red(tmp_path / "b.jpg")
    red(tmp_path / "a.jpg")
    folder = PictureFolder(tmp_path, "error")
    assert folder.find("train", ["b.jpg", "a.jpg", "b.jpg"]) == [
        Picture(beside),
        Picture(inside),
        Picture(beside),
    ]
    assert folder.find("val", ["a.jpg"]) == [Picture(tmp_path / "a.jpg")]


def test_missing_pictures_are_counted_and_the_first_are_named(tmp_path: Path) -> None:
    red(tmp_path / "here.jpg")
    names = ["here.jpg", *(f"{number}.jpg" for number in range(7)), "0.jpg"]
    with pytest.raises(InputError) as caught:
        PictureFolder(tmp_path, "error").find("test", names)
    message = str(caught.value)
    assert message.startswith(
        f"{tmp_path}: 7 of 8 pictures of test are missing or unreadable"
        " (0.jpg, 1.jpg, 2.jpg, 3.jpg, 4.jpg, …);"
    )
    assert message.endswith("set data.missing_images=blank")
    assert "\n" not in message


def test_blank_pictures_stand_in_and_are_logged_once(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    here, cut = red(tmp_path / "here.jpg"), cut_jpeg(tmp_path / "cut.jpg")
    with caplog.at_level(logging.INFO):
        found = PictureFolder(tmp_path, "blank").find("train", ["gone.jpg", here.name, cut.name])
    assert found == [Picture(None), Picture(here), Picture(None)]
    (message,) = [record.getMessage() for record in caplog.records]
    beginning = (
        f"{tmp_path}: 2 of 3 pictures of train are missing or unreadable (gone.jpg, cut.jpg: "
    )
    assert message.startswith(beginning + "image file is truncated (")  # Pillow counts what is left
    assert message.endswith(" bytes not processed)); blank ones stand in")


def test_names_that_no_file_can_have_are_missing(tmp_path: Path) -> None:
    (tmp_path / "train").mkdir()
    names = ["x" * 300, "a\0b", ".."]
    assert PictureFolder(tmp_path, "blank").find("train", names) == [Picture(None)] * 3


def test_another_value_of_missing_images_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"^data\.missing_images=skip: use error or blank$"):
        PictureFolder(tmp_path, "skip")


def test_the_listing_tells_new_pictures(tmp_path: Path) -> None:
    folder = PictureFolder(tmp_path / "img_org", "error")
    assert folder.listing() == []
    size = red(tmp_path / "img_org" / "train" / "a.png").stat().st_size
    assert folder.listing() == [("train/a.png", size)]
    (tmp_path / "img_org" / "0.png").write_bytes(b"123")
    assert folder.listing() == [("0.png", 3), ("train/a.png", size)]


def coordinates(path: Path, size: tuple[int, int] = (20, 10), **settings: object) -> Path:
    """Each pixel's colour is its place: (x, y, 0)."""
    image = Image.new("RGB", size)
    image.putdata([(x, y, 0) for y in range(size[1]) for x in range(size[0])])
    image.save(path, **settings)
    return path


@pytest.mark.parametrize(
    ("box", "shown"),
    [
        ((3, 2, 7, 9), (3, 2, 7, 9)),
        ((0, 0, 20, 10), (0, 0, 20, 10)),
        ((-5, -1, 30, 11), (0, 0, 20, 10)),
        ((15, 8, 99, 99), (15, 8, 20, 10)),
        ((19, 9, 20, 10), (19, 9, 20, 10)),  # one pixel
    ],
)
def test_a_box_shows_exactly_its_pixels(
    tmp_path: Path, box: tuple[int, int, int, int], shown: tuple[int, int, int, int]
) -> None:
    image = open_picture(Picture(coordinates(tmp_path / "a.png"), box), max_pixels=PLENTY)
    left, upper, right, lower = shown
    assert image.size == (right - left, lower - upper)
    assert image.getpixel((0, 0)) == (left, upper, 0)
    assert image.getpixel((image.width - 1, image.height - 1)) == (right - 1, lower - 1, 0)
    assert clipped(box, (20, 10)) == shown


@pytest.mark.parametrize(
    "box",
    [(20, 0, 25, 10), (-9, 0, 0, 10), (0, 10, 20, 12), (5, 2, 5, 9), (7, 2, 3, 9), (3, 9, 7, 2)],
)
def test_a_box_without_a_pixel_names_the_file(
    tmp_path: Path, box: tuple[int, int, int, int]
) -> None:
    path = coordinates(tmp_path / "a.png")
    with pytest.raises(
        InputError,
        match=f"^{path}: the box .* holds no pixel of the picture, whose size is .20, 10.; correct",
    ):
        open_picture(Picture(path, box), max_pixels=PLENTY)
    assert clipped(box, (20, 10)) is None


def test_the_box_is_cut_before_the_picture_is_bounded(tmp_path: Path) -> None:
    path = coordinates(tmp_path / "a.png", (200, 100))
    image = open_picture(
        Picture(path, (100, 50, 120, 60)), max_pixels=200
    )  # 20 × 10: nothing to scale
    assert (image.size, image.getpixel((0, 0))) == ((20, 10), (100, 50, 0))
    assert open_picture(Picture(path, (0, 0, 100, 100)), max_pixels=400).size == (20, 20)


@pytest.mark.parametrize(
    ("orientation", "size"),
    [(1, (20, 10)), (3, (20, 10)), (6, (10, 20)), (8, (10, 20)), (5, (10, 20))],
)
@pytest.mark.parametrize("suffix", ["png", "jpg"])
def test_boxes_and_sizes_are_those_of_the_upright_picture(
    tmp_path: Path, suffix: str, orientation: int, size: tuple[int, int]
) -> None:
    exif = Image.Exif()
    exif[0x0112] = orientation
    path = coordinates(tmp_path / f"a.{suffix}", exif=exif)
    assert upright_size(path) == size == open_picture(Picture(path), max_pixels=PLENTY).size
    whole = open_picture(Picture(path), max_pixels=PLENTY)
    assert (
        open_picture(Picture(path, (2, 3, 8, 9)), max_pixels=PLENTY).tobytes()
        == whole.crop((2, 3, 8, 9)).tobytes()
    )


def test_a_blank_picture_stays_blank_whatever_its_box(tmp_path: Path) -> None:
    assert open_picture(Picture(None, (0, 0, 5, 5)), max_pixels=PLENTY).size == (112, 112)
