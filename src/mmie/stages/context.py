"""What the stages of one run share: configuration, artefact store, task, model and terminal."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rich.console import Console

from mmie import stopping
from mmie.artifacts import Artifact, Store, fingerprint
from mmie.config import RunConfig, node
from mmie.data.source import SPLITS, Source, examples_from_jsonl
from mmie.display import plain_text, terminal
from mmie.errors import InputError, NotFiniteError
from mmie.settings import TRAININGS
from mmie.stages import checkpoint
from mmie.stages.gpu import sees_gpu
from mmie.stages.progress import progress
from mmie.stages.questions import Questions
from mmie.stages.ranks import (
    begin_training,
    heartbeat_files,
    is_follower,
    local_rank,
    takes_part_in_training,
    wait_for_first,
)
from mmie.stages.stage import COLLECTIVE, VERSIONS, Stage
from mmie.tasks.responses import Direct, Reasoned
from mmie.types import Example

if TYPE_CHECKING:  # it loads transformers and peft, which a run without a model does not need
    from mmie.models.policy import Policy
    from mmie.serving.choice import Rollout, Use
    from mmie.serving.engine import Engine


@dataclass
class Context:
    """One run.

    Attributes:
        config: the resolved configuration.
        store: the artefacts.
        output: this run's own folder.
        sweep: the name of the sweep's folder if the run is a job of a sweep.
        overrides: what sets this job of a sweep apart from the others, key=value.
        console: where tables and progress go.
        stages: stage → {seconds, made_in, cached, key} of the stages so far.
        notes: what a reader of the results must know, such as blank pictures.
        voting: system → the scores of its votes, see ``mmie.stages.vote``.
        questions: what the stage predict is to answer.
    """

    config: RunConfig
    store: Store
    output: Path
    sweep: str | None = None
    overrides: Sequence[str] = ()
    console: Console = field(default_factory=terminal)
    stages: dict[str, dict[str, Any]] = field(default_factory=dict)
    notes: dict[str, Any] = field(default_factory=dict)
    voting: dict[str, dict[str, Any]] = field(default_factory=dict)
    questions: Questions = field(default_factory=Questions)

    def __post_init__(self) -> None:
        self.console.quiet = self.console.quiet or self.follower

    @contextmanager
    def open(self, name: str, parts: dict[str, Any], *, label: str = "") -> Iterator[Stage]:
        """Opens a stage, which is closed, and its result complete, at the end of the block.

        ::

            with context.open("divide", keys.divide(context, data)) as stage:
                if stage.new:
                    write_json(stage.work / "sft.json", …)
            ids = stage.artifact.load("sft.json")

        Args:
            name: the stage, and its folder in the store.
            parts: all that the result depends on besides the stage's version, see ``stages.keys``.
            label: distinguishes two runs of one stage (evaluations).

        Raises:
            InputError: something is not finite; the message begins with the stage.
        """
        parts, label = {"version": VERSIONS[name], **parts}, label or name
        key = fingerprint(stage=name, **parts)
        place = f"in stage {label} ({self.store.partial(name, key)})"
        opened = self._opened(name, key, parts, label)
        with stopping.at(place, quiet=self.follower), _named(label), opened as stage:
            yield stage

    def foreseen(self, name: str, parts: dict[str, Any]) -> Artifact:
        """The result of a stage, whether it is there or not; see ``open``."""
        key = fingerprint(stage=name, version=VERSIONS[name], **parts)
        return self.store.artifact(name, key)

    def reopen(self, name: str, artifact: Artifact) -> None:
        """Takes a finished result again, whatever became of the stages before it.

        Raises:
            InputError: it is not there, or damaged.
        """
        if not self.ready(name, artifact):
            raise InputError(f"{artifact.folder}: there is no finished {name}; run that stage")
        with self._opened(name, artifact.key, {}, name):
            pass

    def ready(self, name: str, artifact: Artifact) -> bool:
        """Whether the result of the stage is there."""
        return self.store.ready(name, artifact.key)

    def _opened(
        self, name: str, key: str, parts: dict[str, Any], label: str
    ) -> AbstractContextManager[Stage]:
        if self.follower:
            return self._following(name, key)
        return self._leading(name, key, parts, label)

    @contextmanager
    def _leading(self, name: str, key: str, parts: dict[str, Any], label: str) -> Iterator[Stage]:
        start = time.perf_counter()
        with self.store.writing(name, key, parts=parts) as work:
            new = work is not None
            stage = Stage(self.store.artifact(name, key), new, self.store.partial(name, key))
            if new:
                self.console.rule(plain_text(label, "bold"), align="left")
                if name in TRAININGS:
                    begin_training(self.config, self.store, key)
            else:
                kept = f"{label}: kept from before ({stage.artifact.folder})"
                self.console.print(plain_text(kept, "dim"))
            yield stage
        self.stages[label] = {
            "seconds": round(time.perf_counter() - start, 2),
            "made_in": round(self.store.meta(name, key)["seconds"], 2),
            "cached": not new,
            "key": key,
        }

    @contextmanager
    def _following(self, name: str, key: str) -> Iterator[Stage]:
        """A process that is not the first takes part in a training and waits for all else."""
        takes_part = name in COLLECTIVE and not self.store.ready(name, key)
        if takes_part and name in TRAININGS:
            takes_part = takes_part_in_training(self.config, self.store, name, key)
        stage = Stage(self.store.artifact(name, key), takes_part, self.store.partial(name, key))
        if not takes_part:
            wait_for_first(self.store, name, key)
        yield stage
        if takes_part:
            wait_for_first(self.store, name, key)

    def artifact(self, stage: str) -> Artifact | None:
        """The result of a stage of this run; None where the run has no such stage."""
        if stage not in self.stages:
            return None
        return self.store.artifact(stage, self.stages[stage]["key"])

    @property
    def follower(self) -> bool:
        """Whether this process is not the first of several: the first does all the writing."""
        return is_follower(self.config.trainer)

    @cached_property
    def source(self) -> Source:
        """The data set."""
        source: Source = node(self.config.data)
        return source

    @cached_property
    def reasoned(self) -> Any:
        """The task with think-then-answer responses."""
        return node(self.config.task, response=Reasoned(self.config.reasoning_instruction))

    @cached_property
    def direct(self) -> Any:
        """The task with bare answers (zero-shot and answer-only SFT)."""
        return node(self.config.task, response=Direct())

    @cached_property
    def policy(self) -> Policy:
        """The base with one adapter, loaded when it is first needed."""
        from mmie.stages.loading import load_policy

        with self.console.status("loading the model"):
            gpu = local_rank(self.config.trainer) if self.on_gpu else None
            policy = load_policy(self.config, vision=self.store.root / "vision", gpu=gpu)
        self._untrained_adapter = policy.adapter_state()
        return policy

    @cached_property
    def rollout(self) -> Rollout:
        """Who samples: the choice, which needs no model yet."""
        rollout: Rollout = node(self.config.rollout)
        return rollout

    @property
    def use(self) -> Use:
        """What the run asks of its engine."""
        from mmie.serving.choice import Use

        config = self.config
        limits = [config.evaluation.max_new_tokens]
        if config.grpo is not None and "grpo" in config.stages:
            limits.append(config.grpo.max_new_tokens)
        return Use(
            model=config.model,
            rank=config.lora.rank,
            targets=config.lora.targets,
            processes=config.trainer.processes,
            leader=not self.follower,
            folder=self.output,
            new_tokens=max(limits),
            run=str(heartbeat_files(config, self.store)[0].resolve()),
        )

    @cached_property
    def engine(self) -> Engine:
        """Who samples from the policy, opened when it is first needed."""
        policy = self.policy
        with self.console.status("opening the engine that samples"):
            return self.rollout.open(policy, self.use)

    def close(self) -> None:
        """Ends what the run has opened."""
        if "engine" in vars(self):
            self.engine.close()

    def untrained_policy(self) -> Policy:
        """The policy as it was loaded, whatever was trained or read meanwhile."""
        policy = self.policy
        policy.remove_reference()
        policy.load_adapter_state(self._untrained_adapter)
        return policy

    @property
    def on_gpu(self) -> bool:
        """Whether the model computes on a GPU."""
        accelerator = self.config.trainer.accelerator
        return accelerator == "gpu" or (accelerator == "auto" and sees_gpu())

    @property
    def vision(self) -> dict[str, int]:
        """How many pictures this run has encoded, and how many encoded ones it read from disk."""
        if "policy" not in vars(self):  # no stage of this run has needed a model
            return {"computed": 0, "from_disk": 0}
        return {"computed": self.policy.vision.computed, "from_disk": self.policy.vision.read}

    @cached_property
    def model_identity(self) -> dict[str, Any]:
        """What tells the base checkpoint from another one."""
        return checkpoint.model_identity(self.config.model)

    def examples(self, folder: Path, split: str) -> list[Example]:
        """The samples of one split, as the stage data has written them into its folder."""
        assert split in SPLITS
        path, revive = folder / f"{split}.jsonl", self.reasoned.revive_gold
        return examples_from_jsonl(path, revive=revive, images=self.source.images)

    @contextmanager
    def progress(
        self, description: str, total: int, note: Callable[[], str] = str, *, done: int = 0
    ) -> Iterator[Callable[[int], None]]:
        """See ``mmie.stages.progress``."""
        with progress(self.console, description, total, note, done=done) as advance:
            yield advance

    def track(self, items: Sequence[Any], description: str) -> Iterable[Any]:
        """The items, with the progress shown while they are used."""
        with self.progress(description, len(items)) as advance:
            for item in items:
                yield item
                advance(1)


@contextmanager
def _named(label: str) -> Iterator[None]:
    """Inside, an error of numbers that are not finite names the stage."""
    try:
        yield
    except NotFiniteError as error:
        raise InputError(f"{label}: {error}") from error
