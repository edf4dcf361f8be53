"""A run on blank pictures alone says so in its notes, and whoever prints results prints it."""

from __future__ import annotations

from pathlib import Path

import pytest
from rich.console import Console

from helpers.configured import run_config
from helpers.mnre_files import write_mnre
from mmie.artifacts import Store
from mmie.errors import InputError
from mmie.stages.context import Context
from mmie.stages.preflight import check
from mmie.stages.prepare import TEXT_ONLY, data


def context(tmp_path: Path, *overrides: str) -> Context:
    root = write_mnre(tmp_path / "mnre")
    config = run_config("data=mnre", f"data.root={root}", *overrides)
    console = Console(record=True, width=200, quiet=False)
    return Context(config, Store(tmp_path / "artifacts"), tmp_path, console=console)


def test_the_small_profile_is_text_only(tmp_path: Path) -> None:
    """The pictures are there and are not looked at."""
    run = context(tmp_path, "profile=small", "stages=[distil]")
    check(run)
    counted = data(run).load("statistics.json")
    assert {counted[split]["blank_pictures"] for split in ("train", "val", "test")} == {2}
    assert run.notes["text_only"] == TEXT_ONLY
    assert TEXT_ONLY in run.console.export_text()


def test_a_single_picture_is_enough_not_to_be(tmp_path: Path) -> None:
    run = context(tmp_path, "data.missing_images=blank")
    for picture in [*run.source.images.rglob("*.jpg")][1:]:
        picture.unlink()
    data(run)
    assert run.notes.keys() == {"blank_pictures"}


def test_a_generated_world_has_pictures() -> None:
    config = run_config("profile=small", "data=jmere_toy")
    with pytest.raises(InputError, match=r"^data\.images=null: a generated world needs"):
        _ = Context(config, Store("no"), Path("no")).source
