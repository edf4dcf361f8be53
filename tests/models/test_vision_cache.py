"""Features: once per picture, in bounded memory, on disk for later runs, checked when read."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from PIL import Image

from mmie.errors import InputError
from mmie.models.vision_cache import FeatureStore, VisionCache, picture_digest
from mmie.types import Picture


@pytest.fixture
def drawn(tmp_path: Path) -> list[Picture]:
    pictures = []
    for number in range(4):
        path = tmp_path / f"{number}.png"
        Image.new("RGB", (4, 4), (number, 0, 0)).save(path)
        pictures.append(Picture(path))
    return pictures


def tens(value: float = 0.0) -> Any:
    return lambda: torch.full((1, 10), value)


def never() -> Any:
    raise AssertionError("computed again")


def test_memory_is_bounded_and_drops_the_least_recently_used(drawn: list[Picture]) -> None:
    a, b, c, d = drawn
    cache = VisionCache(max_bytes=3 * 40)
    for picture in (a, b, c, a, d):  # d pushes b out
        cache(picture, tens())
    assert (cache.computed, cache.memory_bytes) == (4, 120)
    cache(a, never)
    cache(c, never)
    assert cache(b, tens(1)).sum() == 10
    assert (cache.computed, cache.memory_bytes) == (5, 120)


def test_the_newest_picture_stays_even_if_it_is_too_large(drawn: list[Picture]) -> None:
    cache = VisionCache(max_bytes=10)
    for number in (0, 0, 1):
        cache(drawn[number], tens())
    assert (cache.computed, cache.memory_bytes) == (2, 40)


def test_a_second_run_reads_what_the_first_computed(tmp_path: Path, drawn: list[Picture]) -> None:
    first = VisionCache(FeatureStore(tmp_path / "f"))
    value = first(drawn[0], lambda: torch.randn(3, 5, dtype=torch.bfloat16))
    second = VisionCache(FeatureStore(tmp_path / "f"))
    again = second(drawn[0], never)
    assert torch.equal(again, value)
    assert again.dtype == torch.bfloat16
    assert (first.computed, first.read, second.computed, second.read) == (1, 0, 0, 1)


def test_a_picture_out_of_memory_comes_from_disk(tmp_path: Path, drawn: list[Picture]) -> None:
    cache = VisionCache(FeatureStore(tmp_path / "f"), max_bytes=40)
    cache(drawn[0], tens())
    cache(drawn[1], tens())
    cache(drawn[0], never)
    assert (cache.computed, cache.read, cache.memory_bytes) == (2, 1, 40)


def flip(content: bytes) -> bytes:
    return content[:-3] + bytes([content[-3] ^ 1]) + content[-2:]


@pytest.mark.parametrize(
    "damage", [flip, lambda content: content[:-1], lambda content: content[:5], lambda content: b""]
)
def test_a_damaged_file_is_computed_again_and_replaced(
    tmp_path: Path, drawn: list[Picture], damage: Any
) -> None:
    store = FeatureStore(tmp_path / "f")
    VisionCache(store)(drawn[0], tens(1.5))
    (file,) = (path for path in (tmp_path / "f").rglob("*") if path.is_file())
    file.write_bytes(damage(file.read_bytes()))
    cache = VisionCache(store)
    assert torch.equal(cache(drawn[0], tens(2.5)), torch.full((1, 10), 2.5))
    assert cache.computed == 1
    assert torch.equal(VisionCache(store)(drawn[0], never), torch.full((1, 10), 2.5))


def test_a_picture_that_changed_on_disk_is_another_picture(drawn: list[Picture]) -> None:
    before = picture_digest(drawn[0])
    assert before != picture_digest(drawn[1])
    Image.new("RGB", (4, 4), (9, 9, 9)).save(drawn[0].path)
    assert picture_digest(drawn[0]) != before
    assert picture_digest(Picture(None)) == picture_digest(Picture(None))


def test_a_box_is_another_picture(drawn: list[Picture]) -> None:
    boxes = [None, (0, 0, 2, 2), (0, 0, 3, 2)]
    assert len({picture_digest(Picture(drawn[0].path, box)) for box in boxes}) == 3
    cache = VisionCache()
    for box in boxes:
        cache(Picture(drawn[0].path, box), tens())
    assert cache.computed == 3


def test_a_picture_that_is_gone_is_one_line(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"gone\.png: cannot be read"):
        picture_digest(Picture(tmp_path / "gone.png"))


@pytest.mark.parametrize("kind", ["qwen", "llava"])
def test_weights_and_settings_are_part_of_the_key(
    make_policy: Any, tmp_path: Path, kind: str, drawn: list[Picture]
) -> None:
    def folder(policy: Any) -> Path:
        policy.keep_features(tmp_path / "vision", max_bytes=1000)
        return policy.vision.store.folder

    one = folder(make_policy(kind))
    assert folder(make_policy(kind)) == one
    policy = make_policy(kind)
    policy.max_pixels = 999
    resized = folder(policy)
    policy = make_policy(kind)
    with torch.no_grad():
        next(policy.backbone.vision_modules[-1].parameters()).flatten()[0] += 1
    moved = folder(policy)
    policy = make_policy(kind)
    policy.backbone.processor.image_mean = [0.1, 0.2, 0.3]
    assert len({one, resized, moved, folder(policy)}) == 4


@pytest.mark.parametrize("kind", ["qwen", "llava"])
def test_stored_features_are_the_computed_ones(
    make_policy: Any, tmp_path: Path, kind: str, pictures: list[Picture]
) -> None:
    without_store, writer, reader = make_policy(kind), make_policy(kind), make_policy(kind)
    for policy in (writer, reader):
        policy.keep_features(tmp_path, max_bytes=1 << 20)
    expected = without_store.features(pictures[0])
    assert torch.equal(writer.features(pictures[0]), expected)
    assert torch.equal(reader.features(pictures[0]), expected)
    assert (reader.vision.computed, reader.vision.read) == (0, 1)
