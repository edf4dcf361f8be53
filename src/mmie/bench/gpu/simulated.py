"""The memory that the simulation foresees for the same step; it needs no GPU."""

from __future__ import annotations

from mmie.bench.gpu.notes import Notes
from mmie.bench.gpu.size import MEMORY, Size
from mmie.bench.memory import simulate


def run(size: Size, notes: Notes) -> None:
    """See ``mmie.bench.memory``."""
    # The simulation reads the architecture from the path.
    model = ("model._target_=mmie.models.qwen2_5_vl.Qwen25VL", f"model.path={size.shape}")
    for memory in MEMORY:
        config = size.config(f"memory={memory}", "sft=none", *model)
        simulated = simulate(config, prompt=size.prompt_tokens, response=size.new_tokens)
        notes.add(**{memory: simulated})
