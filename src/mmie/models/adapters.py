"""One frozen base with up to two LoRA adapters: ``policy`` (trained) and ``reference`` (frozen).

The reference is the SFT adapter, and the policy starts as its copy. Without a warm-up (Only-RL)
there is no such adapter, and the reference is the base itself. So π and π_ref share one base in
memory, and nothing is ever merged into it during training.
"""

from __future__ import annotations

import contextlib
import json
import re
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import torch
from peft import LoraConfig, get_peft_model, get_peft_model_state_dict, set_peft_model_state_dict
from peft.tuners.lora import LoraLayer
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor, nn
from torch.nn.functional import linear

from mmie.errors import InputError
from mmie.files import disk_errors, give_usual_modes
from mmie.models.backbone import Backbone

POLICY, REFERENCE = "policy", "reference"
BLANK_CARD = "README.md"  # of PEFT, with the headings of a model card and nothing below them
UNREADABLE = (OSError, ValueError, KeyError, SafetensorError)


class AdaptedModel(nn.Module):
    """A backbone with its adapters.

    Args:
        backbone: the loaded checkpoint.
        rank: LoRA r.
        alpha: LoRA alpha.
        dropout: LoRA dropout, active in SFT training only.
        targets: which layers get an adapter, as a regular expression that matches whole module
            names; None takes the backbone's own.

    Raises:
        InputError: no linear layer matches ``targets``.
    """

    def __init__(
        self,
        backbone: Backbone,
        *,
        rank: int,
        alpha: int,
        dropout: float = 0.0,
        targets: str | None = None,
    ) -> None:
        super().__init__()
        self.backbone = backbone
        self.lora = LoraConfig(
            r=rank,
            lora_alpha=alpha,
            lora_dropout=dropout,
            target_modules=_usable_targets(backbone, targets),
            task_type="CAUSAL_LM",
        )
        self.model: Any = get_peft_model(backbone.model, self.lora, adapter_name=POLICY)
        for layer in self._adapted_layers():
            layer.register_forward_pre_hook(_leave_casts_to_autocast)

    @property
    def device(self) -> torch.device:
        return next(self.model.parameters()).device

    @property
    def active(self) -> str | None:
        """The adapter that runs; None for the bare base."""
        layer = self._adapted_layers()[0]
        return None if layer.disable_adapters else str(layer.active_adapters[0])

    def trainable(self) -> list[nn.Parameter]:
        """The parameters for the optimizer.

        Raises:
            RuntimeError: there are none, or some lie outside the ``policy`` adapter.
        """
        named = self.model.named_parameters()
        trained = {name: value for name, value in named if value.requires_grad}
        outside = [name for name in trained if f".{POLICY}." not in name]
        if outside or not trained:
            raise RuntimeError(
                f"{len(trained)} trainable parameters, outside the policy adapter: {outside[:3]}"
            )
        return list(trained.values())

    def adapter_state(self, name: str = POLICY) -> dict[str, Tensor]:
        """A copy of the adapter's weights under PEFT's own names, on the CPU."""
        state = get_peft_model_state_dict(self.model, adapter_name=name)
        return {key: value.detach().cpu().clone() for key, value in state.items()}

    def load_adapter_state(self, state: dict[str, Tensor], name: str = POLICY) -> None:
        """Sets the adapter's weights.

        Raises:
            InputError: they belong to another model or another rank.
        """
        expected = {key: value.shape for key, value in self.adapter_state(name).items()}
        given = {key: value.shape for key, value in state.items()}
        if expected != given:
            first = sorted(set(expected.items()) ^ set(given.items()))[0][0]
            raise InputError(
                f"the adapter does not fit this model (first at {first}): "
                "it belongs to another checkpoint or lora.rank"
            )
        set_peft_model_state_dict(self.model, state, adapter_name=name)

    def add_reference(self) -> None:
        """Freezes a copy of the current policy adapter as ``reference``."""
        self.model.add_adapter(REFERENCE, self.lora)
        self.load_adapter_state(self.adapter_state(), REFERENCE)
        self._activate(POLICY)

    def remove_reference(self) -> None:
        """Removes the reference adapter, if there is one."""
        if REFERENCE in self.model.peft_config:
            self.model.delete_adapter(REFERENCE)
            self._activate(POLICY)

    def read_adapter(self, folder: Path) -> None:
        """Loads a saved adapter into ``policy``.

        Raises:
            InputError: it is missing, damaged, or does not fit this model.
        """
        settings = {"rank": self.lora.r, "alpha": self.lora.lora_alpha}
        self.load_adapter_state(read_saved_adapter(folder, **settings))

    def save_adapter(self, folder: Path) -> None:
        """Writes ``adapter_model.safetensors`` and ``adapter_config.json`` as PEFT reads them.

        Raises:
            InputError: the folder cannot be written.
        """
        with disk_errors(folder, also=(SafetensorError,)):
            self.model.save_pretrained(str(folder), selected_adapters=[POLICY])
            nested = folder / POLICY  # PEFT makes a folder for every adapter not called "default"
            for file in nested.iterdir():
                file.replace(folder / file.name)
            nested.rmdir()
            (folder / BLANK_CARD).unlink(missing_ok=True)
            give_usual_modes(folder)

    @torch.no_grad()
    def merged_weights(self) -> dict[str, Tensor]:
        """The base's weights under their own names, with the policy adapter added."""
        base = self.model.get_base_model()
        weights: dict[str, Tensor] = {}
        for name, value in base.state_dict().items():
            if ".lora_" not in name:
                weights[name.replace(".base_layer.", ".")] = value
        for name, module in base.named_modules():
            if isinstance(module, LoraLayer):
                weights[f"{name}.weight"] = _weight_with(module, [POLICY])
        return weights

    def _adapted_layers(self) -> list[Any]:
        return [layer for layer in self.model.modules() if isinstance(layer, LoraLayer)]

    def _activate(self, name: str) -> None:
        """Chooses the adapter that runs.

        PEFT also decides with this switch what is trained. Here the policy always is, and nothing
        else, whichever adapter runs.
        """
        self.model.base_model.set_adapter(name, inference_mode=True)
        self._train_policy_only()

    def _train_policy_only(self) -> None:
        for key, value in self.model.named_parameters():
            value.requires_grad_(f".{POLICY}." in key)

    @contextlib.contextmanager
    def reference(self) -> Iterator[None]:
        """Inside the ``with`` block the model is π_ref: the reference adapter or the bare base."""
        if REFERENCE not in self.model.peft_config:
            with self.base():
                yield
            return
        self._activate(REFERENCE)
        try:
            yield
        finally:
            self._activate(POLICY)

    @contextlib.contextmanager
    def base(self) -> Iterator[None]:
        """Inside the ``with`` block all adapters are off."""
        try:
            with self.model.disable_adapter():
                yield
        finally:
            self._train_policy_only()  # PEFT has changed ``requires_grad``, see ``_activate``

    @contextlib.contextmanager
    def merged(self) -> Iterator[None]:
        """Inside the ``with`` block each adapted layer is one matrix product instead of three.

        The adapter that runs is added to a copy of the layer's weights. Decoding passes one token
        per row through every layer, so the number of products is what it costs. No gradient
        reaches the adapter.

        What computes in bfloat16 stays as it is: its weights have three significant digits, and
        rounding the sum to them would lose most of what the adapter has learned.
        """
        computes_in_float32 = not torch.is_autocast_enabled(self.device.type)
        single: list[Any] = []
        if computes_in_float32:
            single = [layer for layer in self._adapted_layers() if _in_float32(layer)]
        for layer in single:
            layer.forward = _as_one_product(layer)
        try:
            yield
        finally:
            for layer in single:
                del layer.forward  # the class's method again


def _leave_casts_to_autocast(layer: Any, inputs: tuple[Tensor, ...]) -> None:
    """Keeps a layer from casting its input where autocast does so itself.

    PEFT casts it to float32, the type of the adapter, and autocast casts it back to bfloat16. The
    values are the same without the detour, which took a fifth of an update.
    """
    layer.cast_input_dtype_enabled = not torch.is_autocast_enabled(inputs[0].device.type)


def _in_float32(layer: Any) -> bool:
    return layer.get_base_layer().weight.dtype == torch.float32


@torch.no_grad()
def _as_one_product(layer: Any) -> Callable[[Tensor], Tensor]:
    """The layer's forward pass with the adapters that run added to its weight."""
    adapters = [] if layer.disable_adapters else layer.active_adapters
    weight = _weight_with(layer, adapters)
    return partial(linear, weight=weight, bias=layer.get_base_layer().bias)


def _weight_with(layer: Any, adapters: Sequence[str]) -> Tensor:
    """The layer's weight with the given adapters added, in the precision of the weight."""
    weight: Tensor = layer.get_base_layer().weight
    merged = weight
    for adapter in adapters:
        merged = merged + layer.get_delta_weight(adapter)
    return merged.to(weight.dtype)


def _usable_targets(backbone: Backbone, targets: str | None) -> str:
    """``targets`` if it matches a linear layer; None stands for the backbone's own."""
    if targets is None:
        return backbone.lora_targets
    linear = [name for name, part in backbone.model.named_modules() if isinstance(part, nn.Linear)]
    if not any(re.fullmatch(targets, name) for name in linear):
        example = next((name for name in linear if "language_model" in name), linear[0])
        raise InputError(
            f"lora.targets: {targets!r} is the name of no linear layer; one is called {example}"
        )
    return targets


def read_saved_adapter(folder: Path, *, rank: int, alpha: int) -> dict[str, Tensor]:
    """The weights of a saved adapter.

    Raises:
        InputError: it is missing or damaged, or was trained with another ``lora.rank`` or
            ``lora.alpha``.
    """
    settings = folder / "adapter_config.json"
    try:
        state: dict[str, Tensor] = load_file(folder / "adapter_model.safetensors")
        saved = json.loads(settings.read_text(encoding="utf-8"))
        trained_with = {"rank": saved["r"], "alpha": saved["lora_alpha"]}
    except UNREADABLE as error:
        remedy = "run the training stage that writes it"
        if (folder / "adapter" / settings.name).is_file():
            remedy = f"name {folder / 'adapter'}"  # an export or a stage, which holds it
        raise InputError(f"{folder}: no whole adapter there ({error}): {remedy}") from error
    for name, value in {"rank": rank, "alpha": alpha}.items():
        theirs = f"lora.{name}={trained_with[name]}"
        if trained_with[name] != value:
            raise InputError(
                f"{settings}: the adapter was trained with {theirs}, not {value}: set {theirs}"
            )
    return state
