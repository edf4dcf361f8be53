"""Distillation: several chains a sample, each with what the teacher says of it (JMERE-R1 section 3.2; MORE-R1's stage 1).

What is asked about one candidate is the task's matter: ``conf/tasks``.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Coroutine, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict
from functools import partial
from pathlib import Path
from typing import Any, Protocol, TypeVar

from mmie.distil.desk import Desk, Job
from mmie.distil.record import Record
from mmie.distil.teacher import Purpose, Request, Teacher
from mmie.errors import InputError
from mmie.files import write_text
from mmie.types import Candidate, Example, Quintuple

T = TypeVar("T")


class Ask(Protocol):
    """One question about one candidate; the record answers what was asked before.

    "" where the answer is not whole: cut at the token limit, refused or empty.
    """

    async def __call__(self, purpose: Purpose, prompt: str, *, chain: str = "") -> str: ...


class Chains(Protocol):
    """How one candidate of a task comes about.

    Attributes:
        requests: how many requests one candidate takes at most.
    """

    requests: int

    async def __call__(self, ask: Ask, example: Example, index: int) -> Candidate:
        """Asks for a chain and, where the task's filters need it, for what they judge it by."""


def run_distillation(
    examples: Sequence[Example],
    teacher: Teacher,
    record: Record,
    *,
    candidates: int,
    chains: Chains,
    progress: Callable[[int], None],
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
    examples: Sequence[Example],
    teacher: Teacher,
    record: Record,
    *,
    candidates: int,
    chains: Chains,
    progress: Callable[[int], None],
) -> list[Candidate]:
    """All candidates of all samples, in the samples' order, then by index.

    ``teacher.concurrency`` workers take one candidate after the other, each with one request under
    way. The teacher's connections are closed at the end. A request that the server refuses stops no
    other one: the record lists it under ``unanswered``, and its candidate goes without that answer.

    Args:
        examples: with gold of the task and unique ids.
        teacher: writes and judges.
        record: what has been answered is not asked again.
        candidates: chains per sample (5 in JMERE-R1).
        chains: what is asked about each.
        progress: called with the number of requests that are done, or turned out not to be needed,
            since the last call; they add up to examples × candidates × ``chains.requests``.

    Raises:
        InputError: the first fault that concerns every request, after those under way have ended.
    """
    desk = Desk(teacher, record, progress)
    finished: dict[tuple[str, int], Candidate] = {}

    async def one(example: Example, index: int) -> None:
        asked = 0

        async def ask(purpose: Purpose, prompt: str, *, chain: str = "") -> str:
            nonlocal asked
            asked += 1
            return (await desk.ask(Request(purpose, example, index, prompt, chain))).usable

        finished[example.id, index] = await chains(ask, example, index)
        if asked < chains.requests:
            progress(chains.requests - asked)

    def jobs() -> Iterator[Job]:
        for example in examples:
            for index in range(candidates):
                yield partial(one, example, index)

    await desk.run(jobs())
    return [finished[example.id, index] for example in examples for index in range(candidates)]


def candidates_to_jsonl(candidates: Sequence[Candidate], path: Path) -> None:
    """One JSON object per line; InputError where the disk refuses."""
    lines = [json.dumps(asdict(candidate)) + "\n" for candidate in candidates]
    write_text(path, "".join(lines))


def candidates_from_jsonl(path: Path) -> list[Candidate]:
    """What ``candidates_to_jsonl`` wrote; InputError with file and line where it is not."""
    try:
        lines = path.read_bytes().splitlines()
    except OSError as error:
        raise InputError(f"{path}: cannot read ({error.strerror}); {_way_out(path)}") from error
    numbered = enumerate(lines, start=1)
    return [_read_candidate(line, f"{path}:{number}", path) for number, line in numbered]


def _way_out(path: Path) -> str:
    """The file alone must not be deleted: its folder would still count as finished."""
    folder = f"delete the folder {path.parent} and run again"
    return f"{folder}: it is made again from the teacher's record"


def _read_candidate(line: bytes, where: str, path: Path) -> Candidate:
    try:
        return _candidate(json.loads(line))
    except (ValueError, LookupError, TypeError, AttributeError, RecursionError) as error:
        raise InputError(f"{where}: not a candidate; {_way_out(path)}") from error


def _candidate(row: dict[str, Any]) -> Candidate:
    """Raises an error that ``_read_candidate`` knows where a field is missing or wrong."""
    read = row.pop("repredicted")
    quintuples = None if read is None else tuple(Quintuple(*fields) for fields in read)
    candidate = Candidate(**row, repredicted=quintuples)
    texts = [candidate.example_id, candidate.chain]
    for quintuple in quintuples or ():
        texts += quintuple
    "".join(texts).encode()  # all of them strings, and no half character
    if type(candidate.index) is not int:
        raise TypeError("index")
    if candidate.score is not None and type(candidate.score) not in (int, float):
        raise TypeError("score")
    return candidate
