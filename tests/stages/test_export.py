"""What the stage export writes beside the weights: the card and where the weights come from."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from helpers.configured import run_config
from mmie.artifacts import Artifact, Store
from mmie.errors import InputError
from mmie.stages import deliver, delivered, export, preflight
from mmie.stages.context import Context
from mmie.stages.delivered import Delivered
from mmie.stages.export import NO_NAME, base_name
from mmie.stages.model_card import fenced, model_card
from mmie.stages.system import System

SCORES = {"precision": 0.25, "recall": 0.5, "f1": 1 / 3, "ci95": [0.111, 0.456]}
SIZES = "data.sizes={train: 3, val: 2, test: 2}"


@pytest.fixture
def context_of(tmp_path: Path, make_policy: Any, checkpoint_folders: dict[str, Path]) -> Any:
    """``context_of(*overrides)``: a run with the tiny LLaVA and an adapter that is given."""
    make_policy("llava").save_adapter(tmp_path / "given")
    fixed = [
        "stages=[export]",
        "model=llava_1_5_7b",
        "model.dtype=float32",
        f"model.path={checkpoint_folders['llava']}",
        "lora.rank=4",
        "lora.alpha=8",
        f"predict.adapter={tmp_path}/given",
        f"export.folder={tmp_path}/export",
        SIZES,
    ]

    def make(*overrides: str) -> Context:
        config = run_config(*fixed, *overrides, artifacts=tmp_path / "artifacts")
        console = Console(quiet=True)
        return Context(config, Store(tmp_path / "artifacts"), tmp_path / "run", console=console)

    return make


def test_an_export_can_be_given_away(
    context_of: Callable[..., Context], tmp_path: Path, checkpoint_folders: dict[str, Path]
) -> None:
    context = context_of("export.base_model=llava-hf/llava-1.5-7b-hf")
    deliver.check(context)
    folder = deliver.export(context)
    parts = {path.name for path in folder.iterdir()}
    assert parts == {"adapter", "merged", "README.md", "origin.json"}
    cards = {
        (folder / part / "README.md").read_text("utf-8") for part in (".", "adapter", "merged")
    }
    (card,) = cards
    assert "base_model: llava-hf/llava-1.5-7b-hf\n" in card
    assert '{"3": -100, "4": -100}' in card
    assert "`<image>`, `<pad>`" in card
    assert "--enable-lora --max-lora-rank 8 " in card
    assert "text : {text} . extract the quintuples . think then answer ." in card
    assert "Put the values in the places of `{text}`. Other braces" in card
    places = [os.fsencode(tmp_path), os.fsencode(checkpoint_folders["llava"])]
    for path in folder.rglob("*"):
        if path.is_file():
            assert not [place for place in places if place in path.read_bytes()], path
    origin = json.loads((folder / "origin.json").read_text("utf-8"))
    assert origin["config"]["model"]["path"] == "llava-hf/llava-1.5-7b-hf"
    assert "images" not in origin["config"]["data"]
    assert set(origin["base"]["files"]) >= {"config.json", "tokenizer.json"}


def test_without_the_merged_weights_there_is_no_such_folder(context_of: Any) -> None:
    folder = export.export(context_of("export.merged=false"))
    assert {path.name for path in folder.iterdir()} == {"adapter", "README.md", "origin.json"}
    (folder / "merged").mkdir()
    with pytest.raises(InputError, match=r"merged/ of an earlier export lies there"):
        deliver.check(context_of("export.merged=false"))


def test_the_base_has_a_name_that_others_know(context_of: Any) -> None:
    assert base_name(context_of()) == NO_NAME
    assert base_name(context_of("export.base_model=a/b")) == "a/b"
    assert base_name(context_of("model.path=Some/Model")) == "Some/Model"
    assert base_name(context_of("model.path=mmie:toy/qwen2_5_vl")) == "mmie:toy/qwen2_5_vl"


def card_of(context: Context, evaluated: bool) -> str:
    """The card of a system whose evaluation lies in the store, or does not."""
    system = System("JMERE-R1", context.reasoned, Artifact(Path("none"), "adapter-key"))
    taken = Delivered(Path("none"), "adapter-key", system.task, system, Artifact(Path("no"), "d"))
    if evaluated:
        from mmie.stages import keys

        assert taken.data is not None
        parts = keys.evaluate(context, system, taken.data)
        key = context.foreseen("evaluate", parts).key
        with context.store.writing("evaluate", key, parts={}) as work:
            assert work is not None
            metrics = {"test/quintuple": SCORES, "without": {**SCORES, "ci95": None}}
            (work / "metrics.json").write_text(json.dumps(metrics))
    return model_card(context, taken, base=NO_NAME, named=False)


def test_the_card_has_the_figures_of_the_evaluation(context_of: Any) -> None:
    context = context_of()
    assert "This run has not tested it." in card_of(context, evaluated=False)
    card = card_of(context, evaluated=True)
    assert "| test/quintuple | 25.0 | 50.0 | 33.3 | 11.1 – 45.6 |" in card
    assert "| without" not in card
    assert "The base model has no public name here." in card
    assert "| key of the adapter | adapter-key |" in card
    assert "\n| seed | 0 |\n" in card


@pytest.mark.parametrize(
    ("task", "prompt", "pictures"),
    [("jmere", "{text}", ["the picture"]), ("more", "{entity}", ["the whole picture", "cut out"])],
)
def test_a_task_says_how_it_is_asked(task: str, prompt: str, pictures: list[str]) -> None:
    context = Context(run_config(f"task={task}", "profile=paper"), Store("no"), Path("no"))
    assert prompt in context.reasoned.prompt_template()
    assert "{text}" in context.reasoned.prompt_template()
    assert len(context.reasoned.shown) == len(pictures)
    assert all(map(str.__contains__, context.reasoned.shown, pictures))


def test_backticks_do_not_end_a_block() -> None:
    assert fenced("a ``` b") == "````\na ``` b\n````"


def test_a_quantised_base_is_refused_before_anything_is_paid(
    context_of: Any, tmp_path: Path, checkpoint_folders: dict[str, Path]
) -> None:
    shutil.copytree(checkpoint_folders["llava"], tmp_path / "base")
    path = tmp_path / "base/config.json"
    settings = json.loads(path.read_text())
    path.write_text(json.dumps({**settings, "quantization_config": {"quant_method": "awq"}}))
    context = context_of(f"model.path={tmp_path}/base", "stages=[sft]")
    with pytest.raises(InputError, match=r"^model\.path=.*: its weights are quantised"):
        preflight.check(context)
    with pytest.raises(InputError, match=r"^model\.path=.*: its weights are quantised"):
        _ = context.policy


def test_only_a_finished_adapter_is_taken_again(tmp_path: Path) -> None:
    config = run_config("stages=[export]", SIZES)
    context = Context(config, Store(tmp_path), tmp_path, console=Console(quiet=True))
    with pytest.raises(InputError, match=r"there is no finished grpo; run that stage$"):
        delivered.delivered(context)
