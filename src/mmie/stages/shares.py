"""Answers that the processes of a run share: each asks for its part, and the first joins them.

Process k of n answers the samples k, k + n, k + 2n, …. It writes them to ``part-k-of-n.jsonl``
beside the file that they are for, and then ``part-k-of-n.done``. Files are enough for this, so the
processes need no group of torch's. A killed run may go on with another number of processes: what
stands in any of the files is not asked again.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from mmie.errors import InputError
from mmie.files import complete_object, read_and_repair_jsonl, write_text
from mmie.settings import EvaluationConfig
from mmie.stages.answers import (
    Answer,
    AnswerFile,
    Ask,
    answer,
    ask_in_batches,
    ask_policy,
    response_file,
)
from mmie.stages.context import Context
from mmie.stages.ranks import POLL, heartbeat_files, rank_of, wait_for
from mmie.stages.system import System, answering
from mmie.types import Example, Responded

STARTUP = 300.0  # seconds for the other processes to load what they need
PARTS = "part-*-of-*.jsonl"


def answers(
    context: Context,
    system: System,
    examples: Sequence[Example],
    path: Path,
    config: EvaluationConfig,
) -> list[Responded] | None:
    """One response of a system to each sample, in order, written to a file as they come.

    A killed run goes on after the last whole line. All processes of the run must call it.

    Args:
        context: the run.
        system: who answers.
        examples: the samples.
        path: the file, see ``response_file``.
        config: how responses are sampled.

    Returns:
        The responses; None in all processes but the first.
    """
    with answering(context, system):
        return answer_in_shares(
            context,
            examples,
            ask_policy(context, system.task, config),
            batch_size=config.batch_size,
            file=response_file(context, system.task, path, engine=context.engine.name),
            label=f"answering ({system.name})",
        )


def answer_in_shares(
    context: Context,
    examples: Sequence[Example],
    ask: Ask[Answer],
    *,
    batch_size: int,
    file: AnswerFile[Answer],
    label: str,
) -> list[Answer] | None:
    """``answer`` by all processes of the run; the file is the one that a single process writes.

    Args:
        context, examples, ask, batch_size, label: see ``answer``.
        file: takes the answers in the order of the samples. Its lines must have the key ``id``.

    Returns:
        One answer for each sample, in order; None in all processes but the first.

    Raises:
        InputError: a file cannot be written, or lacks answers.
    """
    folder, trainer = file.path.parent, context.config.trainer
    if trainer.processes == 1 and not any(folder.glob(PARTS)):
        return answer(context, examples, ask, batch_size=batch_size, file=file, label=label)
    _begin(context, folder, label)
    rank, size = rank_of(trainer), trainer.processes
    if folder.exists() and not _part(folder, rank, size, "done").exists():
        own = replace(file, path=_part(folder, rank, size, "jsonl"))
        read_and_repair_jsonl(own.path, keys=file.keys)
        known = _lines(file)
        left = [example for example in examples[rank::size] if example.id not in known]
        ask_in_batches(context, left, ask, batch_size=batch_size, file=own, label=label)
        write_text(_part(folder, rank, size, "done"), "")
    if context.follower:
        return None
    _wait_for_all(context, folder)
    return _joined(file, examples)


def _part(folder: Path, rank: int, size: int, ending: str) -> Path:
    return folder / f"part-{rank}-of-{size}.{ending}"


def _begin(context: Context, folder: Path, label: str) -> None:
    """The first process lets the others in, and starts them if nobody has; these wait for it.

    The sign is the run's own, as another run may be working in the folder, and the first process
    then waits for that one's end.
    """
    opened = folder / f"part-open-{heartbeat_files(context.config, context.store)[0].name}"
    if context.follower:
        finished = folder.with_suffix("")  # of ``.partial``, if the first has needed nobody
        wait_for(lambda: opened.exists() or finished.exists(), label)
        return
    write_text(opened, "")
    if context.config.trainer.processes > 1:
        from mmie.training.fit import start_processes  # loads Lightning, which one process spares

        start_processes(context.config.trainer)


def _wait_for_all(context: Context, folder: Path) -> None:
    """Returns when all shares are done. The heartbeat ends the run if a process is gone.

    Raises:
        InputError: one has never come.
    """
    beats, end = heartbeat_files(context.config, context.store), time.monotonic() + STARTUP
    size = len(beats)
    while left := [rank for rank in range(size) if not _part(folder, rank, size, "done").exists()]:
        absent = [rank for rank in left if not beats[rank].exists()]
        if absent and time.monotonic() > end:
            what = f"process {absent[0]} of {size} (trainer.devices × trainer.num_nodes)"
            raise InputError(f"{what} has not been started; start all of them, or ask for fewer")
        time.sleep(POLL)


def _lines(file: AnswerFile[Any]) -> dict[str, bytes]:
    """Sample id → its line, from the file and all the parts, which others may be writing now."""
    lines = {}
    for path in [file.path, *sorted(file.path.parent.glob(PARTS))]:
        for line in path.read_bytes().splitlines(keepends=True) if path.exists() else []:
            row = complete_object(line, ["id", *file.keys])
            if row is not None:
                lines[row["id"]] = line
    return lines


def _joined(file: AnswerFile[Answer], examples: Sequence[Example]) -> list[Answer]:
    """Writes the file from the parts; returns the answers in it."""
    lines, folder = _lines(file), file.path.parent
    missing = sum(example.id not in lines for example in examples)
    if missing:
        what = f"the answers to {missing:,} of {len(examples):,} samples are missing"
        raise InputError(f"{folder}: {what}; delete the folder and run again")
    write_text(file.path, b"".join(lines[example.id] for example in examples).decode())
    return file.load()
