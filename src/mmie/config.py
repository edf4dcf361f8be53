"""The types and ranges of every configuration key, and the door at which YAML ends.

Values stand in ``conf/``, types here, neither twice. Closed sets of numbers are dataclasses; open sets of things are
nodes with a ``_target_`` inside mmie, held against that target's signature.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from itertools import chain
from typing import Any

from hydra import compose, initialize_config_dir
from hydra.core.config_store import ConfigStore
from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException

from mmie.checks import foreign, locate, misfits, misplaced, out_of_range, prompt_problem
from mmie.errors import InputError
from mmie.resolvers import CONF
from mmie.settings import (
    TRAININGS,
    GRPOConfig,
    LoraConfig,
    SFTConfig,
    TrainerConfig,
    above,
    anything,
    at_least,
    inner_share,
    one_of,
)
from mmie.templates import Places

STAGES = ("data", "distil", "filter", "sft", "grpo", "evaluate", "report")
ON_DEMAND = ("predict", "export")
NODES = ("task", "data", "model", "teacher", "reward", "schedule")
ADDED = {"task": ["response"]}  # arguments that the pipeline gives


@dataclass(kw_only=True)
class CotConfig:
    """``chains`` is the node of what is asked about each candidate."""

    candidates: int = at_least(1)
    chains: Any


@dataclass(kw_only=True)
class EvaluationConfig:
    """``samples`` responses a test sample vote where they are more than one, ``vote_rows`` of them decoded side by side."""

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

    systems: list[str] = anything(key=False)  # which rows there are
    teacher_instruction: str


@dataclass(kw_only=True)
class LoggerConfig:
    csv: bool
    wandb: bool
    project: str
    entity: str | None
    rollouts_every: int = at_least(1)
    rollouts_kept: int = at_least(0)


@dataclass(kw_only=True)
class VisionConfig:
    """Where the pictures' features are kept: in memory up to a bound, and on disk under ``artifacts``."""

    memory_gb: float = above(0)
    on_disk: bool


@dataclass(kw_only=True)
class ExportConfig:
    merged: bool
    folder: str | None


@dataclass(kw_only=True)
class ReportConfig:
    """``runs``: a path or a list of paths, results.json files or folders of them; ``folder`` takes tables and figures."""

    runs: Any
    folder: str | None

    @property
    def sources(self) -> list[str]:
        """The paths, however they were given."""
        if self.runs is None:
            return []
        return [self.runs] if isinstance(self.runs, str) else self.runs


@dataclass(kw_only=True)
class RunConfig:
    """One run. Open nodes are dicts with a ``_target_``; ``paper`` is the row that the experiment reproduces.

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
    evaluation: EvaluationConfig
    zero_shot: ZeroShotConfig
    trainer: TrainerConfig
    logger: LoggerConfig = anything(key=False)
    predict: dict[str, Any] = anything(key=False)
    export: ExportConfig = anything(key=False)
    report: ReportConfig = anything(key=False)
    paper: dict[str, Any] | None = anything(key=False)


ConfigStore.instance().store(name="run_config", node=RunConfig)


def to_run_config(cfg: DictConfig) -> RunConfig:
    """The composed configuration, resolved and checked, as plain Python values.

    Raises:
        InputError: a value is missing, out of range, contradicts another or fits no target; the full key comes first.
    """
    try:
        run = OmegaConf.to_object(cfg)
    except OmegaConfBaseException as error:
        raise InputError(
            f"{error.full_key or 'configuration'}: {str(error).splitlines()[0]}"
        ) from error
    assert isinstance(run, RunConfig)
    checks = (_foreign_code, out_of_range, _contradictions, _only_on_gpus, _node_misfits)
    for problem in chain.from_iterable(check(run) for check in checks):
        raise InputError(problem)
    return run


def shipped(*overrides: str) -> RunConfig:
    """The configuration that ``python run.py`` runs with these overrides.

    Code that needs a whole set of values without a run of its own, like the benchmark, takes them
    from here, so that ``conf/`` stays the only place where they stand.

    Raises:
        InputError: see ``to_run_config``.
    """
    with initialize_config_dir(str(CONF), version_base="1.3"):
        return to_run_config(compose("config", list(overrides)))


def node(value: Mapping[str, Any], **extra: Any) -> Any:
    """The object that an open node describes, built with the extra arguments.

    Its own errors arrive as they are. Nodes inside it are built first. Unlike Hydra's ``instantiate``
    this takes every other value as it is: text that reads like an interpolation or an instruction
    stays text, so that nothing runs that ``to_run_config`` has not seen.
    """
    target = locate("_target_", value["_target_"])
    arguments = {name: _built(argument) for name, argument in value.items() if name != "_target_"}
    return target(**arguments, **extra)


def _built(value: Any) -> Any:
    if isinstance(value, Mapping):
        if "_target_" in value:
            return node(value)
        return {name: _built(inner) for name, inner in value.items()}
    return [_built(inner) for inner in value] if isinstance(value, list) else value


def _foreign_code(run: RunConfig) -> Iterator[str]:
    yield from foreign("", asdict(run))


def _contradictions(run: RunConfig) -> Iterator[str]:
    for stage in run.stages:
        if stage not in STAGES + ON_DEMAND:
            yield f"stages: {stage!r} is unknown; the stages are {', '.join(STAGES + ON_DEMAND)}"
    for system in run.zero_shot.systems:
        if system not in ("base", "teacher"):
            yield f"zero_shot.systems: {system!r} is unknown; choose from base and teacher"
    if not run.artifacts.strip():
        yield "artifacts: it is empty; give a folder"
    devices = run.trainer.processes
    if run.sft and run.sft.batch_size % (run.sft.micro_batch_size * devices):
        part = f"sft.micro_batch_size {run.sft.micro_batch_size}"
        yield f"sft.batch_size: {run.sft.batch_size} is no multiple of {part} × {devices} devices; change one of them"
    if run.grpo and run.grpo.prompts_per_step % (run.grpo.micro_prompts * devices):
        part, prompts = f"grpo.micro_prompts {run.grpo.micro_prompts}", run.grpo.prompts_per_step
        yield f"grpo.prompts_per_step: {prompts} is no multiple of {part} × {devices} devices; change one of them"
    if run.grpo and (run.grpo.clip_low is None) != (run.grpo.clip_high is None):
        yield "grpo.clip_low, grpo.clip_high: one is null and the other is not; set both, or neither"
    if run.grpo and run.sft and run.sft.response != "reasoned":
        yield f"sft.response: {run.sft.response!r} cannot warm up GRPO; use sft=cot_warmup, sft=none or grpo=none"
    if run.evaluation.samples > 1 and run.evaluation.temperature == 0:
        samples = run.evaluation.samples
        yield f"evaluation.samples: {samples} responses at temperature 0 are all the same; raise evaluation.temperature or take 1"
    if not isinstance(run.report.sources, list) or not all(
        path and isinstance(path, str) for path in run.report.sources
    ):
        yield f"report.runs: {run.report.runs!r} is neither a path nor a list of paths; name results.json files or folders of them"
    if (reason := _regex_fault(run.lora.targets or "")) is not None:
        yield f"lora.targets: {run.lora.targets!r} is no regular expression ({reason}); correct it"
    if run.sft_share is not None and run.grpo and not run.sft:
        yield f"sft_share: nothing is warmed up on this share ({run.sft_share}), as sft is none; set sft_share=null"


def _regex_fault(pattern: str) -> str | None:
    try:
        re.compile(pattern)
    except re.error as error:
        return str(error)
    return None


def _only_on_gpus(run: RunConfig) -> Iterator[str]:
    trainer = run.trainer
    wanted = {"precision": "16-mixed", "strategy": "deepspeed_zero2"}
    for key, value in wanted.items():
        if getattr(trainer, key) == value and trainer.accelerator == "cpu":
            yield f"trainer.{key}: {value} needs a GPU; take trainer=gpu, or another {key}"


def _node_misfits(run: RunConfig) -> Iterator[str]:
    for key in NODES:
        yield from misfits(key, getattr(run, key), added=ADDED.get(key, ()))
    yield from misfits("cot.chains", run.cot.chains)
    yield from misplaced("task", run.task)
    yield from misplaced("cot.chains", run.cot.chains)
    yield from prompt_problem("reasoning_instruction", run.reasoning_instruction, Places())
    for key, value in run.filter.items():
        yield from misfits(f"filter.{key}", value)
    for key in ("alpha", "beta"):
        if not run.reward.get(key, 0) >= 0:
            yield f"reward.{key}: {run.reward[key]} is negative; the weights of eq. 5 are 0 or more"
