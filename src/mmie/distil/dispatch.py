"""Sends many requests at once: a bounded number, stopping after an error or if all are refused."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable

from mmie.distil.answer import Answer
from mmie.distil.record import Record
from mmie.distil.teacher import Request, Teacher
from mmie.errors import InputError

# A run stops after this many requests if all were refused: the fault is in the configuration then,
# not in the samples.
EARLY = 20

Job = Callable[[], Awaitable[None]]


class Dispatcher:
    """Runs jobs that ask the teacher.

    No request begins after the first InputError. Those under way come to their end, so that no
    answer that was paid for is lost.
    """

    def __init__(self, teacher: Teacher, record: Record, progress: Callable[[int], None]) -> None:
        """Starts nothing yet.

        Args:
            teacher: answers; its connections are closed at the end of ``run``.
            record: what it holds is not asked again.
            progress: called with 1 after every request.
        """
        self._teacher = teacher
        self._record = record
        self._progress = progress
        self._failure: InputError | None = None

    async def ask(self, request: Request) -> Answer:
        """The answer, in whatever state.

        Raises:
            InputError: the request failed, or another job's request failed before.
        """
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
        queue = iter(jobs)  # shared by all workers: each takes the next job when it is free
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
            reason = _describe_refusals(self._teacher, self._record)
            raise InputError(f"{reason}; fix what the server complains about")


def check_refused(teacher: Teacher, record: Record, listed: object) -> None:
    """Checks the share of refused requests at the end of a run.

    Args:
        teacher, record: of that run.
        listed: the file that lists the refused requests, for the message.

    Raises:
        InputError: the share is above ``teacher.max_refused``.
    """
    refused = sum(entry.state == "refused" for entry in record.unanswered)
    if refused > teacher.max_refused * (record.asked + record.reused):
        raise InputError(
            f"{_describe_refusals(teacher, record)}, which is more than "
            f"teacher.max_refused={teacher.max_refused:g}; "
            f"read {listed}, then fix the samples or raise teacher.max_refused"
        )


def _describe_refusals(teacher: Teacher, record: Record) -> str:
    refused = [entry for entry in record.unanswered if entry.state == "refused"]
    count = f"{len(refused):,} of {record.asked + record.reused:,} requests were refused"
    first = f"the first, for {refused[0].example_id}: {refused[0].reason or 'no reason given'}"
    return f"teacher {teacher.model}: {count} ({first})"
