"""Tokens that are counted without the weights are those that the model sees."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from mmie.models.llava import Llava
from mmie.models.prompt_tokens import PromptTokens
from mmie.models.qwen2_5_vl import Qwen25VL
from mmie.types import Picture

BACKBONES: dict[str, Any] = {"qwen": Qwen25VL, "llava": Llava}
TEXT = "Ann Lee of <|image_pad|> Apex Club"


@pytest.mark.parametrize("kind", BACKBONES)
def test_prompts_and_responses(
    kind: str, make_policy: Any, checkpoint_folders: dict[str, Path], pictures: list[Picture]
) -> None:
    policy = make_policy(kind)
    tokens = PromptTokens(
        BACKBONES[kind], {"path": str(checkpoint_folders[kind])}, chars_per_token=4
    )
    assert tokens.exact
    for picture in pictures:
        assert tokens.prompt(TEXT, [picture]) == len(policy.encode(TEXT, [picture]).ids)
    assert tokens.prompt(TEXT, pictures[:2]) == len(policy.encode(TEXT, pictures[:2]).ids)
    assert tokens.response("a club .") == len(policy.response_ids("a club ."))


def test_names_of_the_hub_are_estimated() -> None:
    """Nothing is fetched for them."""
    blank = Picture(None)
    settings = {"path": "Qwen/Qwen2.5-VL-7B-Instruct", "max_pixels": 602112}
    qwen = PromptTokens(Qwen25VL, settings, chars_per_token=4)
    llava = PromptTokens(Llava, {"path": "llava-hf/llava-1.5-7b-hf"}, chars_per_token=4)
    assert not qwen.exact
    assert qwen.picture(blank) == 16  # a blank one has 112 × 112 pixels
    assert llava.picture(blank) == (336 // 14) ** 2
    assert qwen.prompt("x" * 40, []) == 20 + 10
    assert qwen.response("x" * 41) == 11 + 1
