"""Two adapters on one frozen base: which runs, which learns, and how they travel."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import pytest
import torch
from peft import PeftModel
from peft.tuners.lora import LoraLayer
from torch import Tensor
from transformers import LlavaForConditionalGeneration, Qwen2_5_VLForConditionalGeneration

from helpers.adapters import adapter_hash
from mmie.errors import InputError
from mmie.models.adapters import POLICY, REFERENCE
from mmie.models.exporting import export_merged
from mmie.models.policy import Policy, build_policy
from mmie.models.rows import row_logps
from mmie.types import Sampling

LOADERS: dict[str, Any] = {
    "qwen": Qwen2_5_VLForConditionalGeneration,
    "llava": LlavaForConditionalGeneration,
}


@pytest.fixture(params=["qwen", "llava"])
def policy(request: pytest.FixtureRequest, make_policy: Any) -> Any:
    return make_policy(request.param)


@pytest.fixture
def score(policy: Any, pictures: list[Any]) -> Callable[..., Tensor]:
    """Log-probabilities of one fixed response under whatever is active, or under another model."""
    batch = policy.batch([policy.encode("Ann Lee and Bob Ray", pictures[:1])])
    responses = policy.completions_of([[100, 200, 300, 40, 50]])
    return lambda model=None: row_logps(model or policy.model, batch, responses).detach()


def base_weights(policy: Policy) -> dict[str, Tensor]:
    return {
        name: value.clone()
        for name, value in policy.model.state_dict().items()
        if ".lora_" not in name
    }


def move(policy: Policy, amount: float = 0.1) -> None:
    with torch.no_grad():
        for value in policy.trainable():
            value += amount * torch.randn(value.shape, generator=torch.Generator().manual_seed(9))


def test_adapters_sit_in_the_language_model_only(policy: Any) -> None:
    places = [
        name for name, module in policy.model.named_modules() if isinstance(module, LoraLayer)
    ]
    assert len(places) == 2 * 7
    assert all("language_model" in name for name in places)
    assert not [
        name
        for name in places
        if "visual" in name or "vision_tower" in name or "projector" in name or "lm_head" in name
    ]


def test_the_optimizer_gets_the_policy_adapter_and_nothing_else(policy: Any) -> None:
    policy.add_reference()
    held = {id(value) for value in policy.trainable()}
    names = [name for name, value in policy.model.named_parameters() if id(value) in held]
    assert len(names) == 2 * 2 * 7
    assert all(f".{POLICY}." in name for name in names)
    assert not [
        name
        for name, value in policy.named_parameters()
        if value.requires_grad and f".{POLICY}." not in name
    ]


def test_nothing_to_train_or_too_much_is_an_error(policy: Any) -> None:
    policy.backbone.model.lm_head.weight.requires_grad_(True)
    with pytest.raises(RuntimeError, match="outside the policy adapter"):
        policy.trainable()
    policy.requires_grad_(False)
    with pytest.raises(RuntimeError, match="0 trainable parameters"):
        policy.trainable()


def test_the_reference_is_the_warmed_up_adapter(policy: Any, score: Any) -> None:
    warmed = score()
    policy.add_reference()
    move(policy)
    with policy.base():
        base = score()
    with policy.reference():
        reference = score()
    torch.testing.assert_close(reference, warmed, rtol=0, atol=0)
    assert (reference - base).abs().max() > 1e-3
    assert (reference - score()).abs().max() > 1e-3


def test_without_a_warm_up_the_reference_is_the_base(
    policy: Any, score: Any, load_backbone: Any, request: Any
) -> None:
    with policy.reference():
        reference = score()
    untouched = load_backbone("qwen" if "qwen" in request.node.name else "llava")
    torch.testing.assert_close(reference, score(untouched.model), rtol=0, atol=0)
    assert (reference - score()).abs().max() > 1e-3


@pytest.mark.parametrize("warmed", [True, False])
@pytest.mark.parametrize("place", ["reference", "base"])
def test_all_is_back_after_a_look_at_the_reference(
    policy: Any, score: Any, warmed: bool, place: str
) -> None:
    if warmed:
        policy.add_reference()
    move(policy)
    before, held = score(), [id(value) for value in policy.trainable()]
    flags = {name: value.requires_grad for name, value in policy.named_parameters()}

    def look(then: Callable[[], Any]) -> None:
        with getattr(policy, place)():
            score()
            then()

    look(lambda: None)
    with pytest.raises(ZeroDivisionError):
        look(lambda: divmod(1, 0))
    assert {name: value.requires_grad for name, value in policy.named_parameters()} == flags
    assert [id(value) for value in policy.trainable()] == held
    assert policy.model.active_adapters == [POLICY]
    torch.testing.assert_close(score(), before, rtol=0, atol=0)


def test_the_policy_still_learns_beside_a_reference(policy: Any, pictures: list[Any]) -> None:
    policy.add_reference()
    batch, responses = (
        policy.batch([policy.encode("x", pictures[:1])]),
        policy.completions_of([[100, 200]]),
    )
    with torch.no_grad(), policy.reference():
        policy.logps(batch, responses, temperature=1.0)
    policy.logps(batch, responses, temperature=1.0).sum().backward()
    assert all(value.grad is not None and value.grad.norm() > 0 for value in policy.trainable())
    assert not [
        name
        for name, value in policy.named_parameters()
        if value.grad is not None and f".{POLICY}." not in name
    ]


def test_the_reference_can_be_taken_away_and_made_again(policy: Any, score: Any) -> None:
    policy.remove_reference()
    policy.add_reference()
    old = adapter_hash(policy, REFERENCE)
    move(policy)
    moved = score()
    policy.remove_reference()
    assert list(policy.model.peft_config) == [POLICY]
    torch.testing.assert_close(score(), moved, rtol=0, atol=0)
    policy.add_reference()
    assert adapter_hash(policy, REFERENCE) == adapter_hash(policy) != old


def test_a_saved_adapter_comes_back(policy: Any, score: Any, tmp_path: Path) -> None:
    policy.add_reference()
    before, mark = score(), adapter_hash(policy)
    policy.save_adapter(tmp_path / "adapter")
    names = {file.name for file in (tmp_path / "adapter").iterdir()}
    assert names == {"adapter_model.safetensors", "adapter_config.json"}
    move(policy)
    assert adapter_hash(policy) != mark
    policy.read_adapter(tmp_path / "adapter")
    assert adapter_hash(policy) == mark
    torch.testing.assert_close(score(), before, rtol=0, atol=0)


def test_peft_itself_reads_the_adapter(
    policy: Any, score: Any, tmp_path: Path, checkpoint_folders: Any, request: Any
) -> None:
    kind = "qwen" if "qwen" in request.node.name else "llava"
    policy.save_adapter(tmp_path)
    base = LOADERS[kind].from_pretrained(checkpoint_folders[kind], dtype=torch.float32)
    loaded = PeftModel.from_pretrained(base, tmp_path).eval()
    torch.testing.assert_close(score(loaded), score(), rtol=0, atol=1e-6)


def test_a_merged_checkpoint_is_an_ordinary_one(
    policy: Any, score: Any, tmp_path: Path, request: Any
) -> None:
    kind = "qwen" if "qwen" in request.node.name else "llava"
    policy.add_reference()
    before, weights, mark = score(), base_weights(policy), adapter_hash(policy)
    export_merged(policy, tmp_path, sampling=Sampling(0.8, 8))
    model, loading = LOADERS[kind].from_pretrained(
        tmp_path, dtype=torch.float32, output_loading_info=True
    )
    assert not loading["missing_keys"]
    assert not loading["unexpected_keys"]
    torch.testing.assert_close(score(model.eval()), before, rtol=0, atol=1e-4)
    torch.testing.assert_close(score(), before, rtol=0, atol=0)
    assert adapter_hash(policy) == mark
    assert all(torch.equal(value, weights[name]) for name, value in base_weights(policy).items())


def test_a_merged_checkpoint_is_a_base_for_the_next_run(
    make_policy: Any, tmp_path: Path, pictures: list[Any]
) -> None:
    from mmie.models.qwen2_5_vl import Qwen25VL

    policy = make_policy("qwen")
    export_merged(policy, tmp_path, sampling=Sampling(0.8, 8))
    again = build_policy(Qwen25VL(str(tmp_path)), rank=4, alpha=8, dropout=0.0, seed=1)
    assert again.eos_ids == policy.eos_ids
    logps = []
    for one in (policy, again):
        batch = one.batch([one.encode("<image> wow Ann Lee", pictures[:2])])
        logps.append(one.logps(batch, one.completions_of([[100, 200, 300]]), temperature=1.0))
    torch.testing.assert_close(logps[0], logps[1], rtol=0, atol=1e-4)


def test_an_adapter_that_does_not_fit_is_refused(make_policy: Any, tmp_path: Path) -> None:
    policy = make_policy("qwen")
    before = adapter_hash(policy)
    make_policy("qwen", rank=2).save_adapter(tmp_path / "rank")
    make_policy("llava").save_adapter(tmp_path / "model")
    make_policy("qwen", alpha=16).save_adapter(tmp_path / "alpha")
    policy.save_adapter(tmp_path / "torn")
    policy.save_adapter(tmp_path / "export" / "adapter")
    file = tmp_path / "torn" / "adapter_model.safetensors"
    file.write_bytes(file.read_bytes()[:500])
    complaints = {
        "rank": "trained with lora.rank=2, not 4: set lora.rank=2",
        "model": "belongs to another checkpoint or lora.rank",
        "alpha": "trained with lora.alpha=16, not 8",
        "torn": "no whole adapter there",
        "none": "no whole adapter there",
        "export": f"no whole adapter there .*: name {tmp_path}/export/adapter",
    }
    for name, complaint in complaints.items():
        with pytest.raises(InputError, match=complaint) as error:
            policy.read_adapter(tmp_path / name)
        assert "\n" not in str(error.value)
    assert adapter_hash(policy) == before


def test_a_fresh_adapter_depends_on_the_seed_alone(load_backbone: Any) -> None:
    def fresh(seed: int) -> str:
        torch.rand(seed + 3)
        backbone = load_backbone("qwen")
        return adapter_hash(build_policy(backbone, rank=4, alpha=8, dropout=0.0, seed=seed))

    before = torch.get_rng_state()
    build_policy(load_backbone("qwen"), rank=4, alpha=8, dropout=0.0, seed=0)
    assert torch.equal(torch.get_rng_state(), before)
    assert fresh(0) == fresh(0) != fresh(1)


def test_the_configuration_may_name_other_layers(load_backbone: Any) -> None:
    targets = r".*language_model.*\.(q|v)_proj"
    policy = Policy(load_backbone("qwen"), rank=2, alpha=4, targets=targets)
    kinds = {name.split("_proj")[0].rsplit(".", 1)[-1] for name in policy.adapter_state()}
    assert kinds == {"q", "v"}


def test_layers_that_are_not_there_are_refused(load_backbone: Any) -> None:
    message = (
        r"^lora\.targets: 'q_proj' is the name of no linear layer; one is called .*language_model"
    )
    with pytest.raises(InputError, match=message):
        Policy(load_backbone("qwen"), rank=2, alpha=4, targets="q_proj")


def test_a_merged_adapter_scores_the_same(policy: Any, score: Any) -> None:
    move(policy)
    before = score()
    with policy.merged():
        merged = score()
    assert not torch.equal(before, merged)  # another order of sums
    torch.testing.assert_close(before, merged, atol=1e-5, rtol=0)
    assert torch.equal(before, score())


def test_merging_follows_the_adapter_that_runs(policy: Any, score: Any) -> None:
    policy.add_reference()
    move(policy)
    chosen = {"policy": nullcontext, "reference": policy.reference, "base": policy.base}
    values = {}
    for name, choose in chosen.items():
        with choose():
            values[name] = score()
            with policy.merged():
                torch.testing.assert_close(values[name], score(), atol=1e-5, rtol=0)
    assert (values["policy"] - values["reference"]).abs().max() > 1e-3
    assert (values["policy"] - values["base"]).abs().max() > 1e-3


def test_a_model_in_bfloat16_is_not_merged(policy: Any) -> None:
    """The sum rounded to three digits would lose the adapter."""
    policy.backbone.model.to(torch.bfloat16)
    layers = [part for part in policy.model.modules() if isinstance(part, LoraLayer)]
    with policy.merged():
        assert not any("forward" in vars(layer) for layer in layers)
    policy.backbone.model.to(torch.float32)
    with torch.autocast("cpu", dtype=torch.bfloat16), policy.merged():
        assert not any("forward" in vars(layer) for layer in layers)
    with policy.merged():
        assert all("forward" in vars(layer) for layer in layers)
    assert not any("forward" in vars(layer) for layer in layers)


def test_autocast_alone_casts_what_goes_into_an_adapter(policy: Any, score: Any) -> None:
    """PEFT's detour over float32 has the same values and takes a fifth of an update."""
    for name, value in policy.model.named_parameters():
        value.data = value.data.to(torch.float32 if ".lora_" in name else torch.bfloat16)
    layers = [part for part in policy.model.modules() if isinstance(part, LoraLayer)]
    seen: set[torch.dtype] = set()
    for layer in layers:
        layer.lora_A[POLICY].register_forward_pre_hook(
            lambda module, inputs: seen.add(inputs[0].dtype)
        )
    with torch.autocast("cpu", dtype=torch.bfloat16):
        values = score()
    assert seen == {torch.bfloat16}
    score()  # without autocast the adapter's own type is needed
    assert seen == {torch.bfloat16, torch.float32}
    for layer in layers:
        layer._forward_pre_hooks.clear()
        layer.cast_input_dtype_enabled = True
    with torch.autocast("cpu", dtype=torch.bfloat16):
        assert torch.equal(score(), values)


def test_which_adapter_is_active(make_policy: Any) -> None:
    policy = make_policy()
    policy.add_reference()
    assert policy.active == POLICY
    with policy.reference():
        assert policy.active == REFERENCE
    with policy.base():
        assert policy.active is None
    assert policy.active == POLICY
