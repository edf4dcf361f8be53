"""Which process of a run this one is, and how the others wait for the first.

The first process does every stage and writes all files. The others train and answer samples with
it, and wait for it everywhere else.
"""

from __future__ import annotations

import logging
import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from mmie import stopping
from mmie.artifacts import Store, fingerprint
from mmie.config import RunConfig, TrainerConfig
from mmie.errors import InputError
from mmie.files import write_text
from mmie.stages.heartbeat import ADVICE, Pulse, beating, first_process, watching

RANKS = ("LOCAL_RANK", "RANK", "SLURM_PROCID")
PATIENCE = 2.0  # seconds from an error here to the end of the process that has caused it
POLL = 0.5  # seconds between two looks at what the first process is doing
log = logging.getLogger(__name__)


def is_follower(trainer: TrainerConfig) -> bool:
    """Whether this process is one of several, and not the first.

    If the configuration asks for one process, the environment does not count.
    """
    later = any(int(os.environ.get(name) or 0) > 0 for name in RANKS)
    return trainer.processes > 1 and later


def rank_of(trainer: TrainerConfig) -> int:
    """The number of this process among all of the run, as whoever started it says."""
    if trainer.processes == 1:
        return 0
    if "RANK" in os.environ:
        return int(os.environ["RANK"])
    if "LOCAL_RANK" not in os.environ:
        return int(os.environ.get("SLURM_PROCID", 0))
    node = int(os.environ.get("NODE_RANK", 0))
    return node * trainer.devices + int(os.environ["LOCAL_RANK"])


def local_rank(trainer: TrainerConfig) -> int:
    """The number of this process on its machine, as Lightning, torchrun or srun gives it."""
    if trainer.processes == 1:
        return 0
    return int(os.environ.get("LOCAL_RANK", os.environ.get("SLURM_LOCALID", 0)))


def heartbeat_files(config: RunConfig, store: Store) -> list[Path]:
    """The file that each process of the run touches as long as it lives, by rank."""
    first = store.root / "heartbeat" / fingerprint(config=config)
    others = range(1, config.trainer.processes)
    return [first, *(first.with_name(f"{first.name}.{rank}") for rank in others)]


@contextmanager
def in_touch(config: RunConfig, store: Store) -> Iterator[None]:
    """Inside, the processes of one run notice each other's end; a single one has nobody to tell."""
    if config.trainer.processes == 1:
        yield
        return
    files, begun = heartbeat_files(config, store), _begun_file(config, store)
    if is_follower(config.trainer):
        own, pulses = files[rank_of(config.trainer)], [first_process(files[0])]
    else:
        own = files[0]
        pulses = [Pulse(path, f"process {rank}") for rank, path in enumerate(files) if rank]
        begun.unlink(missing_ok=True)  # of a run that was killed
    with beating(own), watching(pulses, own=own), _blaming_the_dead():
        yield
    begun.unlink(missing_ok=True)


def begin_training(config: RunConfig, store: Store, key: str) -> None:
    """The first process tells the others that it has begun the training with this key."""
    if config.trainer.processes > 1:
        write_text(_begun_file(config, store), key)


def takes_part_in_training(config: RunConfig, store: Store, stage: str, key: str) -> bool:
    """Waits until the first process trains, or finds that another run has done so.

    If two runs need one training, one of them does it and the first process of the other waits for
    its end. Until then the others of that run must not wait for it in a collective operation, which
    would time out.

    Returns:
        Whether this run trains.

    Raises:
        InputError: the first process has ended before that.
    """
    begun = _begun_file(config, store)

    def decided() -> bool:
        known = begun.read_text(encoding="utf-8") if begun.exists() else None
        return known == key or store.ready(stage, key)

    wait_for(decided, stage)
    return not store.ready(stage, key)


def _begun_file(config: RunConfig, store: Store) -> Path:
    """Holds the key of the training that the run has begun last."""
    first = heartbeat_files(config, store)[0]
    return first.with_name(f"{first.name}.begun")


@contextmanager
def _blaming_the_dead() -> Iterator[None]:
    """Inside, an error is put down to another process if that one has just ended with an error.

    Collective operations fail in all processes, in words that say nothing of the cause.
    """
    try:
        yield
    except RuntimeError as error:
        end = time.monotonic() + PATIENCE
        while (reason := stopping.failed_child()) is None and time.monotonic() < end:
            time.sleep(POLL)
        if reason is None:
            raise
        raise InputError(f"{reason}; {ADVICE}") from error


def wait_for_first(store: Store, stage: str, key: str) -> None:
    """Returns when the first process has finished the stage.

    Raises:
        InputError: the first process has ended before that.
    """
    if not store.ready(stage, key):
        path = store.path(stage, key)
        log.info("waiting for the first process of this run to finish %s", path)
    wait_for(lambda: store.ready(stage, key), stage)


def wait_for(ready: Callable[[], bool], stage: str) -> None:
    """Returns when the first process has come so far.

    Raises:
        InputError: the first process has ended before that; the message begins with the stage.
    """
    parent = os.getppid()
    while not ready():
        if os.getppid() != parent:
            what = "the first process of this run is gone"
            raise InputError(f"{stage}: {what}; {ADVICE}")
        time.sleep(POLL)
