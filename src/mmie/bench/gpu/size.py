"""How large the measured work is."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:  # the table needs none of it
    from mmie.config import RunConfig

MEMORY = ("lean", "balanced", "fast")  # the last needs most, so it comes last
TOY = "mmie:toy/qwen2_5_vl"


@dataclass(frozen=True)
class Size:
    """The work of a GRPO step and of the parts beside it.

    Attributes:
        prompts, group_size: of a step.
        prompt_tokens: tokens of template, picture and text.
        new_tokens: the length limit of a response.
        image_size: side of a picture in pixels.
        run: overrides of the configuration, as for ``run.py``.
        model: further ones, which choose the model of the steps.
        shape, layers: of the smaller model that whole runs and TRL train.
        peer_prompts: prompts of TRL's step.
        product: side of the square matrices whose product is timed.
        copied: bytes that are copied to measure the memory's bandwidth.
    """

    prompts: int
    group_size: int
    prompt_tokens: int
    new_tokens: int
    image_size: int
    run: tuple[str, ...]
    model: tuple[str, ...]
    shape: str
    layers: int
    peer_prompts: int
    product: int
    copied: int

    def config(self, *overrides: str) -> RunConfig:
        """The composed configuration of this work."""
        from mmie.config import shipped

        own = (
            f"grpo.prompts_per_step={self.prompts}",
            f"grpo.group_size={self.group_size}",
            f"grpo.max_new_tokens={self.new_tokens}",
        )
        return shipped(*self.run, *self.model, *own, *overrides)


REAL = Size(
    prompts=8,
    group_size=8,
    prompt_tokens=1024,
    new_tokens=256,
    image_size=224,
    run=("profile=paper", "trainer=gpu"),
    model=(f"model.path={TOY}", "model._target_=mmie.bench.gpu.model.RandomWeights"),
    shape="Qwen/Qwen2.5-VL-7B-Instruct",
    layers=4,
    peer_prompts=4,
    product=8192,
    copied=4 << 30,
)
TINY = Size(
    prompts=2,
    group_size=2,
    prompt_tokens=96,
    new_tokens=6,
    image_size=56,
    run=(
        "profile=paper",
        "trainer=cpu",
        "trainer.precision=bf16-mixed",
        "trainer.threads=1",
        "lora.rank=8",
    ),
    model=(f"model.path={TOY}",),
    shape=TOY,
    layers=2,
    peer_prompts=2,
    product=256,
    copied=1 << 20,
)
