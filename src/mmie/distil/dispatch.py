"""Many requests at once: bounded, drained after a fault, and watched for refusals."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable

from mmie.distil.answer import Answer
from mmie.distil.record import Record
from mmie.distil.teacher import Request, Teacher
from mmie.errors import InputError

EARLY = (
    20  # requests, all refused, after which a run stops: the set-up is at fault, not the samples
)

Job = Callable[[], Awaitable[None]]


class Dispatcher:
    """Where the jobs of one run ask the teacher.

    After the first InputError no request begins any more. Those under way come to their end, so
    that no answer that was paid for is lost.

    Args:
        teacher: answers; its connections are closed at the end of ``run``.
        record: what has been answered is not asked again.
        progress: called with 1 after every request.
    """

    def __init__(self, teacher: Teacher, record: Record, progress: Callable[[int], None]) -> None:
        self._teacher = teacher
        self._record = record
        self._progress = progress
        self._failure: InputError | None = None

    async def ask(self, request: Request) -> Answer:
        """The answer, in whatever state; InputError where this or another job met a fault."""
        if self._failure is not None:
            raise self._failure
        answer = await self._record.answer(self._teacher, request)
        self._progress(1)
        self._stop_if_all_are_refused()
        return answer

    async def run(self, jobs: Iterable[Job]) -> None:
        """Runs the jobs, ``teacher.concurrency`` of them at a time.

        Raises:
            InputError: the first one of any job, after all requests under way have ended.
        """
        queue = iter(jobs)
        try:
            async with asyncio.TaskGroup() as workers:
                for _ in range(self._teacher.concurrency):
                    workers.create_task(self._work(queue))
        except ExceptionGroup as errors:
            first = errors.exceptions[0]
            raise first from first.__cause__
        finally:
            await self._teacher.close()
        if self._failure is not None:
            raise self._failure

    async def _work(self, queue: Iterable[Job]) -> None:
        for job in queue:
            if self._failure is not None:
                return
            try:
                await job()
            except InputError as error:
                self._failure = self._failure or error

    def _stop_if_all_are_refused(self) -> None:
        """A server that refuses everything is not asked ten thousand times."""
        asked, refused = self._record.asked, self._record.fetched["refused"]
        if refused == asked >= EARLY and self._teacher.max_refused < 1:
            raise InputError(
                f"{_refusals(self._teacher, self._record)}; mend what the server complains about"
            )


def check_refused(teacher: Teacher, record: Record, listed: object) -> None:
    """Raises InputError where the share of refused requests is above ``teacher.max_refused``.

    Args:
        teacher, record: of the run that has ended.
        listed: the file that lists the refused requests.
    """
    refused = sum(entry.state == "refused" for entry in record.unanswered)
    if refused > teacher.max_refused * (record.asked + record.reused):
        raise InputError(
            f"{_refusals(teacher, record)}, which is more than "
            f"teacher.max_refused={teacher.max_refused:g}; "
            f"read {listed}, then mend the samples or raise teacher.max_refused"
        )


def _refusals(teacher: Teacher, record: Record) -> str:
    refused = [entry for entry in record.unanswered if entry.state == "refused"]
    count = f"{len(refused):,} of {record.asked + record.reused:,} requests were refused"
    first = f"the first, for {refused[0].example_id}: {refused[0].reason or 'no reason given'}"
    return f"teacher {teacher.model}: {count} ({first})"
