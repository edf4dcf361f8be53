"""The type and range of every configuration key. The values stand in ``conf/``.

A knob of SFT or GRPO is added here and in the function that uses it, nowhere else. This module
needs neither hydra nor torch, so that training can read it and ``mmie.config`` can build it.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from math import inf
from typing import Any

# Which stage keys a field belongs to: all that its section goes into, none, or the named stages.
Key = bool | tuple[str, ...]
TRAININGS = ("sft", "grpo")


def at_least(bound: float, *, key: Key = True) -> Any:
    return _field(f"at least {bound}", lambda value: bound <= value < inf, key=key)


def above(bound: float, *, key: Key = True) -> Any:
    return _field(f"above {bound}", lambda value: bound < value < inf, key=key)


def share(*, key: Key = True) -> Any:
    return _field("0 or more and below 1", lambda value: 0 <= value < 1, key=key)


def inner_share(*, key: Key = True) -> Any:
    return _field("above 0 and below 1", lambda value: 0 < value < 1, key=key)


def one_of(*words: str, key: Key = True) -> Any:
    return _field(f"one of {', '.join(words)}", lambda value: value in words, key=key)


def anything(*, key: Key) -> Any:
    """A field whose type is its only rule."""
    return field(metadata={"key": key})


def _field(rule: str, holds: Callable[[Any], bool], *, key: Key) -> Any:
    return field(metadata={"rule": rule, "holds": holds, "key": key})


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

    ``micro_batch_size`` is that of one forward on one device.
    """

    response: str = one_of("reasoned", "direct")
    batch_size: int = at_least(1)
    micro_batch_size: int = at_least(1, key=False)


@dataclass(kw_only=True)
class GRPOConfig(LearningConfig):
    """``prompts_per_step`` are those of one update on all devices together.

    ``micro_prompts`` are those of one forward on one device.
    """

    prompts_per_step: int = at_least(1)
    micro_prompts: int = at_least(1, key=False)
    rollout_prompts: int | None = at_least(1, key=False)
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


@dataclass(kw_only=True)
class MemoryConfig:
    """What a pass that keeps its gradient holds at once; see ``mmie.models.recompute``.

    No result depends on it. None holds everything.

    ``micro_responses`` are the responses of one forward pass in GRPO. With ``recompute_layers``
    the decoder layers are computed again in the backward pass, one at a time. Without it each part
    of ``micro_responses`` is computed again as a whole. ``logits_chunk`` is the number of tokens
    whose logits are held at once.
    """

    micro_responses: int | None = at_least(1, key=False)
    recompute_layers: bool = anything(key=False)
    logits_chunk: int | None = at_least(1, key=False)


ALL_AT_ONCE = MemoryConfig(micro_responses=None, recompute_layers=False, logits_chunk=None)


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


@dataclass(kw_only=True)
class CotConfig:
    """How chains are distilled: ``candidates`` per sample; the node ``chains`` asks for them."""

    candidates: int = at_least(1)
    chains: Any


@dataclass(kw_only=True)
class EvaluationConfig:
    """How systems answer.

    More than one of ``samples`` responses per test sample vote; ``vote_rows`` of them are decoded
    side by side.
    """

    temperature: float = at_least(0)
    max_new_tokens: int = at_least(1)
    batch_size: int = at_least(1, key=False)
    bootstrap_samples: int = at_least(0, key=("evaluate", "vote"))
    validation_samples: int | None = at_least(1, key=TRAININGS)
    samples: int = at_least(1, key=("vote",))
    vote_rows: int = at_least(1, key=False)
    reader: str = one_of("lenient", "strict")

    @property
    def lenient(self) -> bool:
        """Whether answers are read item by item; the reward is strict in any case."""
        return self.reader == "lenient"


@dataclass(kw_only=True)
class ZeroShotConfig:
    """``systems`` answer the test split untrained: ``base``, ``teacher``, both or none.

    ``teacher_instruction`` follows the task's prompt where the teacher is asked.
    """

    systems: list[str] = anything(key=False)  # it decides which systems there are, not how they do
    teacher_instruction: str


@dataclass(kw_only=True)
class LoggerConfig:
    """Where curves go, and every how many steps how many rollouts are written out."""

    csv: bool
    wandb: bool
    project: str
    entity: str | None
    rollouts_every: int = at_least(1)
    rollouts_kept: int = at_least(0)


@dataclass(kw_only=True)
class VisionConfig:
    """Where the features of pictures are kept: in memory up to a bound, and on disk."""

    memory_gb: float = above(0)
    on_disk: bool


@dataclass(kw_only=True)
class ExportConfig:
    """``merged`` also writes a whole checkpoint; ``folder`` is beside results.json if null."""

    merged: bool
    folder: str | None


@dataclass(kw_only=True)
class ReportConfig:
    """What is tabled, and the ``folder`` for tables and figures.

    ``runs`` is a path or a list of paths: results.json files, or folders of them.
    """

    runs: Any
    folder: str | None

    @property
    def sources(self) -> list[str]:
        """The paths, however they were given."""
        if self.runs is None:
            return []
        return [self.runs] if isinstance(self.runs, str) else self.runs


@dataclass(kw_only=True)
class CardConfig:
    """A card, by its maker's data sheet.

    ``memory_gb`` and ``bandwidth`` count 1e9 bytes (and seconds), ``tflops`` are those of dense
    bfloat16 products.
    """

    memory_gb: float = above(0)
    tflops: float = above(0)
    bandwidth: float = above(0)
    source: str


@dataclass(kw_only=True)
class PlanConfig:
    """What the stage plan assumes; nothing else reads it.

    ``memory`` simulates what the trainings need on each GPU. ``peak_share`` and
    ``bandwidth_share`` are what a card reaches of its data sheet. ``answer_tokens`` are those of an
    answer of the teacher, and so of a chain, until the record has some. ``easy_share`` is that of
    the samples that the warmed-up model gets right, until it has answered.
    """

    memory: bool
    chars_per_token: float = above(0)
    answer_tokens: int = at_least(1)
    easy_share: float = inner_share()
    peak_share: float = inner_share()
    bandwidth_share: float = inner_share()
    cards: dict[str, CardConfig]


@dataclass(kw_only=True)
class RunConfig:
    """One run.

    Fields of type Any and the values of ``filter`` are open nodes: dicts with a ``_target_``.
    ``predict`` has the keys ``file`` and ``adapter`` and those that the task asks for.

    A section with ``key=False`` is part of no stage's key, whatever its own fields say.
    """

    experiment: str = anything(key=False)
    profile: str = anything(key=False)
    seed: int = at_least(0)
    stages: list[str] = anything(key=False)
    artifacts: str = anything(key=False)
    reasoning_instruction: str
    task: Any
    data: Any
    model: Any
    teacher: Any
    sft_share: float | None = inner_share()
    cot: CotConfig
    filter: dict[str, Any]
    vision: VisionConfig = anything(key=False)
    lora: LoraConfig
    sft: SFTConfig | None
    grpo: GRPOConfig | None
    reward: Any
    schedule: Any
    memory: MemoryConfig = anything(key=False)
    rollout: Any
    evaluation: EvaluationConfig
    zero_shot: ZeroShotConfig
    trainer: TrainerConfig
    logger: LoggerConfig = anything(key=False)
    predict: dict[str, Any] = anything(key=False)
    export: ExportConfig = anything(key=False)
    report: ReportConfig = anything(key=False)
    plan: PlanConfig = anything(key=False)
