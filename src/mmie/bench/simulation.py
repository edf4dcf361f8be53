"""The passes of training on fake tensors, which have shapes and no values."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass, replace
from functools import partial
from typing import Any
from unittest.mock import patch

import torch
import transformers.masking_utils
from peft import LoraConfig, get_peft_model
from torch import Tensor, nn
from torch._subclasses.fake_tensor import FakeTensorMode
from transformers import Cache

from mmie.bench.meters import LiveBytes, Peak, ProcessPeak
from mmie.models.architecture import architecture, empty_model
from mmie.models.batch import Completions, PromptBatch
from mmie.models.decode_cache import PreallocatedLayer
from mmie.models.decoding import RunningRows
from mmie.models.rows import row_logps
from mmie.models.sampling import draw
from mmie.models.shared_prefix import logps_of_parts, prefill
from mmie.settings import MemoryConfig


@dataclass(frozen=True)
class Load:
    """The work of one GPU.

    Attributes:
        prompt, response: tokens.
        group_size: G.
        sft_rows: demonstrations of one forward pass.
        rollout_prompts: prompts of one rollout.
        side_by_side: responses that are decoded at once.
        micro_prompts: prompts of one forward pass of the update.
        memory: what a pass holds at once.
    """

    prompt: int
    response: int
    group_size: int
    sft_rows: int
    rollout_prompts: int
    side_by_side: int
    micro_prompts: int
    memory: MemoryConfig


class Simulation:
    """The passes of training on fake tensors.

    Args:
        path: ``model.path``.
        load: the work.
        rank, targets: of the LoRA adapters.
        attention: an attention implementation that needs no GPU: sdpa or eager.
        base: the dtype of the frozen base.
        compute: what autocast computes in; None for no autocast.
        real: use real tensors instead of fake ones, to compare with what a process takes.
    """

    def __init__(
        self,
        path: str,
        load: Load,
        *,
        rank: int,
        targets: str,
        attention: str = "sdpa",
        base: torch.dtype = torch.bfloat16,
        compute: torch.dtype | None = torch.bfloat16,
        real: bool = False,
    ) -> None:
        self.load, self.compute = load, compute
        config = architecture(path)
        config._attn_implementation = attention
        adapter = LoraConfig(r=rank, lora_alpha=rank, target_modules=targets, task_type="CAUSAL_LM")
        with torch.device("meta"):
            self.model: Any = get_peft_model(empty_model(config, dtype=base), adapter).eval()
        self.text_config = config.get_text_config()
        self.real = real
        self.mode: Any = nullcontext() if real else FakeTensorMode(allow_non_fake_inputs=True)
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

    def sft(self) -> Peak:
        """Forward and backward pass of one micro-batch of demonstrations."""
        rows = self.load.sft_rows
        prompts, responses = self._prompts(rows), self._responses(rows)
        score = partial(row_logps, self.model, prompts, responses, memory=self.load.memory)
        with self._counting() as live:
            self._differentiate(score)
        return live

    def rollout(self) -> Peak:
        """Prefill, then the last decoding step, when the cache is full."""
        load, prompts = self.load, self._prompts(self.load.rollout_prompts)
        rows, length = load.side_by_side, load.prompt + load.response
        in_parts = rows < load.rollout_prompts * load.group_size
        with self.mode:
            # A response's last step sees what a prompt of the whole length would have left.
            seen = replace(
                prompts,
                mask=torch.ones(rows, length - 1, dtype=torch.bool),
                next_position=torch.zeros(rows, dtype=torch.long),
            )
            owners = torch.arange(rows)
            tokens = torch.zeros(rows, dtype=torch.long)
            uniforms = torch.zeros(rows, dtype=torch.float64)
        with self._counting() as live, torch.no_grad(), self._autocast():
            prompt_cache, _ = prefill(self.model, prompts)
            cache = self._full_cache(prompt_cache, rows, length - 1)
            if not in_parts:
                del prompt_cache  # as ``sample`` does before its last part
            running = RunningRows(self.model, seen, owners, cache, limit=1)
            logits = running.next_logits(tokens, load.response - 1)
            draw(logits, uniforms, temperature=1.0, suppressed=owners[:0])
        return live

    def _full_cache(self, prompts: Cache, rows: int, length: int) -> Cache:
        """What ``decode_cache`` has grown to before the last step."""
        prompt_layers: list[Any] = prompts.layers
        layers: list[Any] = []
        for layer in prompt_layers:
            _, heads, _, size = layer.keys.shape
            states = layer.keys.new_empty(rows, heads, length, size)
            layers.append(PreallocatedLayer(states, states))
        return Cache(layers=layers)

    def reference(self) -> Peak:
        """The log-probabilities of the reference, without gradient."""
        score = self._score()
        with self._counting() as live, torch.no_grad(), self._autocast():
            score()
        return live

    def update(self) -> Peak:
        """The log-probabilities of the policy and their gradient."""
        score = self._score()
        with self._counting() as live:
            self._differentiate(score)
        return live

    def _score(self) -> Callable[[], Tensor]:
        load = self.load
        rows = load.micro_prompts * load.group_size
        width = load.memory.micro_responses or rows
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
            memory=load.memory,
        )

    def _differentiate(self, score: Callable[[], Tensor]) -> None:
        with self._autocast():
            values = score()
        values.sum().backward()
        for parameter in self.model.parameters():
            parameter.grad = None  # gradients are counted with the optimizer

    def _prompts(self, count: int) -> PromptBatch:
        length = self.load.prompt
        # Qwen2.5-VL alone has 3-D rotary positions, and settings of them.
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
    def _counting(self) -> Iterator[Peak]:
        # transformers looks at the values of a mask to see whether it can be left out, and fake
        # tensors have no values. With the mask in place the kernels are those of padded batches.
        keep_mask = patch.object(
            transformers.masking_utils, "_ignore_causal_mask_sdpa", lambda *args, **kwargs: False
        )
        meter: Any = ProcessPeak() if self.real else LiveBytes(self.known)
        with keep_mask, self.mode, meter:
            yield meter


def _fill(module: nn.Module) -> None:
    """Replaces weights on the meta device, which autograd refuses, by others of the same shape."""
    for name, value in [*module.named_parameters(recurse=False)]:
        weights = torch.empty(value.shape, dtype=value.dtype).fill_(0.01)
        module.register_parameter(name, nn.Parameter(weights, requires_grad=value.requires_grad))
    for buffer, tensor in [*module.named_buffers(recurse=False)]:
        module.register_buffer(buffer, torch.ones(tensor.shape, dtype=tensor.dtype))
