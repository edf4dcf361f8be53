"""The memory that a configuration needs on each GPU, simulated pass by pass.

``mmie.bench.memory_command`` says how it is counted and what it leaves out.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import torch

from mmie.bench.simulation import Load, Simulation
from mmie.checks import locate
from mmie.config import RunConfig
from mmie.errors import InputError
from mmie.models.architecture import architecture
from mmie.models.backbone import DTYPES
from mmie.models.prompt_tokens import shape_of
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
        load_of(config, prompt=prompt, response=response),
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


def load_of(config: RunConfig, *, prompt: int, response: int) -> Load:
    """The work of one GPU, with prompts and responses of so many tokens."""
    load = Load(
        prompt=prompt,
        response=response,
        group_size=1,
        sft_rows=config.sft.micro_batch_size if config.sft else 1,
        rollout_prompts=1,
        side_by_side=1,
        micro_prompts=1,
        memory=config.memory,
    )
    grpo = config.grpo
    if grpo is None:
        return load
    own_prompts = grpo.prompts_per_step // config.trainer.processes
    width = DTYPES[config.model.get("dtype", "float32")].itemsize
    shape = shape_of(architecture(config.model["path"]), rank=0, value_bytes=width)
    return replace(
        load,
        group_size=grpo.group_size,
        rollout_prompts=own_prompts,
        side_by_side=shape.rows_within(
            config.memory.cache_gb, tokens=prompt + response, rows=own_prompts * grpo.group_size
        ),
        micro_prompts=grpo.micro_prompts,
    )
