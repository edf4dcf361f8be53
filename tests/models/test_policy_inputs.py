"""Inputs and outputs of the policy: prompts, features computed once, responses, modes."""

from __future__ import annotations

import copy
from typing import Any

import pytest
import torch

from mmie.models.backbone import Prompt, defuse_markers
from mmie.models.batch import pad_completions, pad_prompts
from mmie.types import Picture


def test_every_picture_is_computed_once(
    make_policy: Any, pictures: list[Any], monkeypatch: Any
) -> None:
    policy = make_policy("qwen")
    seen = []
    compute = policy.backbone.vision_features

    def noting(picture: Any) -> Any:
        seen.append(picture.size)
        return compute(picture)

    monkeypatch.setattr(policy.backbone, "vision_features", noting)
    for _ in range(2):
        for text in ("x", "y"):
            policy.encode(text, [pictures[0], pictures[1]])
    policy.encode("x", [pictures[1], pictures[5], Picture(None)])
    assert seen == [(112, 84), (56, 168), (112, 112)]
    assert policy.vision.computed == 3


def test_a_prompt_that_was_seen_before_is_the_same(make_policy: Any, pictures: list[Any]) -> None:
    policy = make_policy("qwen")
    one, other = policy.encode("x", pictures[:2]), policy.encode("x", pictures[:2])
    swapped = policy.encode("x", pictures[1::-1])
    for name in ("ids", "positions", "features"):
        assert torch.equal(getattr(one, name), getattr(other, name))
    assert not torch.equal(one.features, swapped.features)
    assert not torch.equal(one.positions, swapped.positions)


def test_large_pictures_are_bounded_before_the_processor(
    make_policy: Any, pictures: list[Any]
) -> None:
    policy = make_policy("qwen")
    policy.max_pixels = 56 * 56
    assert len(policy.encode("x", pictures[:1]).features) == 4


def test_padding_of_prompts_by_hand() -> None:
    prompts = [
        Prompt(torch.tensor([5, 6, 7]), torch.tensor([[0, 1, 1], [0, 1, 2]]), torch.ones(2, 4)),
        Prompt(torch.tensor([8]), torch.tensor([[0], [0]]), torch.ones(0, 4)),
    ]
    batch = pad_prompts(prompts, pad_id=9, device=torch.device("cpu"))
    assert batch.ids.tolist() == [[5, 6, 7], [9, 9, 8]]
    assert batch.mask.tolist() == [[True, True, True], [False, False, True]]
    assert batch.positions.tolist() == [[[0, 1, 1], [0, 0, 0]], [[0, 1, 2], [0, 0, 0]]]
    assert batch.next_position.tolist() == [3, 1]
    assert (batch.features.shape, batch.image_lengths) == ((2, 4), [2, 0])


def test_padding_of_responses_by_hand() -> None:
    responses = pad_completions([[5], [6, 9, 7]], pad_id=9, device=torch.device("cpu"))
    assert responses.tokens.tolist() == [[5, 9, 9], [6, 9, 7]]
    assert responses.mask.tolist() == [[True, False, False], [True, True, True]]
    assert responses.finished.tolist() == [True, True]


@pytest.mark.parametrize("kind", ["qwen", "llava"])
def test_a_response_and_its_tokens(make_policy: Any, kind: str) -> None:
    """The end of the turn belongs to the response, a beginning mark does not.

    The text comes back as it was.
    """
    policy = make_policy(kind)
    answer = "<answer> [Ann Lee, per, Bob Ray, per, peer] ü 🙂 </answer>"
    text = f"<think> picture : a red heart . </think> {answer}"
    ids = policy.response_ids(text)
    assert ids[-1] == policy.backbone.tokenizer.eos_token_id
    assert policy.backbone.tokenizer.bos_token_id not in ids
    beginning = policy.backbone.tokenizer.decode(ids[:3])
    assert policy.text(policy.completions_of([ids, ids[:3]])) == [text, beginning]


def test_what_follows_the_end_is_not_in_the_text(make_policy: Any) -> None:
    policy = make_policy("llava")
    ids = policy.response_ids("red heart")
    responses = policy.completions_of([ids, [*ids, *ids]])
    responses.tokens[0, len(ids) :] = ids[0]
    assert policy.text(responses)[0] == "red heart"


def test_dropout_is_off_in_rollout_and_reference_and_on_again(
    make_policy: Any, pictures: list[Any]
) -> None:
    policy = make_policy("qwen", dropout=0.5)
    policy.train()
    batch = policy.batch([policy.encode("x", pictures[:1])])
    numbers = torch.rand(3, 6, dtype=torch.float64)
    first, second = (policy.sample(batch, numbers, temperature=1.0) for _ in range(2))
    assert torch.equal(first.tokens, second.tokens)
    assert torch.equal(first.logps, second.logps)
    assert policy.training
    given = policy.completions_of([[100, 200]])
    assert not torch.equal(policy.row_logps(batch, given), policy.row_logps(batch, given))
    with policy.evaluating():
        assert torch.equal(policy.row_logps(batch, given), policy.row_logps(batch, given))
    with pytest.raises(KeyError), policy.evaluating():
        raise KeyError("inside")
    assert policy.training


def test_features_are_the_same_under_any_precision_of_the_trainer(
    make_policy: Any, pictures: list[Any]
) -> None:
    plain, mixed = make_policy("qwen"), make_policy("qwen")
    with torch.autocast("cpu", dtype=torch.bfloat16):
        under = mixed.features(pictures[0])
    assert under.dtype is torch.float32
    assert torch.equal(under, plain.features(pictures[0]))


def test_without_a_folder_memory_is_bounded_all_the_same(
    make_policy: Any, pictures: list[Any]
) -> None:
    policy = make_policy("qwen")
    policy.keep_features(None, max_bytes=1)
    for picture in (pictures[0], pictures[1], pictures[0]):
        policy.features(picture)
    assert policy.vision.computed == 3


@pytest.mark.parametrize("kind", ["qwen", "llava"])
def test_markers_in_a_response_to_learn_are_defused(make_policy: Any, kind: str) -> None:
    """A name or a chain never becomes an image token or an early end of the turn."""
    policy = make_policy(kind)
    tokenizer = policy.backbone.tokenizer
    markers = [token.content for token in tokenizer.added_tokens_decoder.values()]
    answer = "<answer> [<|image_pad|>, per, <image>, org, peer] </answer>"
    text = f"<think> {' '.join(markers)} </think> {answer}"
    ids = policy.response_ids(text)
    assert ids[-1] in policy.eos_ids
    special = {*tokenizer.added_tokens_decoder, *policy.eos_ids, *policy.suppressed}
    assert not set(ids[:-1]) & special
    (read,) = policy.text(policy.completions_of([ids]))
    assert read.startswith("<think> <")
    assert read.endswith(", org, peer] </answer>")
    assert all(f"{marker[0]} {marker[1:]}" in read for marker in markers)


def test_the_tags_of_the_form_stay_where_a_tokenizer_has_tokens_for_them(
    load_backbone: Any,
) -> None:
    tokenizer = copy.deepcopy(load_backbone("qwen").tokenizer)
    tokenizer.add_tokens(["<think>", "<tool_call>"])
    assert defuse_markers("<think> <tool_call>", tokenizer) == "<think> < tool_call>"
