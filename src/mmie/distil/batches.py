"""Many requests are asked together, in files that a server answers within a day.

A file takes as many requests as the server and the budget allow. What a batch leaves unanswered,
because it expired or the server failed, goes into the next one. A killed run loses nothing: the
next one finds the batches in a file beside the record and waits for them.
"""

from __future__ import annotations

import asyncio
import json
import time
from collections import Counter, deque
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import TYPE_CHECKING

from openai.types import Batch

from mmie.distil.answer import Answer
from mmie.distil.batch_limits import BatchLimits
from mmie.distil.batch_server import ENDED, ENDPOINT, BatchServer, Line, errors_of, is_full
from mmie.distil.budget import Purse
from mmie.distil.open_batches import (
    OpenBatch,
    Waiting,
    batches_path,
    new_mark,
    read_batches,
    write_batches,
)
from mmie.distil.record import Record
from mmie.distil.replies import Complaint, read_reply
from mmie.distil.teacher import Request
from mmie.errors import InputError
from mmie.files import disk_errors

if TYPE_CHECKING:
    from mmie.distil.teacher import OpenAITeacher


class Batches:
    """The batches of one record. One process at a time may use them."""

    def __init__(
        self,
        teacher: OpenAITeacher,
        server: BatchServer,
        limits: BatchLimits,
        *,
        record: Record,
        purse: Purse | None,
        progress: Callable[[int], None],
    ) -> None:
        """Reads which batches an earlier run has left.

        Args:
            teacher: writes the requests and reads the replies.
            server: answers them.
            limits: of the files.
            record: takes the answers.
            purse: bounds what is spent.
            progress: called with 0 after every look at the batches.

        Raises:
            InputError: the file of open batches is broken.
        """
        self._teacher = teacher
        self._server = server
        self._limits = limits
        self._record = record
        self._purse = purse
        self._progress = progress
        self._path = batches_path(record.path)
        self._file = record.path.with_name(f".{record.path.name}.upload.jsonl")
        self._tries: Counter[str] = Counter()
        self._full = False  # the server takes no more before a batch has ended
        self._open = read_batches(self._path)
        for batch in self._open:
            self._reserve(batch.worst)

    async def answer(self, wanted: Mapping[str, Request]) -> None:
        """Returns when all requests are answered, and no batch is open any more.

        Args:
            wanted: key in the record → request.

        Raises:
            InputError: an error concerns every request, the server does not accept a batch, or the
                budget is spent. Batches that are open stay so, for the next run.
        """
        await self._adopt()
        while True:
            await self._submit(wanted)
            if not self._open:
                return
            await self._look()

    async def _adopt(self) -> None:
        """Finds out whether batches without an id were started before a run was killed."""
        self._file.unlink(missing_ok=True)
        for batch in [batch for batch in self._open if not batch.id]:
            found = await self._server.find(batch.mark, since=batch.since)
            self._open.remove(batch)
            if found is None:
                self._release(batch.worst)
            else:
                self._open.append(replace(batch, id=found))
        write_batches(self._path, self._open)

    async def _submit(self, wanted: Mapping[str, Request]) -> None:
        """Starts batches for all that is neither answered nor under way, as far as they fit."""
        under_way = {key for batch in self._open for key in batch.requests}
        todo = deque(
            (key, request)
            for key, request in wanted.items()
            if key not in under_way and self._record.get(key) is None
        )
        while todo and not self._full:
            taken, worst = self._write_file(todo)
            if not taken:
                return
            await self._start(taken, worst)

    def _write_file(self, todo: deque[tuple[str, Request]]) -> tuple[dict[str, Request], float]:
        """Moves requests from ``todo`` to the file, until it is full; and their worst case.

        Raises:
            InputError: the budget does not suffice for one, and no batch is open.
        """
        taken: dict[str, Request] = {}
        worst, size = 0.0, 0
        with disk_errors(self._file), self._file.open("wb") as file:
            while todo and len(taken) < self._limits.requests:
                key, request = todo[0]
                cost = 0.0 if self._purse is None else self._teacher.worst_case(request)
                if self._purse is not None and not self._purse.fits(worst + cost):
                    if not taken and not self._open:
                        raise self._purse.empty(cost)
                    break
                line = self._line(key, request)
                if taken and size + len(line) > self._limits.size:
                    break
                file.write(line)
                taken[key] = request
                worst, size = worst + cost, size + len(line)
                todo.popleft()
        return taken, worst

    def _line(self, key: str, request: Request) -> bytes:
        body = self._teacher.body(request)
        row = {"custom_id": key, "method": "POST", "url": ENDPOINT, "body": body}
        return json.dumps(row).encode() + b"\n"

    async def _start(self, taken: Mapping[str, Request], worst: float) -> None:
        requests = {
            key: Waiting(
                purpose=request.purpose,
                example_id=request.example.id,
                candidate=request.candidate,
            )
            for key, request in taken.items()
        }
        batch = OpenBatch(mark=new_mark(), since=time.time(), worst=worst, requests=requests)
        self._reserve(worst)
        # Written before the server hears of it: whenever this process dies, the next one looks for
        # the batch by its mark.
        self._open.append(batch)
        write_batches(self._path, self._open)
        file = await self._server.upload(self._file)
        self._file.unlink(missing_ok=True)
        started = await self._server.create(file, batch.mark, since=batch.since)
        self._open[-1] = replace(batch, id=started)
        write_batches(self._path, self._open)

    async def _look(self) -> None:
        """Looks at the open batches once, and collects those that have ended."""
        await asyncio.sleep(self._limits.interval)
        states = [(batch, await self._server.state(batch.id)) for batch in self._open]
        counts = [state.request_counts for _, state in states]
        done = sum(count.completed + count.failed for count in counts if count)
        total = sum(len(batch.requests) for batch in self._open)
        self._record.ledger.under_way = (
            f"batches under way: {len(states)}, with {done:,} of {total:,} requests done"
        )
        self._progress(0)
        ended = [(batch, state) for batch, state in states if state.status in ENDED]
        others = any(state.status != "failed" for _, state in states)
        for batch, state in ended:
            await self._collect(batch, state, may_wait=others)
        if ended:
            self._full = bool(self._open) and any(is_full(state) for _, state in ended)
        if not self._open:
            self._record.ledger.under_way = ""

    async def _collect(self, batch: OpenBatch, state: Batch, *, may_wait: bool) -> None:
        """Records the answers of a batch that has ended, in the order of its requests.

        Args:
            batch, state: what we and the server know of it.
            may_wait: whether there are other batches, for which the server had no room for this
                one.

        Raises:
            InputError: a reply concerns every request, or the batch was not accepted.
        """
        lines = {line.key: line for line in await self._server.lines(state)}
        failure: InputError | None = None
        for key, waiting in batch.requests.items():
            if self._record.get(key) is None:
                try:
                    answer = self._outcome(key, lines.get(key), state)
                except InputError as error:
                    failure = failure or error
                    continue
                if answer is not None:
                    self._add(key, waiting.request(), answer, batch.id)
        self._open.remove(batch)
        self._release(batch.worst)
        write_batches(self._path, self._open)
        if state.status == "failed" and not (may_wait and is_full(state)):
            failure = self._teacher.failure(
                f"a batch was not accepted: {errors_of(state)}",
                "make teacher.batch_requests or teacher.batch_megabytes smaller, or correct what "
                "the server complains about",
            )
        if failure is not None:
            raise failure

    def _add(self, key: str, request: Request, answer: Answer, batch: str) -> None:
        named = replace(answer, details={**answer.details, "batch": batch})
        self._record.add(self._teacher, request, key, named)

    def _outcome(self, key: str, line: Line | None, state: Batch) -> Answer | None:
        """The answer to one request; None if it goes into the next batch.

        Raises:
            InputError: the server's complaint concerns every request, or does not go away.
        """
        reply: Answer | Complaint
        if line is None or line.status == 0:
            told = "" if line is None else f": {json.dumps(line.reply)}"
            reply = Complaint("retry", f"a batch {state.status} without an answer{told}")
        else:
            body = json.dumps(line.reply).encode()
            reply = read_reply(line.status, body, options=self._teacher.parameters)
        if isinstance(reply, Complaint) and reply.verdict == "retry":
            if state.status == "failed":
                return None  # nothing of this batch was tried
            self._tries[key] += 1
            if self._tries[key] < self._limits.tries:
                return None
        return self._teacher.settle(reply)

    def _reserve(self, worst: float) -> None:
        if self._purse is not None:
            self._purse.reserve(worst)

    def _release(self, worst: float) -> None:
        if self._purse is not None:
            self._purse.release(worst)
