"""Which process of a run this one is, and how the others wait for the first.

The first process does every stage and writes all files. The others train with it and wait for it
everywhere else.
"""

from __future__ import annotations

import logging
import os
import time
from contextlib import AbstractContextManager, nullcontext

from mmie.artifacts import Store, fingerprint
from mmie.config import RunConfig, TrainerConfig
from mmie.errors import InputError
from mmie.stages.heartbeat import beating, watching

RANKS = ("LOCAL_RANK", "RANK", "SLURM_PROCID")
POLL = 0.5  # seconds between two looks at what the first process is doing
log = logging.getLogger(__name__)


def is_follower(trainer: TrainerConfig) -> bool:
    """Whether this process is one of several, and not the first.

    If the configuration asks for one process, the environment does not count.
    """
    later = any(int(os.environ.get(name) or 0) > 0 for name in RANKS)
    return trainer.processes > 1 and later


def local_rank(trainer: TrainerConfig) -> int:
    """The number of this process on its machine, as Lightning, torchrun or srun gives it."""
    if trainer.processes == 1:
        return 0
    return int(os.environ.get("LOCAL_RANK", os.environ.get("SLURM_LOCALID", 0)))


def in_touch(config: RunConfig, store: Store) -> AbstractContextManager[None]:
    """Inside, the processes of one run notice each other's end; a single one has nobody to tell."""
    if config.trainer.processes == 1:
        return nullcontext()
    path = store.root / "heartbeat" / fingerprint(config=config)
    return watching(path) if is_follower(config.trainer) else beating(path)


def wait_for_first(store: Store, stage: str, key: str) -> None:
    """Returns when the first process has finished the stage.

    Raises:
        InputError: the first process has ended before that.
    """
    parent = os.getppid()
    if not store.ready(stage, key):
        path = store.path(stage, key)
        log.info("waiting for the first process of this run to finish %s", path)
    while not store.ready(stage, key):
        if os.getppid() != parent:
            what = "the first process of this run is gone"
            raise InputError(f"{stage}: {what}; start the run again, it goes on from there")
        time.sleep(POLL)
