"""Markers in a user's text are defused in the same way for training, asking and callers."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from mmie.errors import InputError
from mmie.markers import defuse_markers, read_markers
from mmie.models import backbone


def test_a_marker_gets_a_blank_and_a_tag_stays() -> None:
    text = "<think> a <image><|im_end|> b </think>"
    markers = ["<image>", "<|im_end|>", "<think>", "</think>"]
    assert defuse_markers(text, markers) == "<think> a < image>< |im_end|> b </think>"


@pytest.mark.parametrize("kind", ["qwen", "llava"])
def test_the_markers_of_a_folder_are_those_of_its_tokenizer(
    kind: str, checkpoint_folders: dict[str, Path], load_backbone: Any
) -> None:
    tokenizer = load_backbone(kind).tokenizer
    markers = read_markers(checkpoint_folders[kind])
    assert markers == backbone.marker_texts(tokenizer)
    text = "a <image> b <|im_end|> </s> <|image_pad|>"
    assert defuse_markers(text, markers) == backbone.defuse_markers(text, tokenizer) != text


@pytest.mark.parametrize("content", [None, "{", "[]", '{"added_tokens": [1]}', "{}"])
def test_a_folder_without_a_tokenizer_is_one_line(tmp_path: Path, content: str | None) -> None:
    if content is not None:
        (tmp_path / "tokenizer.json").write_text(content)
    with pytest.raises(InputError, match=r"tokenizer\.json: .*; give the folder of a checkpoint$"):
        read_markers(tmp_path)


def test_a_caller_needs_no_torch() -> None:
    code = "import sys, mmie.markers; assert not {'torch', 'transformers'} & set(sys.modules)"
    subprocess.run([sys.executable, "-c", code], check=True)
