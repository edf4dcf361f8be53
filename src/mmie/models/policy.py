"""The policy: one frozen base with up to two LoRA adapters on its language model, ``policy`` (trained) and ``reference`` (frozen).

The reference is the SFT adapter, of which the policy starts as a copy; without a warm-up (Only-RL) there is no such adapter
and the reference is the base itself. There is no second copy of the base and nothing is merged.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import torch
from peft import LoraConfig, get_peft_model, get_peft_model_state_dict, set_peft_model_state_dict
from peft.tuners.lora import LoraLayer
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor, nn

from mmie.data.pictures import open_picture
from mmie.errors import InputError
from mmie.models.backbone import Backbone, Prompt
from mmie.models.batch import Completions, PromptBatch, pad_completions, pad_prompts
from mmie.models.rows import row_logps
from mmie.models.sampling import sample
from mmie.models.shared_prefix import completion_logps
from mmie.models.vision_cache import VisionCache
from mmie.types import Picture

POLICY, REFERENCE = "policy", "reference"
UNREADABLE = (OSError, ValueError, KeyError, SafetensorError)


class Policy(nn.Module):
    """Encodes, samples and scores with a backbone and its adapters.

    Args:
        backbone: the loaded checkpoint.
        rank: LoRA r.
        alpha: LoRA alpha.
        dropout: LoRA dropout, live in SFT training only.
        max_pixels: bound of a picture's area before it reaches the image processor.
    """

    def __init__(self, backbone: Backbone, *, rank: int, alpha: int, dropout: float = 0.0, max_pixels: int = 1 << 22) -> None:
        super().__init__()
        self.backbone = backbone
        self.max_pixels = max_pixels
        self.lora = LoraConfig(
            r=rank, lora_alpha=alpha, lora_dropout=dropout, target_modules=backbone.lora_targets, task_type="CAUSAL_LM"
        )
        self.model: Any = get_peft_model(backbone.model, self.lora, adapter_name=POLICY)
        self._cache = VisionCache()
        self._prompts: dict[tuple[str | Path | None, ...], tuple[Tensor, Tensor]] = {}

    @property
    def device(self) -> torch.device:
        return next(self.model.parameters()).device

    @property
    def pad_id(self) -> int:
        return int(self.backbone.tokenizer.pad_token_id)

    @property
    def eos_ids(self) -> list[int]:
        """Every id that ends a response: all of the generation config's and the tokenizer's own."""
        listed = self.backbone.model.generation_config.eos_token_id
        listed = [] if listed is None else listed if isinstance(listed, list) else [listed]
        return sorted({*listed, int(self.backbone.tokenizer.eos_token_id)})

    @property
    def suppressed(self) -> list[int]:
        """Ids that are never sampled: image and video markers, and the padding token unless it ends a response."""
        return sorted({*self.backbone.marker_ids, self.pad_id} - set(self.eos_ids))

    # Adapters

    def trainable(self) -> list[nn.Parameter]:
        """The parameters an optimizer must hold: all of them in the ``policy`` adapter, never none."""
        named = [(name, value) for name, value in self.model.named_parameters() if value.requires_grad]
        strangers = [name for name, _ in named if f".{POLICY}." not in name]
        if strangers or not named:
            raise RuntimeError(f"{len(named)} trainable parameters, outside the policy adapter: {strangers[:3]}")
        return [value for _, value in named]

    def adapter_state(self, name: str = POLICY) -> dict[str, Tensor]:
        """The adapter's weights under PEFT's own names, on the CPU."""
        return {key: value.detach().cpu().clone() for key, value in get_peft_model_state_dict(self.model, adapter_name=name).items()}

    def load_adapter_state(self, state: dict[str, Tensor], name: str = POLICY) -> None:
        """Raises InputError where the weights are of another model or another rank."""
        wanted = {key: value.shape for key, value in self.adapter_state(name).items()}
        given = {key: value.shape for key, value in state.items()}
        if wanted != given:
            odd = sorted(set(wanted.items()) ^ set(given.items()))[0][0]
            raise InputError(f"the adapter does not fit this model (first at {odd}): it belongs to another checkpoint or lora.rank")
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
            state, alpha = load_file(file), json.loads(settings.read_text(encoding="utf-8"))["lora_alpha"]
        except UNREADABLE as error:
            raise InputError(f"{folder}: no whole adapter there ({error}): run the training stage that writes it") from error
        if alpha != self.lora.lora_alpha:
            raise InputError(f"{settings}: the adapter was trained with lora.alpha={alpha}, not {self.lora.lora_alpha}: set it so")
        self.load_adapter_state(state)

    def adapter_hash(self, name: str) -> str:
        digest = hashlib.sha256()
        for key, value in sorted(self.adapter_state(name).items()):
            digest.update(key.encode() + value.float().numpy().tobytes())
        return digest.hexdigest()

    def save_adapter(self, folder: Path) -> None:
        """Writes ``adapter_model.safetensors`` and ``adapter_config.json`` as PEFT reads them."""
        self.model.save_pretrained(str(folder), selected_adapters=[POLICY])
        nested = folder / POLICY
        for file in nested.iterdir():
            file.replace(folder / file.name)
        nested.rmdir()

    def save_merged(self, folder: Path) -> None:
        """Writes base plus policy adapter as one ordinary checkpoint folder; the policy itself is not touched."""
        base = self.model.get_base_model()
        weights = {name.replace(".base_layer.", "."): value for name, value in base.state_dict().items() if ".lora_" not in name}
        layers: dict[str, Any] = {name: layer for name, layer in base.named_modules() if isinstance(layer, LoraLayer)}
        for name, layer in layers.items():
            weight = layer.get_base_layer().weight.data
            weights[f"{name}.weight"] = (weight + layer.get_delta_weight(POLICY)).to(weight.dtype)
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

    # Inputs

    def encode(self, text: str, pictures: Sequence[Picture]) -> Prompt:
        """The prompt with its pictures' features; tokens and positions are kept, features as long as the cache holds them."""
        key = (text, *(picture.path for picture in pictures))
        features = [self.features(picture) for picture in pictures]
        if key not in self._prompts:
            images = [open_picture(picture, max_pixels=self.max_pixels) for picture in pictures]
            encoded = self.backbone.encode(text, images, features)
            self._prompts[key] = (encoded.ids, encoded.positions)
        hidden = self.backbone.model.config.text_config.hidden_size
        return Prompt(*self._prompts[key], torch.cat([torch.empty(0, hidden, device=self.device), *features]))

    def features(self, picture: Picture) -> Tensor:
        """The frozen vision tower's output for one picture, [image tokens, hidden size]."""
        return self._cache(picture.path, lambda: self.backbone.vision_features(open_picture(picture, max_pixels=self.max_pixels)))

    def batch(self, prompts: Sequence[Prompt]) -> PromptBatch:
        return pad_prompts(prompts, pad_id=self.pad_id, device=self.device)

    def response_ids(self, response: str) -> list[int]:
        """Tokens of a response to learn, the turn's end included."""
        ids = self.backbone.tokenizer(response, add_special_tokens=False)["input_ids"]
        return [*ids, int(self.backbone.tokenizer.eos_token_id)]

    def given(self, responses: Sequence[Sequence[int]]) -> Completions:
        return pad_completions(responses, pad_id=self.pad_id, device=self.device)

    def text(self, completions: Completions) -> list[str]:
        """The responses as text, without special tokens."""
        rows = [tokens[mask].tolist() for tokens, mask in zip(completions.tokens.cpu(), completions.mask.cpu(), strict=True)]
        return self.backbone.tokenizer.batch_decode(rows, skip_special_tokens=True, clean_up_tokenization_spaces=False)

    # The three passes

    def sample(self, prompts: PromptBatch, uniforms: Tensor, *, temperature: float) -> Completions:
        """G responses a prompt from the active adapter, in eval mode (no dropout); ``uniforms`` [N, T] as in ``sampling.sample``."""
        with self.evaluating():
            return sample(
                self.model, prompts, uniforms, temperature=temperature,
                suppressed=self.suppressed, eos_ids=self.eos_ids, pad_id=self.pad_id,
            )  # fmt: skip

    def logps(self, prompts: PromptBatch, completions: Completions, *, temperature: float) -> Tensor:
        """Per-token log-probabilities [N, T] with each prompt computed once."""
        return completion_logps(self.model, prompts, completions, temperature=temperature)

    def row_logps(self, prompts: PromptBatch, completions: Completions) -> Tensor:
        """The same from plain rows; works with gradient checkpointing."""
        return row_logps(self.model, prompts, completions)

    @contextlib.contextmanager
    def evaluating(self) -> Iterator[None]:
        """Eval mode for rollout and reference, whatever the mode before."""
        before = self.training
        self.eval()
        try:
            yield
        finally:
            self.train(before)


def build_policy(backbone: Any, *, rank: int, alpha: int, dropout: float, seed: int) -> Policy:
    """A policy whose fresh adapter depends on the seed alone."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return Policy(backbone, rank=rank, alpha=alpha, dropout=dropout)
