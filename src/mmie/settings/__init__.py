"""The type and range of every configuration key. The values stand in ``conf/``.

A knob of SFT or GRPO is added in ``training`` and in the function that uses it, nowhere else. This
package needs neither hydra nor torch, so that training can read it and ``mmie.config`` can build
it.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

from mmie.settings.rules import (
    TRAININGS,
    Key,
    above,
    anything,
    at_least,
    inner_share,
    left_out,
    one_of,
    optional,
)
from mmie.settings.training import (
    ALL_AT_ONCE,
    GRPOConfig,
    LearningConfig,
    LoraConfig,
    MemoryConfig,
    SFTConfig,
    TrainerConfig,
)

__all__ = [
    "ALL_AT_ONCE",
    "CardConfig",
    "CotConfig",
    "EvaluationConfig",
    "ExportConfig",
    "GRPOConfig",
    "Key",
    "LearningConfig",
    "LoggerConfig",
    "LoraConfig",
    "MemoryConfig",
    "PlanConfig",
    "ReportConfig",
    "RunConfig",
    "SFTConfig",
    "TrainerConfig",
    "VisionConfig",
    "ZeroShotConfig",
    "left_out",
]


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
    training_temperature: float | None = optional(at_least(0, key=(*TRAININGS, "difficulty")))
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

    def for_training(self) -> EvaluationConfig:
        """How the answers are sampled that a training depends on.

        These are the validations, and the answers that tell which samples are hard.
        """
        if self.training_temperature is None:
            return self
        return replace(self, temperature=self.training_temperature, training_temperature=None)


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
    """``merged`` also writes a whole checkpoint; ``folder`` is beside results.json if null.

    ``base_model`` is the name of the base on the hub, where ``model.path`` is a folder.
    """

    merged: bool
    folder: str | None
    base_model: str | None


@dataclass(kw_only=True)
class ReportConfig:
    """What is tabled, and the ``folder`` for tables and figures.

    ``runs`` is a path or a list of paths: results.json files, or folders of them. ``recorded`` is a
    folder of runs, whose systems the table of a run shows beside its own.
    """

    runs: Any
    folder: str | None
    recorded: str | None

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
