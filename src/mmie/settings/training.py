"""The sections of the configuration that the trainings read."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from mmie.settings.rules import TRAININGS, above, anything, at_least, one_of, share, switch


@dataclass(kw_only=True)
class LoraConfig:
    """``targets`` is a regular expression over the names of layers; None takes the backbone's."""

    rank: int = at_least(1)
    alpha: int = above(0)
    dropout: float = share()
    targets: str | None


@dataclass(kw_only=True)
class LearningConfig:
    """What SFT and GRPO share.

    ``validations`` are spread over the whole training, ``checkpoint_every`` counts updates.
    """

    epochs: float = above(0)
    lr: float = above(0)
    warmup_ratio: float = share()
    weight_decay: float = at_least(0)
    max_grad_norm: float = above(0)
    validations: int = at_least(1)
    checkpoint_every: int = at_least(1, key=False)


@dataclass(kw_only=True)
class SFTConfig(LearningConfig):
    """``batch_size`` is that of one update on all devices together.

    ``micro_batch_size`` is that of one forward on one device. ``group_by_length`` puts samples of
    similar length into one update.
    """

    response: str = one_of("reasoned", "direct")
    batch_size: int = at_least(1)
    micro_batch_size: int = at_least(1, key=False)
    group_by_length: bool = switch()


@dataclass(kw_only=True)
class GRPOConfig(LearningConfig):
    """``prompts_per_step`` are those of one update on all devices together.

    ``micro_prompts`` are those of one forward on one device.
    """

    prompts_per_step: int = at_least(1)
    micro_prompts: int = at_least(1, key=False)
    updates_per_group: int = at_least(1)
    resamples: int = at_least(0)
    group_size: int = at_least(2)
    temperature: float = above(0)
    max_new_tokens: int = at_least(1)
    kl_coef: float = at_least(0)
    kl_estimator: str = one_of("k1", "k2", "k3")
    advantage_eps: float = at_least(0)
    advantage_scale: str = one_of("std", "none")
    unbiased_std: bool
    ratio: str = one_of("token", "sequence")
    normalise: str = one_of("sequence", "token", "constant")
    clip_low: float | None = share()
    clip_high: float | None = above(0)
    rollout_correction: str = one_of("none", "truncate", "mask")
    rollout_threshold: float = above(1)

    @property
    def advantage_terms(self) -> dict[str, Any]:
        """How eq. 6 is computed: arguments of ``mmie.losses.group_advantages``."""
        return {
            "eps": self.advantage_eps,
            "unbiased": self.unbiased_std,
            "scale": self.advantage_scale,
        }

    @property
    def loss_terms(self) -> dict[str, Any]:
        """How eq. 7 is computed: arguments of ``mmie.losses.grpo_loss``."""
        low, high = self.clip_low, self.clip_high
        return {
            "kl_coef": self.kl_coef,
            "kl_estimator": self.kl_estimator,
            "clip": None if low is None or high is None else (low, high),
            "ratio": self.ratio,
            "normalise": self.normalise,
        }

    @property
    def correction_terms(self) -> dict[str, Any]:
        """How responses are weighted: arguments of ``mmie.importance.importance_weights``."""
        return {"correction": self.rollout_correction, "threshold": self.rollout_threshold}

    @property
    def corrects_rollouts(self) -> bool:
        return self.rollout_correction != "none"


@dataclass(kw_only=True)
class MemoryConfig:
    """What is held in memory at once; see ``mmie.models.recompute`` and ``mmie.models.sampling``.

    No result depends on it. None holds everything.

    ``micro_responses`` are the responses of one forward pass in GRPO. With ``recompute_layers``
    the decoder layers are computed again in the backward pass, one at a time. Without it each part
    of ``micro_responses`` is computed again as a whole. ``logits_chunk`` is the number of tokens
    whose logits are held at once. ``cache_gb`` bounds the keys and values of the responses that
    are decoded side by side.
    """

    micro_responses: int | None = at_least(1, key=False)
    recompute_layers: bool = anything(key=False)
    logits_chunk: int | None = at_least(1, key=False)
    cache_gb: float | None = above(0, key=False)


ALL_AT_ONCE = MemoryConfig(
    micro_responses=None, recompute_layers=False, logits_chunk=None, cache_gb=None
)


@dataclass(kw_only=True)
class TrainerConfig:
    """As Lightning's Trainer takes them; ``threads`` are torch's on the CPU, None leaves them.

    Lightning's ``bf16-true`` is not offered: it would put rewards and optimizer states into
    bfloat16, too. A base in bfloat16 is ``model.dtype=bfloat16``.

    What changes the rounding is part of the keys: the kind of processor, the precision of the
    trainings and the number of threads. How the work is spread is not: loss and gradient do not
    depend on the number of processes, which the tests hold.
    """

    accelerator: str = one_of("cpu", "gpu", "auto")
    devices: int = at_least(1, key=False)
    num_nodes: int = at_least(1, key=False)
    strategy: str = one_of("auto", "ddp", "deepspeed_zero2", key=False)
    precision: str = one_of("32-true", "bf16-mixed", "16-mixed", key=TRAININGS)
    threads: int | None = at_least(1)

    @property
    def processes(self) -> int:
        return self.devices * self.num_nodes
