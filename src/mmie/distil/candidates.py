"""Distillation: several chains for each sample, each with the teacher's verdicts on it.

It is that of JMERE-R1 section 3.2 and of stage 1 in MORE-R1. What the teacher is asked about one
candidate is decided by the task's chains node.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Coroutine, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, fields
from functools import partial
from pathlib import Path
from typing import Any, Protocol, TypeVar

from mmie.distil.dispatch import Dispatcher, Job
from mmie.distil.record import Record
from mmie.distil.teacher import Request, Teacher
from mmie.files import read_jsonl, write_text
from mmie.types import Candidate, Example

T = TypeVar("T")


class Ask(Protocol):
    """Asks the teacher about one candidate; the record answers what was asked before.

    The answer is "" where it is not whole: cut at the token limit, refused or empty.
    """

    async def __call__(self, purpose: str, prompt: str, *, chain: str = "") -> str: ...


class Chains(Protocol):
    """Makes one candidate of a task.

    Attributes:
        requests: how many requests one candidate takes at most.
    """

    requests: int

    async def __call__(self, ask: Ask, example: Example, index: int) -> Candidate:
        """Asks for a chain and for the verdicts that the task's filters read.

        An answer that cannot be read is the verdict None. Where the teacher answers in batches, a
        call ends at the first question without an answer and is made again when it is there. So
        what is asked must follow from the sample and the answers alone.
        """


def run_distillation(
    examples: Sequence[Example],
    teacher: Teacher,
    record: Record,
    *,
    candidates: int,
    chains: Chains,
    progress: Callable[[int], None],
) -> list[Candidate]:
    """All candidates of all samples, in the samples' order, then by index.

    It may be called within a running event loop, too, as in a notebook.

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
    dispatcher = Dispatcher(teacher, record, progress)
    finished: dict[tuple[str, int], Candidate] = {}

    async def one(example: Example, index: int) -> None:
        asked = 0

        async def ask(purpose: str, prompt: str, *, chain: str = "") -> str:
            nonlocal asked
            asked += 1
            return (await dispatcher.ask(Request(purpose, example, index, prompt, chain))).usable

        finished[example.id, index] = await chains(ask, example, index)
        dispatcher.skip(chains.requests - asked)

    def jobs() -> Iterator[Job]:
        for example in examples:
            for index in range(candidates):
                yield partial(one, example, index)

    run_to_end(dispatcher.run(jobs))
    return [finished[example.id, index] for example in examples for index in range(candidates)]


def run_to_end(work: Coroutine[Any, Any, T]) -> T:
    """The result of a coroutine; where an event loop runs already, another thread does the work."""
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return asyncio.run(work)
    with ThreadPoolExecutor(max_workers=1) as other:
        return other.submit(asyncio.run, work).result()


def candidates_to_jsonl(candidates: Sequence[Candidate], path: Path) -> None:
    """One JSON object per line; InputError where the disk refuses."""
    lines = [json.dumps(asdict(candidate)) + "\n" for candidate in candidates]
    write_text(path, "".join(lines))


def candidates_from_jsonl(path: Path) -> list[Candidate]:
    """What ``candidates_to_jsonl`` wrote; InputError with file and line where it is not."""
    # The file alone must not be deleted: its folder would still count as finished.
    remedy = f"delete the folder {path.parent} and run again: it is made from the teacher's record"
    return read_jsonl(path, _candidate, what="a candidate", remedy=remedy)


def _candidate(row: dict[str, Any]) -> Candidate:
    """Raises an error that ``read_jsonl`` knows where a field is missing or wrong."""
    if set(row) != {field.name for field in fields(Candidate)}:
        raise LookupError("fields")
    candidate = Candidate(**row)
    if type(candidate.index) is not int or not isinstance(candidate.verdicts, dict):
        raise TypeError("index or verdicts")
    "".join([candidate.example_id, candidate.chain]).encode()  # both text, and no half character
    json.dumps(candidate.verdicts, ensure_ascii=False).encode()
    return candidate
