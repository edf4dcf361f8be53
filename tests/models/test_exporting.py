"""What is exported answers as mmie does, loaded as a user loads it.

With torchvision installed, prompts come from ``AutoProcessor``; without it from the tokenizer and
the image processor of the exported folder.
"""

from __future__ import annotations

import importlib.util
import json
import os
import shutil
import stat
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from peft import PeftModel
from PIL import Image
from safetensors import safe_open
from transformers import (
    AutoImageProcessor,
    AutoModelForImageTextToText,
    AutoProcessor,
    AutoTokenizer,
    GenerationConfig,
)

from mmie.models.exporting import export_adapter, export_merged, generation_settings
from mmie.models.policy import build_policy
from mmie.types import Sampling

SAMPLING = Sampling(temperature=0.8, max_new_tokens=12)
TEXT = "Ann Lee <|im_end|> <image> and Bob Ray"
WEIGHTS = {
    "qwen": {"model.layers.0", "model.embed_tokens", "visual.blocks.0", "lm_head"},
    "llava": {
        "language_model.model.layers.0",
        "language_model.lm_head",
        "vision_tower.vision_model.encoder.layers.0",
        "multi_modal_projector.linear_1",
    },
}
BASE = "some/base"


@pytest.fixture(scope="module", params=["qwen", "llava"])
def kind(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture(scope="module")
def policy(kind: str, make_policy: Callable[..., Any]) -> Any:
    return make_policy(kind)


@pytest.fixture(scope="module")
def merged(policy: Any, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("export") / "merged"
    export_merged(policy, folder, sampling=SAMPLING)
    return folder


def answers_of_mmie(policy: Any, pictures: list[Any]) -> list[list[int]]:
    """Greedy answers to one question about each picture, as token ids."""
    prompts = policy.batch([policy.encode(TEXT, [picture]) for picture in pictures])
    numbers = torch.zeros(len(pictures), SAMPLING.max_new_tokens, dtype=torch.float64)
    drawn = policy.sample(prompts, numbers, temperature=0.0)
    return [row[mask].tolist() for row, mask in zip(drawn.tokens, drawn.mask, strict=True)]


def inputs_by_parts(folder: Path, policy: Any, picture: Any) -> dict[str, Any]:
    """The prompt's ids as mmie makes them, beside the pixels of the exported image processor."""
    ids = policy.encode(TEXT, [picture]).ids[None]
    image = Image.open(picture.path).convert("RGB")
    pixels = AutoImageProcessor.from_pretrained(folder)(images=[image], return_tensors="pt")
    inputs = {"input_ids": ids, "attention_mask": torch.ones_like(ids), **pixels}
    if "image_grid_thw" in inputs:
        marker = policy.backbone.model.config.image_token_id
        inputs["mm_token_type_ids"] = (ids == marker).int()
    return inputs


def inputs_by_processor(folder: Path, policy: Any, picture: Any) -> dict[str, Any]:
    """As the docs show it; the text is defused first, which a caller has to do."""
    from mmie.markers import defuse_markers, read_markers

    processor = AutoProcessor.from_pretrained(folder)
    text = defuse_markers(TEXT, read_markers(folder))
    content = [{"type": "image", "path": str(picture.path)}, {"type": "text", "text": text}]
    return processor.apply_chat_template(
        [{"role": "user", "content": content}],
        add_generation_prompt=True,
        tokenize=True,
        return_dict=True,
        return_tensors="pt",
    )


def answers_of(model: Any, make: Any, folder: Path, policy: Any, pictures: Any) -> list[list[int]]:
    """The same from ``generate``, with the generation settings of the export but greedy."""
    settings = GenerationConfig.from_pretrained(folder)
    settings.do_sample = False
    settings.temperature = settings.top_k = settings.top_p = None
    answers = []
    for picture in pictures:
        inputs = make(folder, policy, picture)
        made = model.generate(**inputs, generation_config=settings)
        answers.append(made[0, inputs["input_ids"].shape[1] :].tolist())
    return answers


def prefer_markers(policy: Any) -> None:
    """Lets an image marker win every step in which it is not suppressed."""
    head = policy.backbone.model.lm_head.weight
    with torch.no_grad():
        head[policy.backbone.marker_ids[0]] = 50 * head.mean(0).sign()


WAYS = [
    inputs_by_parts,
    pytest.param(
        inputs_by_processor,
        marks=pytest.mark.skipif(
            importlib.util.find_spec("torchvision") is None, reason="torchvision is not installed"
        ),
    ),
]


@pytest.mark.parametrize("make", WAYS)
def test_the_merged_model_answers_as_mmie_does(
    make: Any, policy: Any, merged: Path, pictures: list[Any]
) -> None:
    model = AutoModelForImageTextToText.from_pretrained(merged, dtype="auto").eval()
    shown = pictures[:3]
    expected = answers_of_mmie(policy, shown)
    assert len({tuple(answer) for answer in expected}) > 1  # the pictures matter
    assert answers_of(model, make, merged, policy, shown) == expected


@pytest.mark.parametrize("make", WAYS)
def test_the_adapter_on_its_base_answers_as_mmie_does(
    make: Any,
    kind: str,
    policy: Any,
    pictures: list[Any],
    tmp_path: Path,
    checkpoint_folders: dict[str, Path],
) -> None:
    export_adapter(policy, tmp_path / "adapter", base=BASE, sampling=SAMPLING)
    folder = tmp_path / "base"
    shutil.copytree(checkpoint_folders[kind], folder)
    shutil.copy(tmp_path / "adapter/generation_config.json", folder)
    base = AutoModelForImageTextToText.from_pretrained(folder, dtype=torch.float32)
    model = PeftModel.from_pretrained(base, tmp_path / "adapter").eval()
    expected = answers_of_mmie(policy, pictures[:2])
    assert answers_of(model, make, folder, policy, pictures[:2]) == expected


def test_tokens_that_mmie_never_draws_are_not_drawn_elsewhere(
    kind: str, make_policy: Any, pictures: list[Any], tmp_path: Path
) -> None:
    policy = make_policy(kind)
    prefer_markers(policy)
    export_merged(policy, tmp_path, sampling=SAMPLING)
    model = AutoModelForImageTextToText.from_pretrained(tmp_path, dtype="auto").eval()
    inputs = inputs_by_parts(tmp_path, policy, pictures[0])
    unlimited = model.generate(**inputs, do_sample=False, max_new_tokens=4, suppress_tokens=None)
    drawn = set(unlimited[0, inputs["input_ids"].shape[1] :].tolist())
    assert drawn & set(policy.suppressed)
    expected = answers_of_mmie(policy, pictures[:1])
    assert answers_of(model, inputs_by_parts, tmp_path, policy, pictures[:1]) == expected


def test_the_generation_settings_are_those_of_mmie(policy: Any, merged: Path) -> None:
    written = json.loads((merged / "generation_config.json").read_text(encoding="utf-8"))
    assert written["suppress_tokens"] == policy.suppressed
    assert written["eos_token_id"] == policy.eos_ids
    assert (written["do_sample"], written["temperature"], written["top_p"]) == (True, 0.8, 1.0)
    assert (written["top_k"], written["max_new_tokens"]) == (0, 12)
    assert "repetition_penalty" not in written  # the base of Qwen2.5-VL asks for 1.05
    assert generation_settings(policy, Sampling(0.0, 5)).do_sample is False


def weight_names(folder: Path) -> set[str]:
    with safe_open(folder / "model.safetensors", "pt") as weights:
        return set(weights.keys())


def test_weights_have_the_hubs_names_whatever_the_base_has(
    kind: str, policy: Any, merged: Path, tmp_path: Path
) -> None:
    """A base that transformers 5 has saved names its weights otherwise."""
    names = weight_names(merged)
    assert all(any(name.startswith(f"{start}.") for name in names) for start in WEIGHTS[kind])
    assert not [name for name in names if "lora" in name or "base_layer" in name]
    model = AutoModelForImageTextToText.from_pretrained(merged, dtype="auto")
    model.save_pretrained(tmp_path / "new", save_original_format=False)
    for name in ("tokenizer.json", "tokenizer_config.json", "chat_template.jinja"):
        shutil.copy(merged / name, tmp_path / "new")
    shutil.copy(merged / "preprocessor_config.json", tmp_path / "new")
    assert weight_names(tmp_path / "new") != names
    again = build_policy(
        type(policy.backbone)(str(tmp_path / "new")), rank=4, alpha=8, dropout=0.0, seed=1
    )
    export_merged(again, tmp_path / "again", sampling=SAMPLING)
    assert weight_names(tmp_path / "again") == names


def test_processor_and_video_settings_of_the_base_are_carried(
    kind: str, load_backbone: Any, checkpoint_folders: dict[str, Path], tmp_path: Path
) -> None:
    """Of an image processor inside them, the one that mmie uses takes the place."""
    base = tmp_path / "base"
    shutil.copytree(checkpoint_folders[kind], base)
    video = {"video_processor_type": "Qwen2VLVideoProcessor", "fps": 3}
    (base / "video_preprocessor_config.json").write_text(json.dumps(video))
    whole = {"image_processor": {"patch_size": 99}, "video_processor": video, "more": 1}
    (base / "processor_config.json").write_text(json.dumps(whole))
    backbone = type(load_backbone(kind))(str(checkpoint_folders[kind]))
    backbone.model.name_or_path = str(base)
    backbone.model.config.text_config._name_or_path = str(base)
    export_merged(
        build_policy(backbone, rank=4, alpha=8, dropout=0.0, seed=1),
        tmp_path / "merged",
        sampling=SAMPLING,
    )
    read = json.loads((tmp_path / "merged/processor_config.json").read_text())
    assert (read["more"], read["video_processor"]) == (1, video)
    assert str(base) not in (tmp_path / "merged/config.json").read_text()
    assert read["image_processor"] == json.loads(backbone.processor.to_json_string())
    assert json.loads((tmp_path / "merged/video_preprocessor_config.json").read_text()) == video


def test_llava_has_what_its_processor_needs(kind: str, merged: Path) -> None:
    read = json.loads((merged / "processor_config.json").read_text(encoding="utf-8"))
    if kind == "llava":
        assert (read["patch_size"], read["num_additional_image_tokens"]) == (14, 1)
        assert read["vision_feature_select_strategy"] == "default"
    assert AutoTokenizer.from_pretrained(merged).chat_template


def test_files_have_the_usual_modes_and_no_path_of_this_machine(
    policy: Any, merged: Path, tmp_path: Path, checkpoint_folders: dict[str, Path]
) -> None:
    export_adapter(policy, tmp_path / "adapter", base=BASE, sampling=SAMPLING)
    umask = os.umask(0)
    os.umask(umask)
    folders = (tmp_path, merged)
    files = [path for folder in folders for path in folder.rglob("*") if path.is_file()]
    assert len(files) > 8
    for path in files:
        assert stat.S_IMODE(path.stat().st_mode) == 0o666 & ~umask, path
        assert os.fsencode(checkpoint_folders["qwen"].parent) not in path.read_bytes(), path
    settings = json.loads((tmp_path / "adapter/adapter_config.json").read_text())
    assert settings["base_model_name_or_path"] == BASE
    assert not (tmp_path / "adapter/README.md").exists()
