"""Prompts in the form of each checkpoint, and checkpoints that are refused."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest
import torch
from PIL import Image

from mmie.errors import InputError
from mmie.models.backbone import (
    Prompt,
    defuse_markers,
    expand_placeholders,
    load_model,
    resolve_path,
)
from mmie.models.llava import Llava
from mmie.models.qwen2_5_vl import Qwen25VL

WIDE, TALL = Image.new("RGB", (112, 56), "red"), Image.new("RGB", (56, 84), "blue")


def encoded(backbone: Any, text: str, pictures: list[Image.Image]) -> Prompt:
    features = [backbone.vision_features(picture) for picture in pictures]
    prompt: Prompt = backbone.encode(text, pictures, features)
    return prompt


def test_qwen_prompt_with_two_pictures(load_backbone: Any) -> None:
    """28 x 28 pixels are one token: 4 x 2 for the first picture, 2 x 3 for the second."""
    backbone = load_backbone("qwen")
    prompt = encoded(backbone, "wow Ann Lee", [WIDE, TALL])
    assert backbone.tokenizer.decode(prompt.ids) == (
        "<|im_start|>system\nYou are a helpful assistant.<|im_end|>\n<|im_start|>user\n"
        f"<|vision_start|>{'<|image_pad|>' * 8}<|vision_end|>"
        f"<|vision_start|>{'<|image_pad|>' * 6}<|vision_end|>"
        "wow Ann Lee<|im_end|>\n<|im_start|>assistant\n"
    )
    assert prompt.features.shape == (14, 64)


def test_qwen_positions_by_hand(load_backbone: Any) -> None:
    """Text counts in all three channels.

    A picture of 4 x 2 tokens takes one time, rows 0..1 and columns 0..3.
    """
    backbone = load_backbone("qwen")
    prompt = encoded(backbone, "wow", [WIDE])
    start = prompt.ids.tolist().index(backbone.tokenizer.get_vocab()["<|image_pad|>"])
    assert prompt.positions[:, :start].tolist() == [list(range(start))] * 3
    inside = prompt.positions[:, start : start + 8] - start
    assert inside.tolist() == [[0] * 8, [0, 0, 0, 0, 1, 1, 1, 1], [0, 1, 2, 3, 0, 1, 2, 3]]
    after = len(prompt.ids) - start - 8
    assert (
        prompt.positions[:, start + 8 :].tolist()
        == [[start + 4 + step for step in range(after)]] * 3
    )


def test_llava_prompt(load_backbone: Any) -> None:
    backbone = load_backbone("llava")
    prompt = encoded(backbone, "wow Ann Lee", [WIDE])
    text = backbone.tokenizer.decode(prompt.ids, clean_up_tokenization_spaces=False)
    assert text == f"<s>USER: {'<image>' * 16}\nwow Ann Lee ASSISTANT:"
    assert prompt.positions.tolist() == [list(range(len(prompt.ids)))]
    assert prompt.features.shape == (16, 64)


def test_max_pixels_bounds_the_tokens(checkpoint_folders: Any) -> None:
    backbone = Qwen25VL(str(checkpoint_folders["qwen"]), max_pixels=28 * 28 * 6)
    prompt = encoded(backbone, "x", [Image.new("RGB", (400, 400))])
    assert len(prompt.features) == 4  # 2 x 2 is the largest square within 6
    assert int((prompt.ids == backbone.model.config.image_token_id).sum()) == 4


@pytest.mark.parametrize("kind", ["qwen", "llava"])
def test_markers_in_the_text_are_defused(load_backbone: Any, kind: str) -> None:
    backbone = load_backbone(kind)
    markers = [token.content for token in backbone.tokenizer.added_tokens_decoder.values()]
    text = f"RT @fan : {' '.join(markers)} <|image_pad|> <image> <image>"
    prompt, clean = encoded(backbone, text, [WIDE]), encoded(backbone, "x", [WIDE])
    live = torch.tensor(list(backbone.tokenizer.added_tokens_decoder))
    assert int(torch.isin(prompt.ids, live).sum()) == int(torch.isin(clean.ids, live).sum())
    assert len(prompt.features) == int((prompt.ids == backbone.model.config.image_token_id).sum())
    assert len(markers) >= 5


@pytest.mark.parametrize("kind", ["qwen", "llava"])
def test_known_features_are_not_computed_again(
    load_backbone: Any, kind: str, monkeypatch: Any
) -> None:
    backbone = load_backbone(kind)
    features = [backbone.vision_features(WIDE)]
    monkeypatch.setattr(backbone, "vision_features", None)
    prompt = backbone.encode("x", [WIDE], features)
    torch.testing.assert_close(prompt.features, features[0], rtol=0, atol=0)
    assert not prompt.features.requires_grad


def test_plain_text_is_left_alone(load_backbone: Any) -> None:
    text = "RT @fan : a < b > c </s"
    assert defuse_markers(text, load_backbone("llava").tokenizer) == text


def test_placeholders_are_expanded() -> None:
    assert expand_placeholders("a#b#", "#", [2, 3]) == "a##b###"
    assert expand_placeholders("a", "#", []) == "a"
    with pytest.raises(InputError, match="shows 1 pictures where the sample has 2"):
        expand_placeholders("a#b", "#", [1, 1])


@pytest.mark.parametrize(
    ("kind", "other", "actual"), [(Qwen25VL, "llava", "llava"), (Llava, "qwen", "qwen2_5_vl")]
)
def test_another_architecture_is_refused(
    checkpoint_folders: Any, kind: Any, other: str, actual: str
) -> None:
    message = f"model.path=.*: it is a checkpoint of {actual}, where .* needs"
    with pytest.raises(InputError, match=message) as error:
        kind(str(checkpoint_folders[other]))
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(
    ("change", "count"), [({"num_hidden_layers": 3}, 12), ({"intermediate_size": 80}, 6)]
)
def test_missing_and_misshapen_weights_are_refused(
    checkpoint_folders: Any, tmp_path: Path, change: Any, count: int
) -> None:
    """Such a checkpoint would otherwise run with random weights in their place."""
    folder = tmp_path / "qwen"
    shutil.copytree(checkpoint_folders["qwen"], folder)
    config = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps({**config, **change}))
    message = f": {count} weights that its config.json asks for are not in it"
    with pytest.raises(InputError, match=message):
        Qwen25VL(str(folder))


def test_a_torn_weight_file_is_refused(checkpoint_folders: Any, tmp_path: Path) -> None:
    folder = tmp_path / "llava"
    shutil.copytree(checkpoint_folders["llava"], folder)
    file = folder / "model-00002-of-00003.safetensors"
    file.write_bytes(file.read_bytes()[:1000])
    with pytest.raises(InputError, match="cannot be loaded"):
        Llava(str(folder))


@pytest.mark.parametrize(
    "lost",
    [
        "config.json",
        "tokenizer*.json",
        "preprocessor_config.json",
        "model-00002-of-00003.safetensors",
    ],
)
def test_an_incomplete_folder_is_refused_in_one_line(
    checkpoint_folders: Any, tmp_path: Path, lost: str
) -> None:
    folder = tmp_path / "qwen"
    shutil.copytree(checkpoint_folders["qwen"], folder, ignore=shutil.ignore_patterns(lost))
    with pytest.raises(InputError) as error:
        Qwen25VL(str(folder))
    assert "\n" not in str(error.value)
    assert str(folder) in str(error.value)


def test_a_tokenizer_without_chat_template_is_refused(
    checkpoint_folders: Any, tmp_path: Path
) -> None:
    folder = tmp_path / "llava"
    without_template = shutil.ignore_patterns("chat_template*")
    shutil.copytree(checkpoint_folders["llava"], folder, ignore=without_template)
    with pytest.raises(InputError, match="chat_template.jinja"):
        Llava(str(folder))


def test_unknown_dtype_and_unknown_package_folder() -> None:
    with pytest.raises(InputError, match="model.dtype=float8: use one of float32, bfloat16"):
        load_model(None, "x", dtype="float8", attention="sdpa")
    with pytest.raises(InputError, match="model.path=mmie:nowhere"):
        resolve_path("mmie:nowhere")
    assert resolve_path("some/where") == "some/where"


def test_the_base_is_frozen_and_in_eval_mode(load_backbone: Any) -> None:
    model = load_backbone("llava").model
    assert not model.training
    assert not any(value.requires_grad for value in model.parameters())


@pytest.mark.parametrize("kind", ["qwen", "llava"])
def test_a_resized_picture_looks_the_same(load_backbone: Any, kind: str) -> None:
    """Of any size; resized once more it stays as it is, whatever resizes it."""
    backbone = load_backbone(kind)
    noise = torch.randint(0, 256, (57, 200, 3), generator=torch.Generator().manual_seed(0))
    picture = Image.fromarray(noise.byte().numpy())
    resized = backbone.resized(picture)
    assert resized.size != picture.size
    assert backbone.resized(resized).size == resized.size
    features = [backbone.vision_features(one) for one in (picture, resized)]
    assert torch.equal(*features)
