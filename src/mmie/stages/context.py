"""What the stages of one run share: configuration, artefact store, task, model, and a note of what each stage took."""

from __future__ import annotations

import hashlib
import logging
import os
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

import torch
from rich.console import Console

from mmie import stopping
from mmie.artifacts import Artifact, Store, fingerprint
from mmie.config import RunConfig, TrainerConfig, node
from mmie.data.source import SPLITS, Source, examples_from_jsonl
from mmie.display import plain_text, terminal
from mmie.errors import InputError, NotFiniteError
from mmie.models.backbone import resolve_path
from mmie.models.policy import Policy, build_policy
from mmie.stages.progress import progress
from mmie.tasks.responses import Direct, Reasoned
from mmie.types import Example

# Raise a stage's number whenever its code makes another result of the same configuration: its old
# artefacts, and those of all stages after it, are then not used again.
VERSIONS = {
    "data": 2,
    "divide": 1,
    "distil": 4,
    "filter": 2,
    "sft": 1,
    "difficulty": 1,
    "grpo": 1,
    "evaluate": 5,
    "vote": 3,
}
COLLECTIVE = ("sft", "grpo")  # stages in which all processes of a run take part
RANKS = ("LOCAL_RANK", "RANK", "SLURM_PROCID")
POLL = 0.5  # seconds between two looks at what the first process is doing
HASHED_WHOLE = 64 << 20  # bytes; of larger weight files, evenly spread pieces are hashed
SAMPLES = 256
PIECE = 1 << 16  # bytes
log = logging.getLogger(__name__)


@dataclass
class Context:
    """One run.

    Attributes:
        config: the resolved configuration.
        store: the artefacts.
        output: this run's own folder.
        sweep: name of the folder of the sweep that this run is a job of; None for a single run.
        overrides: what sets this job of a sweep apart from the others, key=value.
        questions: what the stage predict is to answer.
        console: where tables and progress go.
        stages: name → {seconds, cached, made_in, fingerprint} of the stages so far.
        notes: things a reader of the results must know (blank pictures, say).
        voting: model → F1 of its votes over the number of responses.
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
    questions: list[Example] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.console.quiet = self.console.quiet or self.follower

    def stage(
        self,
        name: str,
        parts: dict[str, Any],
        body: Callable[[Path], None],
        *,
        label: str = "",
    ) -> Artifact:
        """Runs ``body`` in the stage's working folder unless its artefact is already there.

        Args:
            name: of the stage, and of its folder in the store.
            parts: all that the result depends on beside the stage's version, see ``stages.keys``.
            body: writes into the folder that it is given; may find there what a killed run left.
            label: distinguishes two runs of one stage (evaluations).

        Returns:
            The finished work.
        """
        parts = {"version": VERSIONS[name], **parts}
        mark = fingerprint(stage=name, **parts)
        place = f"in stage {label or name} ({self.store.partial(name, mark)})"
        with stopping.at(place, quiet=self.follower):
            try:
                return self._stage(name, mark, parts, body, label=label)
            except NotFiniteError as error:
                raise InputError(f"{label or name}: {error}") from error

    def _stage(
        self,
        name: str,
        mark: str,
        parts: dict[str, Any],
        body: Callable[[Path], None],
        *,
        label: str,
    ) -> Artifact:
        if self.follower:
            return Artifact(self._follow(name, mark, body), mark)
        start = time.perf_counter()
        with self.store.writing(name, mark, parts=parts) as folder:
            cached = folder is None
            if folder is not None:
                self.console.rule(plain_text(label or name, "bold"), align="left")
                body(folder)
        seconds = round(time.perf_counter() - start, 2)
        made_in = round(self.store.meta(name, mark)["seconds"], 2)
        self.stages[label or name] = {
            "seconds": seconds,
            "cached": cached,
            "made_in": made_in,
            "fingerprint": mark,
        }
        if cached:
            kept = f"{label or name}: kept from before ({self.store.path(name, mark)})"
            self.console.print(plain_text(kept, "dim"))
        return Artifact(self.store.path(name, mark), mark)

    @property
    def follower(self) -> bool:
        """Whether this process is not the first of several: it trains with the first one and leaves the writing to it."""
        return is_follower(self.config.trainer)

    def _follow(self, name: str, mark: str, body: Callable[[Path], None]) -> Path:
        if name in COLLECTIVE and not self.store.ready(name, mark):
            body(self.store.partial(name, mark))
        parent, finished = os.getppid(), self.store.path(name, mark)
        if not self.store.ready(name, mark):
            log.info("waiting for the first process of this run to finish %s", finished)
        while not self.store.ready(name, mark):
            if os.getppid() != parent:
                raise InputError(
                    f"{name}: the first process of this run is gone; start the run again, it goes on from there"
                )
            time.sleep(POLL)
        return finished

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
        """The base with a fresh adapter; loaded once a run."""
        lora = self.config.lora
        with self.console.status("loading the model"):
            policy = build_policy(node(self.config.model), **asdict(lora), seed=self.config.seed)
        if self.on_gpu:
            policy.to(torch.device("cuda", local_rank(self.config.trainer)))
        vision = self.config.vision
        policy.keep_features(
            self.store.root / "vision" if vision.on_disk else None,
            max_bytes=int(vision.memory_gb * 1e9),
        )
        self.fresh_adapter = policy.adapter_state()
        return policy

    @property
    def on_gpu(self) -> bool:
        """Whether the model computes on a GPU."""
        accelerator = self.config.trainer.accelerator
        return accelerator == "gpu" or (accelerator == "auto" and torch.cuda.is_available())

    @property
    def vision(self) -> dict[str, int]:
        """How many pictures this run took through the vision tower, and how many features it read from disk."""
        cache = (
            self.policy.vision if "policy" in vars(self) else None
        )  # a run whose stages were all kept loads no model
        return {"computed": cache.computed if cache else 0, "from_disk": cache.read if cache else 0}

    @cached_property
    def model_identity(self) -> dict[str, Any]:
        """What tells this checkpoint from another: its hub name or, for a local folder, its files.

        The path of a folder is no part of it: a moved checkpoint is the same one.
        """
        settings = dict(self.config.model)
        folder = Path(resolve_path(settings["path"]))
        files = sorted(folder.iterdir()) if folder.is_dir() else []
        if folder.is_dir():
            del settings["path"]
        identities = {file.name: _identity(file) for file in files if _counts(file)}
        return {**settings, "files": identities}

    def examples(self, folder: Path, split: str) -> list[Example]:
        assert split in SPLITS
        path, revive = folder / f"{split}.jsonl", self.reasoned.revive_gold
        return examples_from_jsonl(path, revive=revive, images=self.source.images)

    @contextmanager
    def progress(self, description: str, total: int) -> Iterator[Callable[[int], None]]:
        """See ``mmie.stages.progress``."""
        with progress(self.console, description, total) as advance:
            yield advance

    def track(self, items: list[Any], description: str) -> Iterable[Any]:
        with self.progress(description, len(items)) as advance:
            for item in items:
                yield item
                advance(1)


def is_follower(trainer: TrainerConfig) -> bool:
    """Whether this process is one of several, and not the first.

    Where the configuration says one, the environment does not count.
    """
    later = any(int(os.environ.get(name) or 0) > 0 for name in RANKS)
    return trainer.processes > 1 and later


def local_rank(trainer: TrainerConfig) -> int:
    """Number of this process on its machine, as Lightning, torchrun or srun gives it."""
    if trainer.processes == 1:
        return 0
    return int(os.environ.get("LOCAL_RANK", os.environ.get("SLURM_LOCALID", 0)))


def _counts(file: Path) -> bool:
    """Whether the file is the checkpoint's: hidden ones and a README come and go with copying."""
    return file.is_file() and not file.name.startswith(".") and file.suffix != ".md"


def _identity(file: Path) -> str:
    """A digest of the whole file; of a large one its size and ``SAMPLES`` evenly spread pieces.

    In a file of 5 GB the pieces are 20 MB apart: no weight matrix of a 7B model fits between two.
    """
    size = file.stat().st_size
    digest = hashlib.sha256(str(size).encode())
    with file.open("rb") as content:
        if size <= HASHED_WHOLE:
            return hashlib.sha256(content.read()).hexdigest()[:16]
        for number in range(SAMPLES):
            content.seek((size - PIECE) * number // (SAMPLES - 1))
            digest.update(content.read(PIECE))
    return digest.hexdigest()[:16]
