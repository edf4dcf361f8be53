"""Simulates the memory that a configuration needs on each GPU, without weights and without a GPU.

    python -m mmie.bench memory --prompt 1024 --response 2048 [--json FILE] [overrides]

The passes of the real program run on fake tensors, which have shapes and no values, and every
storage that an operator makes is counted for as long as it lives. The overrides are those of
``run.py`` (``profile=paper memory=lean grpo.group_size=16``). Nothing is downloaded.

``--measure`` runs the same passes on real tensors instead and reports how much the process grows.
It needs a checkpoint folder with a ``config.json`` that fits this machine, and Linux.

What it leaves out: what the CUDA context, NCCL and cuBLAS take for themselves (1 to 2 GiB), and
what the allocator cannot use because it lies in pieces.
"""

from __future__ import annotations

import argparse
import ctypes
import weakref
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any, Protocol
from unittest.mock import patch

import torch
import transformers.masking_utils
from peft import LoraConfig, get_peft_model
from rich.table import Table
from torch import Tensor, nn
from torch._subclasses.fake_tensor import FakeTensorMode
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves
from transformers import DynamicCache

from mmie.checks import locate
from mmie.config import RunConfig, shipped
from mmie.display import terminal
from mmie.errors import InputError
from mmie.files import write_json
from mmie.models.architecture import architecture, empty_model
from mmie.models.backbone import DTYPES
from mmie.models.batch import Completions, PromptBatch
from mmie.models.decode_cache import PreallocatedLayer
from mmie.models.rows import row_logps
from mmie.models.sampling import RunningRows, draw
from mmie.models.shared_prefix import logps_of_parts, prefill
from mmie.settings import MemoryConfig, TrainerConfig

GIB = 2**30
M_TRIM_THRESHOLD, M_MMAP_THRESHOLD = -1, -3  # of mallopt(3)
COMPUTE = {"32-true": None, "bf16-mixed": torch.bfloat16, "16-mixed": torch.float16}


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
        self._seen = weakref.WeakKeyDictionary({tensor.untyped_storage(): True for tensor in known})

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
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


class Peak(Protocol):
    """``peak`` is the most bytes at once, on top of the weights."""

    peak: int


@dataclass(frozen=True)
class Load:
    """The work of one GPU.

    Attributes:
        prompt, response: tokens.
        group_size: G.
        sft_rows: demonstrations of one forward pass.
        decoded_prompts: prompts whose responses are decoded side by side.
        micro_prompts: prompts of one forward pass of the update.
        memory: what a pass holds at once.
    """

    prompt: int
    response: int
    group_size: int
    sft_rows: int
    decoded_prompts: int
    micro_prompts: int
    memory: MemoryConfig


class ProcessPeak:
    """How far the process grows inside the ``with`` block; Linux tells it.

    Attributes:
        peak: bytes.
    """

    def __init__(self) -> None:
        # Tensors of 64 KiB and more get pages of their own, which go back to the system when they
        # are freed. Otherwise the C library keeps them, and the process never shrinks.
        libc = ctypes.CDLL(None)
        libc.mallopt(M_MMAP_THRESHOLD, 1 << 16)
        libc.mallopt(M_TRIM_THRESHOLD, 1 << 16)

    def __enter__(self) -> ProcessPeak:
        Path("/proc/self/clear_refs").write_text("5", encoding="ascii")  # resets VmHWM
        self._before = self._status("VmRSS")
        return self

    def __exit__(self, *error: object) -> None:
        self.peak = self._status("VmHWM") - self._before

    @staticmethod
    def _status(name: str) -> int:
        status = Path("/proc/self/status").read_text(encoding="ascii")
        line = next(line for line in status.splitlines() if line.startswith(f"{name}:"))
        return int(line.split()[1]) * 1024


class Simulation:
    """The passes of training on fake tensors.

    Args:
        path: ``model.path``.
        rank, targets: of the LoRA adapters.
        load: the work.
        compute: what autocast computes in; None for no autocast.
        base: the dtype of the frozen base.
        real: real tensors instead of fake ones, for the comparison with what a process takes.
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
        real: bool = False,
    ) -> None:
        self.load, self.compute = load, compute
        config = architecture(path)
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
        load, prompts = self.load, self._prompts(self.load.decoded_prompts)
        rows, length = load.decoded_prompts * load.group_size, load.prompt + load.response
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
            cache, _ = prefill(self.model, prompts)
            cache = self._full_cache(cache, rows, length - 1)
            running = RunningRows(self.model, seen, owners, cache)
            logits = running.next_logits(tokens, load.response - 1)
            draw(logits, uniforms, temperature=1.0, suppressed=[])
        return live

    def _full_cache(self, prompts: DynamicCache, rows: int, length: int) -> DynamicCache:
        """What ``decode_cache`` has grown to before the last step."""
        full = DynamicCache(config=self.text_config)
        layers: list[Any] = prompts.layers
        full.layers = []
        for layer in layers:
            _, heads, _, size = layer.keys.shape
            states = layer.keys.new_empty(rows, heads, length, size)
            full.layers.append(PreallocatedLayer(states, states))
        return full

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


def simulate(
    config: RunConfig, *, prompt: int, response: int, measure: bool = False
) -> dict[str, Any]:
    """GiB per GPU of one composed configuration.

    Args:
        config: what ``run.py`` would run.
        prompt, response: tokens.
        measure: run the passes on real tensors.

    Returns:
        ``weights_gib`` (base and both adapters), ``optimizer_gib`` (gradients and AdamW's moments
        of the trained adapter), what ``sft``, ``rollout``, ``reference`` and ``update`` need on top
        of both, and ``peak_gib``, the sum with the largest of the four.

    Raises:
        InputError: the configuration trains nothing.
    """
    if config.sft is None and config.grpo is None:
        raise InputError("sft, grpo: both are none, so there is nothing to simulate")
    backbone = locate("model._target_", config.model["_target_"])
    simulation = Simulation(
        config.model["path"],
        _load(config, prompt, response),
        rank=config.lora.rank,
        targets=config.lora.targets or backbone.lora_targets,
        base=DTYPES[config.model.get("dtype", "float32")],
        compute=COMPUTE[config.trainer.precision],
        real=measure,
    )
    passes = {}
    if config.sft is not None:
        passes["sft_gib"] = simulation.sft().peak / GIB
    if config.grpo is not None:
        passes["rollout_gib"] = simulation.rollout().peak / GIB
        passes["reference_gib"] = simulation.reference().peak / GIB
        passes["update_gib"] = simulation.update().peak / GIB
    weights = simulation.weight_bytes / GIB
    optimizer = optimizer_bytes(simulation.trained, config.trainer) / GIB
    peak = weights + optimizer + max(passes.values())
    return {"weights_gib": weights, "optimizer_gib": optimizer, **passes, "peak_gib": peak}


def optimizer_bytes(trained: int, trainer: TrainerConfig) -> int:
    """Gradients and AdamW's two moments of the trained adapter, in float32, on one GPU.

    DDP keeps a second copy of the gradients, its buckets. ZeRO-2 divides gradients and moments
    among the processes, and keeps a copy of the weights that it updates.
    """
    gradients, moments, weights = 4 * trained, 8 * trained, 4 * trained
    if trainer.strategy == "deepspeed_zero2":
        return gradients + (gradients + moments + weights) // trainer.processes
    if trainer.processes > 1:
        return 2 * gradients + moments
    return gradients + moments


def _load(config: RunConfig, prompt: int, response: int) -> Load:
    sft, grpo = config.sft, config.grpo
    per_process = grpo.prompts_per_step // config.trainer.processes if grpo else 1
    return Load(
        prompt=prompt,
        response=response,
        group_size=grpo.group_size if grpo else 1,
        sft_rows=sft.micro_batch_size if sft else 1,
        decoded_prompts=min((grpo and grpo.rollout_prompts) or per_process, per_process),
        micro_prompts=grpo.micro_prompts if grpo else 1,
        memory=config.memory,
    )


def main(arguments: Sequence[str]) -> None:
    """``python -m mmie.bench memory``."""
    parser = argparse.ArgumentParser(
        prog="python -m mmie.bench memory",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--prompt", type=int, default=1024, help="tokens, picture included")
    parser.add_argument("--response", type=int, default=2048, help="tokens")
    parser.add_argument("--measure", action="store_true", help="run the passes on real tensors")
    parser.add_argument("--json", type=Path, help="file for the figures")
    parser.add_argument("overrides", nargs="*", help="as for run.py: profile=paper memory=lean")
    given = parser.parse_args(arguments)
    config = shipped(*given.overrides)
    console = terminal()
    with console.status("simulating"):
        figures = simulate(
            config, prompt=given.prompt, response=given.response, measure=given.measure
        )
    table = Table("GiB per GPU", title=f"prompt {given.prompt}, response {given.response} tokens")
    table.add_column("", justify="right")
    for name, value in figures.items():
        table.add_row(name.removesuffix("_gib"), f"{value:.1f}")
    console.print(table)
    if given.json is not None:
        write_json(given.json, figures)
