"""One frozen base with up to two LoRA adapters on its language model: ``policy`` (trained) and ``reference`` (frozen).

The reference is the SFT adapter, of which the policy starts as a copy; without a warm-up (Only-RL) there is no such adapter
and the reference is the base itself. There is no second copy of the base and nothing is merged.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import torch
from peft import LoraConfig, get_peft_model, get_peft_model_state_dict, set_peft_model_state_dict
from peft.tuners.lora import LoraLayer
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor, nn

from mmie.errors import InputError
from mmie.files import disk_errors
from mmie.models.backbone import Backbone

POLICY, REFERENCE = "policy", "reference"
UNREADABLE = (OSError, ValueError, KeyError, SafetensorError)


def _usable_targets(backbone: Backbone, targets: str | None) -> str:
    if targets is None:
        return backbone.lora_targets
    linear = [name for name, part in backbone.model.named_modules() if isinstance(part, nn.Linear)]
    if not any(re.fullmatch(targets, name) for name in linear):
        example = next((name for name in linear if "language_model" in name), linear[0])
        reason = f"{targets!r} is the name of no linear layer; one is called {example}"
        raise InputError(f"lora.targets: {reason}")
    return targets


class AdaptedModel(nn.Module):
    """A backbone with its adapters.

    Args:
        backbone: the loaded checkpoint.
        rank: LoRA r.
        alpha: LoRA alpha.
        dropout: LoRA dropout, live in SFT training only.
        targets: the layers that get an adapter, as a regular expression over whole module names;
            None takes the backbone's own.

    Raises:
        InputError: no linear layer has such a name.
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

    @property
    def device(self) -> torch.device:
        return next(self.model.parameters()).device

    def trainable(self) -> list[nn.Parameter]:
        """The parameters an optimizer must hold: all of them in the ``policy`` adapter, never none."""
        named = [
            (name, value) for name, value in self.model.named_parameters() if value.requires_grad
        ]
        strangers = [name for name, _ in named if f".{POLICY}." not in name]
        if strangers or not named:
            raise RuntimeError(
                f"{len(named)} trainable parameters, outside the policy adapter: {strangers[:3]}"
            )
        return [value for _, value in named]

    def adapter_state(self, name: str = POLICY) -> dict[str, Tensor]:
        """The adapter's weights under PEFT's own names, on the CPU."""
        return {
            key: value.detach().cpu().clone()
            for key, value in get_peft_model_state_dict(self.model, adapter_name=name).items()
        }

    def load_adapter_state(self, state: dict[str, Tensor], name: str = POLICY) -> None:
        """Raises InputError where the weights are of another model or another rank."""
        wanted = {key: value.shape for key, value in self.adapter_state(name).items()}
        given = {key: value.shape for key, value in state.items()}
        if wanted != given:
            odd = sorted(set(wanted.items()) ^ set(given.items()))[0][0]
            raise InputError(
                f"the adapter does not fit this model (first at {odd}): it belongs to another checkpoint or lora.rank"
            )
        set_peft_model_state_dict(self.model, state, adapter_name=name)

    def add_reference(self) -> None:
        """Freezes a copy of the present policy adapter as ``reference``."""
        self.model.add_adapter(REFERENCE, self.lora)
        self.load_adapter_state(self.adapter_state(), REFERENCE)
        self._activate(POLICY)

    def remove_reference(self) -> None:
        """Back to one adapter; nothing happens where there is no reference."""
        if REFERENCE in self.model.peft_config:
            self.model.delete_adapter(REFERENCE)
            self._activate(POLICY)

    def read_adapter(self, folder: Path) -> None:
        """Loads a saved adapter into ``policy``; raises InputError where it is missing, broken or does not fit."""
        file, settings = folder / "adapter_model.safetensors", folder / "adapter_config.json"
        try:
            state, alpha = (
                load_file(file),
                json.loads(settings.read_text(encoding="utf-8"))["lora_alpha"],
            )
        except UNREADABLE as error:
            raise InputError(
                f"{folder}: no whole adapter there ({error}): run the training stage that writes it"
            ) from error
        if alpha != self.lora.lora_alpha:
            raise InputError(
                f"{settings}: the adapter was trained with lora.alpha={alpha}, not {self.lora.lora_alpha}: set it so"
            )
        self.load_adapter_state(state)

    def adapter_hash(self, name: str) -> str:
        digest = hashlib.sha256()
        for key, value in sorted(self.adapter_state(name).items()):
            digest.update(key.encode() + value.float().numpy().tobytes())
        return digest.hexdigest()

    def save_adapter(self, folder: Path) -> None:
        """Writes ``adapter_model.safetensors`` and ``adapter_config.json`` as PEFT reads them."""
        with disk_errors(folder, also=(SafetensorError,)):
            self.model.save_pretrained(str(folder), selected_adapters=[POLICY])
            nested = folder / POLICY
            for file in nested.iterdir():
                file.replace(folder / file.name)
            nested.rmdir()

    def save_merged(self, folder: Path) -> None:
        """Writes base plus policy adapter as one ordinary checkpoint folder; the policy itself is not touched."""
        base = self.model.get_base_model()
        weights = {
            name.replace(".base_layer.", "."): value
            for name, value in base.state_dict().items()
            if ".lora_" not in name
        }
        layers: dict[str, Any] = {
            name: layer for name, layer in base.named_modules() if isinstance(layer, LoraLayer)
        }
        for name, layer in layers.items():
            weight = layer.get_base_layer().weight.data
            weights[f"{name}.weight"] = (weight + layer.get_delta_weight(POLICY)).to(weight.dtype)
        with disk_errors(folder, also=(SafetensorError,)):
            self.backbone.model.save_pretrained(folder, state_dict=weights)
            self.backbone.tokenizer.save_pretrained(folder)
            self.backbone.processor.save_pretrained(folder)

    def _activate(self, name: str) -> None:
        """Switches the adapter that runs without touching what is trained: PEFT's own switch flips ``requires_grad``."""
        self.model.base_model.set_adapter(name, inference_mode=True)
        for key, value in self.model.named_parameters():
            value.requires_grad_(f".{POLICY}." in key)

    @contextlib.contextmanager
    def reference(self) -> Iterator[None]:
        """Inside, the model is π_ref: the reference adapter, or the bare base where there is none."""
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
        """Inside, all adapters are off."""
        layers = [module for module in self.model.modules() if isinstance(module, LoraLayer)]
        for layer in layers:
            layer._disable_adapters = True
        try:
            yield
        finally:
            for layer in layers:
                layer._disable_adapters = False
