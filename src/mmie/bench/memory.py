"""Simulates the memory that a configuration needs on each GPU, without weights and without a GPU.

    python -m mmie.bench memory --prompt 1024 --response 2048 [--json FILE] [overrides]

The passes of the real program run on fake tensors, which have shapes and no values, and every
storage that an operator makes is counted for as long as it lives. The overrides are those of
``run.py`` (``profile=paper memory=lean grpo.group_size=16``). Nothing is downloaded.

What it leaves out: what the CUDA context, NCCL and cuBLAS take for themselves (1 to 2 GiB), and
what the allocator cannot use because it lies in pieces.
"""

from __future__ import annotations

import weakref
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from typing import Any
from unittest.mock import patch

import torch
import transformers.masking_utils
from peft import LoraConfig, get_peft_model
from torch import Tensor, nn
from torch._subclasses.fake_tensor import FakeTensorMode
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

from mmie.models.architecture import architecture, empty_model
from mmie.models.batch import Completions, PromptBatch
from mmie.models.decode_cache import decode_cache
from mmie.models.rows import row_logps
from mmie.models.sampling import draw, next_logits
from mmie.models.shared_prefix import logps_of_parts, prefill

GIB = 2**30


class LiveBytes(TorchDispatchMode):
    """Counts the bytes of the storages that are alive, and the floating-point operations.

    Args:
        known: tensors that were there before and are not counted.

    Attributes:
        peak: the most bytes that were alive at once.
        flops: of all matrix products, two per multiplication and addition.
    """

    def __init__(self, known: list[Tensor]) -> None:
        super().__init__()
        self.now = self.peak = self.flops = 0
        self._seen = weakref.WeakKeyDictionary(
            {tensor.untyped_storage(): True for tensor in known}
        )

    def __torch_dispatch__(
        self, func: Any, types: Any, args: Any = (), kwargs: Any = None
    ) -> Any:
        out = func(*args, **(kwargs or {}))
        if func is torch.ops.aten.mm.default:
            self.flops += 2 * args[0].shape[0] * args[0].shape[1] * args[1].shape[1]
        for tensor in tree_leaves(out):
            if isinstance(tensor, Tensor):
                self._count(tensor.untyped_storage())
        return out

    def _count(self, storage: Any) -> None:
        if storage in self._seen:
            return
        self._seen[storage] = True
        size = storage.nbytes()
        self.now += size
        self.peak = max(self.peak, self.now)
        weakref.finalize(storage, self._drop, size)

    def _drop(self, size: int) -> None:
        self.now -= size


@dataclass(frozen=True)
class Load:
    """The work of one GPU.

    Attributes:
        prompt, response: tokens.
        group_size: G.
        sft_rows: demonstrations of one forward pass.
        decoded_prompts: prompts whose responses are decoded side by side.
        micro_prompts: prompts of one forward pass of the update.
        micro_responses: see ``mmie.models.shared_prefix``; as are the next two.
        recompute_layers, logits_chunk: see ``mmie.models.recompute``.
    """

    prompt: int
    response: int
    group_size: int
    sft_rows: int
    decoded_prompts: int
    micro_prompts: int
    micro_responses: int | None
    recompute_layers: bool
    logits_chunk: int | None


class Simulation:
    """The passes of training on fake tensors.

    Args:
        path: ``model.path``.
        rank, targets: of the LoRA adapters.
        load: the work.
        compute: what autocast computes in; None for no autocast.
        base: the dtype of the frozen base.
    """

    def __init__(
        self,
        path: str,
        load: Load,
        *,
        rank: int,
        targets: str,
        base: torch.dtype = torch.bfloat16,
        compute: torch.dtype | None = torch.bfloat16,
    ) -> None:
        self.load, self.compute = load, compute
        config = architecture(path)
        adapter = LoraConfig(r=rank, lora_alpha=rank, target_modules=targets, task_type="CAUSAL_LM")
        with torch.device("meta"):
            self.model: Any = get_peft_model(empty_model(config, dtype=base), adapter).eval()
        self.text_config = config.get_text_config()
        self.mode = FakeTensorMode(allow_non_fake_inputs=True)
        with self.mode:
            for module in self.model.modules():
                _fill(module)
        self.known = [*self.model.parameters(), *self.model.buffers()]

    @property
    def weight_bytes(self) -> int:
        """Base and both adapters; the frozen one is as large as the trained one."""
        own = sum(value.numel() * value.element_size() for value in self.model.parameters())
        return own + 4 * self.trained

    @property
    def trained(self) -> int:
        """Parameters of the trained adapter."""
        return sum(value.numel() for value in self.model.parameters() if value.requires_grad)

    def sft(self) -> LiveBytes:
        """Forward and backward pass of one micro-batch of demonstrations."""
        rows = self.load.sft_rows
        prompts, responses = self._prompts(rows), self._responses(rows)
        score = partial(
            row_logps,
            self.model,
            prompts,
            responses,
            recompute_layers=self.load.recompute_layers,
            logits_chunk=self.load.logits_chunk,
        )
        with self._counting() as live:
            self._differentiate(score)
        return live

    def rollout(self) -> LiveBytes:
        """Prefill and the last decoding step, when the cache is full."""
        count = self.load.decoded_prompts
        rows = count * self.load.group_size
        prompts = self._prompts(count)
        with self.mode:
            owners = torch.zeros(rows, dtype=torch.long)
            mask = torch.ones(rows, self.load.prompt + self.load.response, dtype=torch.long)
            position = torch.zeros(len(prompts.positions), rows, 1, dtype=torch.long)
            uniforms = torch.zeros(rows, dtype=torch.float64)
        with self._counting() as live, torch.no_grad(), self._autocast():
            cache, first = prefill(self.model, prompts)
            full = decode_cache(
                cache, owners, self.text_config, room=self.load.response
            )
            del cache
            for layer in full.layers:
                layer.skip(self.load.response - 1)
            drawn, _ = draw(first[owners], uniforms, temperature=1.0, suppressed=[])
            logits = next_logits(self.model, drawn, mask, position, full)
            draw(logits, uniforms, temperature=1.0, suppressed=[])
        return live

    def reference(self) -> LiveBytes:
        """The log-probabilities of the reference, without gradient."""
        score = self._score()
        with self._counting() as live, torch.no_grad(), self._autocast():
            score()
        return live

    def update(self) -> LiveBytes:
        """The log-probabilities of the policy and their gradient."""
        score = self._score()
        with self._counting() as live:
            self._differentiate(score)
        return live

    def _score(self) -> Callable[[], Tensor]:
        load = self.load
        rows = load.micro_prompts * load.group_size
        width = load.micro_responses or rows
        parts = [
            (torch.arange(start, min(start + width, rows)), load.response)
            for start in range(0, rows, width)
        ]
        return partial(
            logps_of_parts,
            self.model,
            self._prompts(load.micro_prompts),
            self._responses(rows),
            parts,
            temperature=1.0,
            recompute_parts=load.micro_responses is not None and not load.recompute_layers,
            recompute_layers=load.recompute_layers,
            logits_chunk=load.logits_chunk,
        )

    def _differentiate(self, score: Callable[[], Tensor]) -> None:
        with self._autocast():
            values = score()
        values.sum().backward()
        for parameter in self.model.parameters():
            parameter.grad = None  # gradients are counted with the optimizer

    def _prompts(self, count: int) -> PromptBatch:
        length = self.load.prompt
        channels = 3 if "mrope_section" in str(self.text_config.to_dict()) else 1
        hidden = self.text_config.hidden_size
        with self.mode:
            return PromptBatch(
                ids=torch.zeros(count, length, dtype=torch.long),
                mask=torch.ones(count, length, dtype=torch.bool),
                positions=torch.zeros(channels, count, length, dtype=torch.long),
                next_position=torch.zeros(count, dtype=torch.long),
                features=torch.empty(0, hidden),
                image_lengths=[0] * count,
            )

    def _responses(self, rows: int) -> Completions:
        length = self.load.response
        with self.mode:
            return Completions(
                tokens=torch.zeros(rows, length, dtype=torch.long),
                mask=torch.ones(rows, length, dtype=torch.bool),
                logps=torch.zeros(rows, length),
                finished=torch.ones(rows, dtype=torch.bool),
            )

    def _autocast(self) -> Any:
        enabled = self.compute is not None
        return torch.autocast("cpu", dtype=self.compute or torch.bfloat16, enabled=enabled)

    @contextmanager
    def _counting(self) -> Iterator[LiveBytes]:
        # transformers looks at the values of a mask to see whether it can be left out, and fake
        # tensors have no values. With the mask in place the kernels are those of padded batches.
        keep_mask = patch.object(
            transformers.masking_utils, "_ignore_causal_mask_sdpa", lambda *args, **kwargs: False
        )
        with keep_mask, self.mode, LiveBytes(self.known) as live:
            yield live


def _fill(module: nn.Module) -> None:
    """Fake weights for those on the meta device, which autograd would refuse."""
    for name, value in [*module.named_parameters(recurse=False)]:
        fake = torch.empty(value.shape, dtype=value.dtype)
        setattr(module, name, nn.Parameter(fake, requires_grad=value.requires_grad))
    for name, value in [*module.named_buffers(recurse=False)]:
        module.register_buffer(name, torch.empty(value.shape, dtype=value.dtype))
