"""The shared prefix equals repeated rows, and repeated rows equal the model's own forward."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

from mmie.losses import grpo_loss
from mmie.models.llava import Llava
from mmie.models.policy import build_policy
from mmie.models.qwen2_5_vl import Qwen25VL
from mmie.models.rows import row_logps
from mmie.settings import ALL_AT_ONCE, MemoryConfig

TEXTS = [
    "wow Ann Lee and Bob Ray tonight",
    "x",
    "Omar Pia @ Jazz Fest , photo by Gus Hart near Elm Bay !",
    "no picture here",
]
LENGTHS = [7, 1, 4, 9, 2, 1, 3, 3, 5, 8, 1, 6]
TEMPERATURE = 0.7
LEAN = replace(ALL_AT_ONCE, micro_responses=5, recompute_layers=True, logits_chunk=7)


@pytest.fixture(params=["qwen", "llava"])
def policy(request: pytest.FixtureRequest, make_policy: Any) -> Any:
    return make_policy(request.param)


@pytest.fixture
def prompts(policy: Any, pictures: list[Any]) -> list[Any]:
    """Four prompts: one picture, another shape, two pictures, none."""
    pairs = zip(TEXTS, pictures_of_prompts(pictures), strict=True)
    return [policy.encode(text, part) for text, part in pairs]


def pictures_of_prompts(pictures: list[Any]) -> list[list[Any]]:
    return [pictures[:1], pictures[1:2], [pictures[2], pictures[4]], []]


@pytest.fixture
def completions(policy: Any) -> Any:
    generator = torch.Generator().manual_seed(5)
    return policy.completions_of(
        [torch.randint(20, 300, (length,), generator=generator).tolist() for length in LENGTHS]
    )


@pytest.fixture
def object_prompts(policy: Any, pictures: list[Any]) -> list[Any]:
    """Three prompts with the same picture and text but other objects, and one with another picture.

    Each has the whole picture first and then the object's box.
    """
    boxes = [(0, 0, 40, 40), (30, 20, 100, 70), (5, 5, 30, 60)]
    wholes = [pictures[0], pictures[0], pictures[1]]
    parts = [[whole, replace(whole, box=box)] for whole, box in zip(wholes, boxes, strict=True)]
    parts.append([pictures[2]])
    texts = ["one object", "one object", "another text that is longer", "x"]
    return [policy.encode(text, part) for text, part in zip(texts, parts, strict=True)]


def test_pictures_with_boxes_share_their_prefix_exactly(
    policy: Any, object_prompts: list[Any], completions: Any
) -> None:
    batch, mask = policy.batch(object_prompts), completions.mask
    shared = policy.logps(batch, completions, temperature=1.0)
    rows = row_logps(policy.model, batch, completions)
    torch.testing.assert_close(shared[mask], rows[mask], atol=1e-5, rtol=0)
    one, other = gradient(policy, shared, mask), gradient(policy, rows, mask)
    assert (one - other).norm() < 1e-4 * other.norm()
    assert policy.vision.computed == 6  # three whole pictures, three objects
    first, second = object_prompts[:2]
    assert not torch.equal(first.features[-4:], second.features[-4:])


def gradient(policy: Any, logps: Tensor, mask: Tensor) -> Tensor:
    advantages = torch.linspace(-1.5, 1.0, len(logps))
    loss = grpo_loss(logps, logps.detach(), logps.detach() - 0.3, advantages, mask, kl_coef=0.1)
    policy.zero_grad()
    loss.backward()
    return torch.cat([value.grad.flatten() for value in policy.trainable()])


@pytest.mark.parametrize("micro_responses", [None, 1])
def test_empty_responses_are_scored_beside_others(
    policy: Any, prompts: list[Any], micro_responses: int | None
) -> None:
    """Two of eight are empty, so with four groups by length these two are a group of their own."""
    batch = policy.batch(prompts)
    responses = [[], [21, 22], [23], [], [24, 25, 26], [27], [28, 29], [30]]
    completions = policy.completions_of(responses)
    memory = replace(ALL_AT_ONCE, micro_responses=micro_responses)
    shared = policy.logps(batch, completions, temperature=1.0, memory=memory)
    alone = policy.completions_of([tokens or [31] for tokens in responses])
    expected = row_logps(policy.model, batch, alone)
    assert torch.isfinite(shared).all()
    mask = completions.mask
    torch.testing.assert_close(shared[mask], expected[mask], atol=1e-5, rtol=0)


def operations(value: Tensor) -> set[str]:
    """Names of all operations whose gradients are to be taken."""
    seen, left = set(), [value.grad_fn]
    while left:
        node = left.pop()
        if node is not None and node not in seen:
            seen.add(node)
            left += [before for before, _ in node.next_functions]
    return {node.name() for node in seen}


@pytest.mark.parametrize("passes", ["shared", "rows"])
def test_gradients_add_up_in_one_order(
    policy: Any, prompts: list[Any], completions: Any, passes: str
) -> None:
    """With several threads the gradient of ``values[rows]`` is summed in any order.

    Two runs would then differ.
    """
    batch = policy.batch(prompts)
    if passes == "shared":
        names = operations(policy.logps(batch, completions, temperature=1.0))
        assert "IndexSelectBackward0" in names
    else:
        names = operations(policy.row_logps(batch, completions))
    assert not {name for name in names if name.startswith(("IndexBackward", "IndexPut"))}


def test_prompts_and_responses_are_unequal(prompts: list[Any]) -> None:
    assert len({len(prompt.ids) for prompt in prompts}) == 4
    assert [len(prompt.features) for prompt in prompts][3] == 0
    assert min(LENGTHS) == 1


@pytest.mark.parametrize(
    ("micro_responses", "recompute_layers", "logits_chunk"),
    [
        (None, False, None),
        (None, True, 7),
        (1, False, 7),
        (1, True, None),
        (5, False, None),
        (5, True, 7),
    ],
)
def test_shared_prefix_equals_repeated_rows(
    policy: Any,
    prompts: list[Any],
    completions: Any,
    micro_responses: int | None,
    recompute_layers: bool,
    logits_chunk: int | None,
) -> None:
    """Chunks of 7 tokens do not divide the parts. Any two of the options meet."""
    memory = replace(
        ALL_AT_ONCE,
        micro_responses=micro_responses,
        recompute_layers=recompute_layers,
        logits_chunk=logits_chunk,
    )
    batch, mask = policy.batch(prompts), completions.mask
    shared = policy.logps(batch, completions, temperature=TEMPERATURE, memory=memory)
    rows = row_logps(policy.model, batch, completions, temperature=TEMPERATURE)
    torch.testing.assert_close(shared[mask], rows[mask], atol=1e-5, rtol=0)
    one, other = gradient(policy, shared, mask), gradient(policy, rows, mask)
    assert one.norm() > 0
    assert (one - other).norm() < 1e-4 * other.norm()


@pytest.mark.parametrize("attention", ["sdpa", "eager"])
@pytest.mark.parametrize(("kind", "backbone"), [("qwen", Qwen25VL), ("llava", Llava)])
def test_tokens_are_sampled_with_the_probabilities_of_the_update(
    checkpoint_folders: dict[str, Path],
    pictures: list[Any],
    kind: str,
    backbone: Any,
    attention: str,
) -> None:
    """With every kernel, also behind the padding of prompts of other lengths."""
    loaded = backbone(str(checkpoint_folders[kind]), attention=attention)
    policy = build_policy(loaded, rank=4, alpha=8, dropout=0.0, seed=1).eval()
    pairs = zip(TEXTS, pictures_of_prompts(pictures), strict=True)
    batch = policy.batch([policy.encode(text, part) for text, part in pairs])
    assert not batch.mask.all()
    uniforms = torch.rand(12, 10, generator=torch.Generator().manual_seed(3), dtype=torch.float64)
    sampled = policy.sample(batch, uniforms, temperature=TEMPERATURE)
    shared = policy.logps(batch, sampled, temperature=TEMPERATURE)
    mask = sampled.mask
    torch.testing.assert_close(sampled.logps[mask], shared[mask], atol=1e-5, rtol=0)
    rows = row_logps(policy.model, batch, sampled, temperature=TEMPERATURE)
    torch.testing.assert_close(shared[mask], rows[mask], atol=1e-5, rtol=0)


def sliding(source: Path, folder: Path) -> Path:
    """A copy of the Qwen checkpoint whose second layer sees the last five tokens only."""
    shutil.copytree(source, folder)
    config = json.loads((folder / "config.json").read_text())
    window = {"use_sliding_window": True, "sliding_window": 5, "max_window_layers": 1}
    (folder / "config.json").write_text(json.dumps({**config, **window}))
    return folder


@pytest.mark.parametrize("memory", [ALL_AT_ONCE, LEAN])
def test_sliding_windows_reach_into_the_shared_prefix(
    checkpoint_folders: dict[str, Path], tmp_path: Path, memory: MemoryConfig
) -> None:
    folder = sliding(checkpoint_folders["qwen"], tmp_path / "sliding")
    policy = build_policy(Qwen25VL(str(folder)), rank=4, alpha=8, dropout=0.0, seed=1).eval()
    assert policy.backbone.model.model.language_model.has_sliding_layers
    batch = policy.batch([policy.encode(text, []) for text in TEXTS])
    uniforms = torch.rand(12, 10, generator=torch.Generator().manual_seed(3), dtype=torch.float64)
    sampled = policy.sample(batch, uniforms, temperature=TEMPERATURE)
    shared = policy.logps(batch, sampled, temperature=TEMPERATURE, memory=memory)
    rows = row_logps(policy.model, batch, sampled, temperature=TEMPERATURE)
    mask = sampled.mask
    torch.testing.assert_close(shared[mask], rows[mask], atol=1e-5, rtol=0)
    torch.testing.assert_close(sampled.logps[mask], rows[mask], atol=1e-5, rtol=0)
    one, other = gradient(policy, shared, mask), gradient(policy, rows, mask)
    assert (one - other).norm() < 1e-4 * other.norm()


def test_one_token_responses(policy: Any, prompts: list[Any]) -> None:
    batch, completions = policy.batch(prompts), policy.completions_of([[30], [40], [50], [60]])
    shared = policy.logps(batch, completions, temperature=1.0)
    assert shared.shape == (4, 1)
    torch.testing.assert_close(shared, policy.row_logps(batch, completions), atol=1e-5, rtol=0)


def own_inputs(policy: Any, ids: Tensor, images: list[Any]) -> dict[str, Tensor]:
    """What the model's own processor would give it: pixels, but no positions and no features."""
    backbone = policy.backbone
    inputs = {"input_ids": ids[None], "attention_mask": torch.ones_like(ids)[None]}
    if images:
        inputs |= dict(backbone.processor(images=images, return_tensors="pt"))
    if "image_grid_thw" in inputs:
        inputs["mm_token_type_ids"] = (
            inputs["input_ids"] == backbone.model.config.image_token_id
        ).int()
    return inputs


@pytest.mark.parametrize("score", ["logps", "row_logps"])
def test_equals_the_models_own_forward_on_single_rows(
    policy: Any, prompts: list[Any], completions: Any, pictures: list[Any], score: str
) -> None:
    from mmie.data.pictures import open_picture

    with torch.no_grad():
        batch = policy.batch(prompts)
        if score == "logps":
            ours = policy.logps(batch, completions, temperature=1.0)
        else:
            ours = policy.row_logps(batch, completions)
        for row, length in enumerate(LENGTHS):
            prompt = prompts[row // 3]
            of_prompt = pictures_of_prompts(pictures)[row // 3]
            tokens = completions.tokens[row, :length]
            images = [open_picture(picture, max_pixels=1 << 22) for picture in of_prompt]
            inputs = own_inputs(policy, torch.cat([prompt.ids, tokens]), images)
            logits = policy.model(**inputs, use_cache=False).logits[0, len(prompt.ids) - 1 : -1]
            expected = logits.log_softmax(-1).gather(1, tokens[:, None])[:, 0]
            torch.testing.assert_close(ours[row, :length], expected, atol=1e-5, rtol=0)


def test_sampling_logps_are_the_updates(policy: Any, prompts: list[Any]) -> None:
    uniforms = torch.rand(12, 10, generator=torch.Generator().manual_seed(3), dtype=torch.float64)
    batch = policy.batch(prompts)
    responses = policy.sample(batch, uniforms, temperature=TEMPERATURE)
    scored = policy.logps(batch, responses, temperature=TEMPERATURE)
    assert responses.tokens.shape == (12, 10)
    torch.testing.assert_close(
        responses.logps[responses.mask], scored[responses.mask], atol=1e-5, rtol=0
    )


def test_pictures_and_their_order_matter(policy: Any, pictures: list[Any]) -> None:
    responses = policy.completions_of([[30, 40, 50]])
    pairs = [[pictures[0], pictures[3]], [pictures[3], pictures[0]], [pictures[0], pictures[5]]]
    logps = []
    for pair in pairs:
        batch = policy.batch([policy.encode("x", pair)])
        logps.append(policy.logps(batch, responses, temperature=1.0))
    assert (logps[0] - logps[1]).abs().max() > 1e-3
    assert (logps[0] - logps[2]).abs().max() > 1e-3
