"""Sends many requests at once: a bounded number, stopping after an error or if all are refused."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable
from contextlib import suppress

from mmie.distil.answer import Answer
from mmie.distil.budget import Purse
from mmie.distil.locks import sole_claim
from mmie.distil.open_batches import batches_path, check_no_batches
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


class _Unrecorded(Exception):  # noqa: N818  it is no error
    """A job needs an answer that the record does not have yet."""


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
        self._wanted: dict[str, Request] | None = None  # while requests are only collected
        self._failed: set[str] = set()  # samples, since the last request that has not failed
        self._others = 0  # fetched answers that had not failed by then

    async def ask(self, request: Request) -> Answer:
        """The answer, in whatever state.

        Raises:
            InputError: the request failed, or another job's request failed before.
        """
        if self._wanted is not None:
            return self._recorded(request, self._wanted)
        if self._failure is not None:
            raise self._failure
        answer = await self._record.answer(self._teacher, request, self._purse)
        self._progress(1)
        if self._teacher.in_batches is None:
            self._stop_if_all_are_refused()
            if answer.state == "failed":
                self._stop_if_others_fail_too(request, answer)
        return answer

    def skip(self, requests: int) -> None:
        """A job needed fewer requests than it might have."""
        if requests and self._wanted is None:
            self._progress(requests)

    async def run(self, jobs: Callable[[], Iterable[Job]]) -> None:
        """Runs the jobs, ``teacher.concurrency`` of them at a time.

        If the teacher answers in batches, these come first, and the jobs find all answers in the
        record.

        Args:
            jobs: gives them, each time anew. A job may be run several times.

        Raises:
            InputError: the first one of any job, after all requests under way have ended.
        """
        try:
            await self._fetch_batches(jobs)
            queue = iter(jobs())  # shared by all workers: each takes the next job when it is free
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

    async def _fetch_batches(self, jobs: Callable[[], Iterable[Job]]) -> None:
        """Fetches all answers in batches if the teacher does so."""
        path, make, batches = self._record.path, self._teacher.in_batches, None
        if make is None:
            check_no_batches(path)
            return
        self._record.ledger.under_way = "waiting for the batches of another run"
        async with sole_claim(path, "batches", meanwhile=lambda: self._progress(0)):
            self._record.ledger.under_way = ""
            while (wanted := await self._unrecorded(jobs())) or batches_path(path).is_file():
                batches = batches or make(self._record, self._purse, self._progress)
                try:
                    await batches.answer(wanted)
                except InputError as error:
                    raise self._record.with_advice(error) from error

    async def _unrecorded(self, jobs: Iterable[Job]) -> dict[str, Request]:
        """The next request of each job that has one without a recorded answer, by its key."""
        self._wanted = {}
        for job in jobs:
            with suppress(_Unrecorded):
                await job()
        wanted, self._wanted = self._wanted, None
        return wanted

    def _recorded(self, request: Request, wanted: dict[str, Request]) -> Answer:
        key = self._record.key(self._teacher, request)
        answer = self._record.get(key)
        if answer is None:
            wanted[key] = request
            raise _Unrecorded
        return answer

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
            error = InputError(
                f"teacher {self._teacher.model}: the server failed at {FAILED_SAMPLES} samples one "
                f"after the other (the last, {request.example.id}: {answer.details['reason']}); "
                "check the server"
            )
            raise self._record.with_advice(error)


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
