"""Files that lie elsewhere are the same data and the same checkpoint: nothing is made anew."""

import json
import shutil
from pathlib import Path
from typing import Any

import pytest
from PIL import Image
from rich.console import Console

from helpers.configured import run_config
from mmie.artifacts import Store
from mmie.errors import InputError
from mmie.stages import checkpoint
from mmie.stages.answers import copy_answers
from mmie.stages.context import Context
from mmie.stages.prepare import data
from mmie.types import Example

SIZES = "data.sizes={train: 3, val: 2, test: 2}"
GOLD = {
    "beg_ent": {"name": "A", "tags": "per"},
    "sec_ent": {"name": "B", "tags": "org"},
    "relation": "member_of",
}


def context_of(artifacts: Path, *overrides: str) -> Context:
    config = run_config(*overrides, artifacts=artifacts)
    return Context(config, Store(artifacts), artifacts / "output", console=Console(quiet=True))


def read_data(artifacts: Path, *overrides: str) -> tuple[str, bool, list[Example]]:
    """The data stage's key, whether it was kept from before, and the training samples."""
    context = context_of(artifacts, *overrides)
    artifact = data(context)
    examples = context.examples(artifact.folder, "train")
    return artifact.key, context.stages["data"]["cached"], examples


def paths(examples: list[Example]) -> list[Path]:
    return [picture.path for example in examples for picture in example.pictures if picture.path]


@pytest.mark.parametrize("task", ["jmere", "more"])
def test_moved_artifacts_are_kept_and_their_pictures_found(tmp_path: Path, task: str) -> None:
    mark, cached, before = read_data(tmp_path / "here", f"task={task}", SIZES)
    assert not cached
    (tmp_path / "here").rename(tmp_path / "there")
    again, cached, after = read_data(tmp_path / "there", f"task={task}", SIZES)
    assert (again, cached) == (mark, True)
    assert [example.id for example in after] == [example.id for example in before]
    assert all(path.is_relative_to(tmp_path / "there") and path.is_file() for path in paths(after))


def test_pictures_of_a_generated_world_are_drawn_again_where_they_are_gone(tmp_path: Path) -> None:
    mark, _, before = read_data(tmp_path / "here", SIZES)
    content = {path.name: path.read_bytes() for path in paths(before)}
    shutil.rmtree(tmp_path / "here" / "toy_images")
    again, cached, after = read_data(tmp_path / "here", SIZES)
    assert (again, cached) == (mark, True)
    assert {path.name: path.read_bytes() for path in paths(after)} == content


def write_files(root: Path) -> None:
    for number, split in enumerate(("train", "val", "test")):
        (root / "img_org" / split).mkdir(parents=True)
        Image.new("L", (8, 8), number).save(root / "img_org" / split / "1.jpg")
        record = {"token": [split, "A", "B"], "img_id": "1.jpg", "label_list": [[GOLD]]}
        (root / f"{split}.json").write_text(json.dumps([record]))


def from_files(artifacts: Path, root: Path) -> tuple[str, bool, list[Example]]:
    return read_data(artifacts, "data=jmere_json", f"data.root={root}")


def test_moved_data_files_are_kept_and_their_pictures_found(tmp_path: Path) -> None:
    write_files(tmp_path / "one")
    mark, cached, before = from_files(tmp_path / "artifacts", tmp_path / "one")
    assert (cached, paths(before)) == (False, [tmp_path / "one/img_org/train/1.jpg"])
    (tmp_path / "one").rename(tmp_path / "two")
    for name in (".DS_Store", "Thumbs.db"):
        (tmp_path / "two/img_org" / name).touch()
    again, cached, after = from_files(tmp_path / "artifacts", tmp_path / "two")
    assert (again, cached, paths(after)) == (mark, True, [tmp_path / "two/img_org/train/1.jpg"])


@pytest.mark.parametrize("change", ["annotations", "picture"])
def test_other_files_are_other_data(tmp_path: Path, change: str) -> None:
    write_files(tmp_path / "one")
    mark, _, _ = from_files(tmp_path / "artifacts", tmp_path / "one")
    if change == "picture":
        Image.new("L", (80, 80), 9).save(tmp_path / "one/img_org/train/1.jpg")
    else:
        text = (tmp_path / "one/train.json").read_text()
        (tmp_path / "one/train.json").write_text(text.replace('"A"', '"C"'))
    assert from_files(tmp_path / "artifacts", tmp_path / "one")[0] != mark


def test_a_picture_that_is_gone_is_named(tmp_path: Path) -> None:
    write_files(tmp_path / "one")
    from_files(tmp_path / "artifacts", tmp_path / "one")
    (tmp_path / "one/img_org/train/1.jpg").unlink()
    with pytest.raises(InputError, match=r"1 of 1 pictures of train are missing .* \(1.jpg\)"):
        from_files(tmp_path / "artifacts", tmp_path / "one")


def identity(path: Any) -> dict[str, Any]:
    return context_of(Path("unused"), f"model.path={path}").model_identity


def test_a_checkpoint_is_known_by_its_files_not_by_its_place(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for size in (100 << 10, 100 << 20):  # weights that are hashed in pieces, and whole
        monkeypatch.setattr(checkpoint, "HASHED_WHOLE", size)
        monkeypatch.setattr(checkpoint, "SAMPLES", 8)
        one, two = tmp_path / f"one-{size}", tmp_path / f"two-{size}"
        one.mkdir()
        (one / "config.json").write_text("{}")
        weights = bytearray(range(256)) * 4096  # 1 MB
        (one / "model.safetensors").write_bytes(weights)
        shutil.copytree(one, two)
        (two / "README.md").write_text("copied")
        (two / ".cache").touch()
        assert identity(one) == identity(two)
        weights[300_000:460_000] = bytes(160_000)
        (two / "model.safetensors").write_bytes(weights)
        assert identity(one) != identity(two)
    assert identity("Some/Model") != identity("Other/Model")
    assert identity("mmie:toy/qwen2_5_vl") != identity("mmie:toy/qwen2_5_vl_more")


def test_copied_answers_hold_the_pictures_paths_of_today(tmp_path: Path) -> None:
    rows = [{"id": "a", "image": ["test/é.png", {"path": "test/1.png", "box": [0, 1, 2, 3]}, None]}]
    (tmp_path / "made.jsonl").write_text(json.dumps(rows[0]) + "\n")
    copy_answers(tmp_path / "made.jsonl", tmp_path / "out" / "copy.jsonl", tmp_path / "now")
    (row,) = map(json.loads, (tmp_path / "out" / "copy.jsonl").read_text().splitlines())
    here = str(tmp_path / "now/test")
    assert row["image"] == [f"{here}/é.png", {"path": f"{here}/1.png", "box": [0, 1, 2, 3]}, None]
    assert row["id"] == "a"


@pytest.mark.parametrize(
    "broken", ["{", "[]", '{"id": 1}', '{"image": [{"box": 1}]}', "[" * 99_999]
)
def test_a_broken_answer_is_named(tmp_path: Path, broken: str) -> None:
    (tmp_path / "made.jsonl").write_text('{"image": []}\n' + broken + "\n")
    with pytest.raises(InputError, match=f"^{tmp_path}/made.jsonl:2: not an answer"):
        copy_answers(tmp_path / "made.jsonl", tmp_path / "copy.jsonl", tmp_path)
    assert not (tmp_path / "copy.jsonl").exists()
