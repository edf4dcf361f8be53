"""Simulates the memory that a configuration needs on each GPU, without weights and without a GPU.

    python -m mmie.bench memory --prompt 1024 --response 2048 [--json FILE] [overrides]

The passes of the real program run on fake tensors, which have shapes and no values, and every
storage that an operator makes is counted for as long as it lives. The overrides are those of
``run.py`` (``profile=paper memory=lean grpo.group_size=16``). Nothing is downloaded.

``--measure`` runs the same passes on real tensors instead and reports how much the process grows.
It needs a checkpoint folder with a ``config.json`` that fits this machine, and Linux.

The figures leave out what the CUDA context, NCCL and cuBLAS take for themselves (1 to 2 GiB), and
what the allocator cannot use because its free memory is in pieces.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
from rich.table import Table

from mmie.bench.simulation import Load, Simulation
from mmie.checks import locate
from mmie.config import RunConfig, shipped
from mmie.display import terminal
from mmie.errors import InputError
from mmie.files import write_json
from mmie.models.backbone import DTYPES
from mmie.settings import TrainerConfig

GIB = 2**30
COMPUTE = {"32-true": None, "bf16-mixed": torch.bfloat16, "16-mixed": torch.float16}


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
        # flash_attention_2 needs a GPU. Like sdpa it holds no attention weights; eager does.
        attention="eager" if config.model.get("attention") == "eager" else "sdpa",
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
    load = Load(
        prompt=prompt,
        response=response,
        group_size=1,
        sft_rows=config.sft.micro_batch_size if config.sft else 1,
        decoded_prompts=1,
        micro_prompts=1,
        memory=config.memory,
    )
    grpo = config.grpo
    if grpo is None:
        return load
    own_prompts = grpo.prompts_per_step // config.trainer.processes
    return replace(
        load,
        group_size=grpo.group_size,
        decoded_prompts=min(grpo.rollout_prompts or own_prompts, own_prompts),
        micro_prompts=grpo.micro_prompts,
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
