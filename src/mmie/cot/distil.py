"""Distillation: several chains a sample, each with what the teacher says of it (JMERE-R1 section 3.2; MORE-R1's stage 1).

What is asked about one candidate is the task's matter: ``conf/cot``.
"""

from __future__ import annotations

import asyncio
import json
import os
from collections.abc import Callable, Coroutine, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict
from pathlib import Path
from typing import Any, Protocol, TypeVar

from mmie.cot.record import Record
from mmie.cot.teacher import Purpose, Request, Teacher
from mmie.errors import InputError
from mmie.types import Candidate, Example, Quintuple

T = TypeVar("T")


class Ask(Protocol):
    """One question about one candidate; the answer is the teacher's, or the record's where it was asked before."""

    async def __call__(self, purpose: Purpose, prompt: str, *, chain: str = "") -> str: ...


class Chains(Protocol):
    """How one candidate of a task comes about."""

    async def __call__(self, ask: Ask, example: Example, index: int) -> Candidate:
        """Asks for a chain and, where the task's filters need it, for what they judge it by."""


def run_distillation(
    examples: Sequence[Example], teacher: Teacher, record: Record, *, candidates: int, chains: Chains, progress: Callable[[int], None]
) -> list[Candidate]:
    """``distil`` for callers that do not await it, be it in a running event loop (a notebook)."""
    return run_to_end(
        distil(examples, teacher, record, candidates=candidates, chains=chains, progress=progress)
    )


def run_to_end(work: Coroutine[Any, Any, T]) -> T:
    """The result of a coroutine; where an event loop runs already, another thread does the work."""
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return asyncio.run(work)
    with ThreadPoolExecutor(max_workers=1) as other:
        return other.submit(asyncio.run, work).result()


async def distil(
    examples: Sequence[Example], teacher: Teacher, record: Record, *, candidates: int, chains: Chains, progress: Callable[[int], None]
) -> list[Candidate]:
    """All candidates of all samples, in the samples' order, then by index.

    ``teacher.concurrency`` workers take one candidate after the other, each with one request under way. The
    teacher's connections are closed at the end.

    Args:
        examples: with gold of the task and unique ids.
        teacher: writes and judges.
        record: what has been answered is not asked again.
        candidates: chains a sample (5 in JMERE-R1).
        chains: what is asked about each.
        progress: called with the number of candidates finished so far.

    Raises:
        InputError: the first one of any worker; the others are cancelled.
    """
    places = ((example, index) for example in examples for index in range(candidates))
    finished: dict[tuple[str, int], Candidate] = {}

    async def work() -> None:
        for example, index in places:

            async def ask(purpose: Purpose, prompt: str, *, chain: str = "", of: Example = example, number: int = index) -> str:
                return await record.answer(teacher, Request(purpose, of, number, prompt, chain))

            finished[example.id, index] = await chains(ask, example, index)
            progress(len(finished))

    try:
        async with asyncio.TaskGroup() as workers:
            for _ in range(teacher.concurrency):
                workers.create_task(work())
    except ExceptionGroup as errors:
        first = errors.exceptions[0]
        raise first from first.__cause__
    finally:
        await teacher.close()
    return [finished[example.id, index] for example in examples for index in range(candidates)]


def candidates_to_jsonl(candidates: Sequence[Candidate], path: Path) -> None:
    """One JSON object a line, under a temporary name until the file is whole; InputError where the disk refuses."""
    unfinished = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        unfinished.write_text("".join(json.dumps(asdict(candidate)) + "\n" for candidate in candidates))
        os.replace(unfinished, path)
    except OSError as error:
        unfinished.unlink(missing_ok=True)
        raise InputError(f"{path}: cannot write ({error.strerror}); make room or make it writable") from error


def candidates_from_jsonl(path: Path) -> list[Candidate]:
    """What ``candidates_to_jsonl`` wrote; InputError with file and line where it is something else."""
    try:
        lines = path.read_bytes().splitlines()
    except OSError as error:
        raise InputError(f"{path}: cannot read ({error.strerror}); distil again") from error
    return [_read_candidate(line, f"{path}:{number}") for number, line in enumerate(lines, start=1)]


def _read_candidate(line: bytes, where: str) -> Candidate:
    try:
        row = json.loads(line)
        read = row.pop("repredicted")
        return Candidate(**row, repredicted=None if read is None else tuple(Quintuple(*fields) for fields in read))
    except (ValueError, LookupError, TypeError, AttributeError) as error:
        raise InputError(f"{where}: not a candidate; delete the file and distil again") from error
