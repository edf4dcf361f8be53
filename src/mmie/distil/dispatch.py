"""Sends many requests at once: a bounded number, stopping after an error or if all are refused."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable

from mmie.distil.answer import Answer
from mmie.distil.budget import Purse
from mmie.distil.record import Record, Unanswered
from mmie.distil.teacher import Request, Teacher
from mmie.errors import InputError

# A run stops after this many requests if all were refused: the fault is in the configuration then,
# not in the samples.
EARLY = 20
# A run stops after requests about this many samples have failed without an answer in between: the
# server is broken then, and not one sample.
FAILED_SAMPLES = 3

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
        self._purse: Purse | None = None
        if teacher.budget is not None:
            self._purse = Purse(teacher.budget, lambda: record.spent(teacher.price))
        self._failure: InputError | None = None
        self._failed: set[str] = set()  # samples, since the last request that has not failed
        self._others = 0  # fetched answers that had not failed by then

    async def ask(self, request: Request) -> Answer:
        """The answer, in whatever state.

        Raises:
            InputError: the request failed, or another job's request failed before.
        """
        if self._failure is not None:
            raise self._failure
        answer = await self._record.answer(self._teacher, request, self._purse)
        self._progress(1)
        self._stop_if_all_are_refused()
        if answer.state == "failed":
            self._stop_if_others_fail_too(request, answer)
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

    def _stop_if_others_fail_too(self, request: Request, answer: Answer) -> None:
        """A server that has broken down is not tried for every request that is left."""
        others = self._record.asked - self._record.fetched["failed"]
        if others != self._others:
            self._failed.clear()
            self._others = others
        self._failed.add(request.example.id)
        if len(self._failed) >= FAILED_SAMPLES:
            raise InputError(
                f"teacher {self._teacher.model}: the server failed at {FAILED_SAMPLES} samples one "
                f"after the other (the last, {request.example.id}: {answer.details['reason']}); "
                f"check the server, then run again: the answers so far are kept in "
                f"{self._record.path}"
            )


def check_refused(teacher: Teacher, record: Record, listed: object) -> None:
    """Checks the share of refused and failed requests at the end of a run.

    Args:
        teacher, record: of that run.
        listed: the file that lists the refused requests, for the message.

    Raises:
        InputError: the share is above ``teacher.max_refused``.
    """
    refused = len(_refused(record))
    if refused > teacher.max_refused * (record.asked + record.reused):
        raise InputError(
            f"{_describe_refusals(teacher, record)}, which is more than "
            f"teacher.max_refused={teacher.max_refused:g}; "
            f"read {listed}, then fix the samples or raise teacher.max_refused"
        )


def _describe_refusals(teacher: Teacher, record: Record) -> str:
    refused = _refused(record)
    count = f"{len(refused):,} of {record.asked + record.reused:,} requests were refused"
    first = f"the first, for {refused[0].example_id}: {refused[0].reason or 'no reason given'}"
    return f"teacher {teacher.model}: {count} ({first})"


def _refused(record: Record) -> list[Unanswered]:
    return [entry for entry in record.unanswered if entry.state in ("refused", "failed")]
