"""All answers of the teacher so far, in an append-only file.

Every paid answer is on disk before it is used. The file has one JSON object per line: ``{key,
purpose, example_id, candidate, model, answer, state}``, and what the server said about the answer:
``finish_reason, usage, seconds, served_model, reason``, and the ``dollars`` that it cost. A line
without a state is a whole answer.

The key is a hash of what the teacher saw. So a killed run pays for nothing twice, one new sample
costs one sample, and ablating a filter costs nothing. A refused, cut or empty answer counts as an
answer: it is not asked again until its line is deleted or the request changes. There is one
exception: a request that failed, or was refused unpaid and for another reason than its content
(``"final": false``), is asked again by the next run.

Several runs may share one record. Appending takes a lock on the file for the moment of the write.
Asking takes a claim on the question for as long as it lasts, so that two runs never pay for the
same answer (``mmie.distil.locks``).
"""

from __future__ import annotations

import asyncio
import errno
import hashlib
import json
import os
from collections import Counter
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from weakref import WeakValueDictionary

from mmie.distil.answer import Answer
from mmie.distil.budget import Purse
from mmie.distil.ledger import NOTHING, Ledger, dollars_of, tokens_of
from mmie.distil.locks import POLL, Claim, open_locked
from mmie.distil.record_line import Unanswered, from_line, to_line
from mmie.distil.teacher import Request, Teacher
from mmie.distil.teacher_pictures import encode_for_teacher
from mmie.errors import InputError
from mmie.spending import Tokens, price_of, tokens_in
from mmie.types import Picture


class Record:
    """The answers in one file, which several processes may use at the same time.

    Attributes:
        path: the file. It is created, with its folder, if it does not exist.
        asked: the number of answers that this object fetched from a teacher.
        reused: the number of answers that were already in the record.
        fetched: state → number of fetched answers.
        ledger: what the answers so far cost, fetched or reused.
        unanswered: the requests so far without a whole answer, fetched or reused.
    """

    def __init__(self, path: Path) -> None:
        """Reads the file; a torn last line is cut off with a warning.

        Raises:
            InputError: a line before the last is broken, or the file cannot be read and written.
        """
        self.path = path
        self.reused = 0
        self.fetched: Counter[str] = Counter()
        self.ledger = Ledger()
        self.unanswered: list[Unanswered] = []
        self._answers: dict[str, Answer] = {}
        self._fresh: set[str] = set()  # keys of fetched answers that nobody has used yet
        self._used: set[str] = set()
        self._dollars, self._unpriced = 0.0, NOTHING  # of all lines of the file
        self._size = self._lines = 0  # of the file, as far as it has been read
        self._digests: dict[tuple[Picture, int], str] = {}
        self._locks: WeakValueDictionary[str, asyncio.Lock] = WeakValueDictionary()
        with open_locked(path) as descriptor:
            self._read_on(descriptor)

    @property
    def asked(self) -> int:
        return self.fetched.total()

    def spent(self, prices: Mapping[str, float] | None) -> float:
        """Dollars that all answers in the file cost, those of other runs and requests included.

        Args:
            prices: for answers that were recorded without their dollars.
        """
        return self._dollars + (price_of(self._unpriced, prices) or 0.0)

    async def answer(
        self, teacher: Teacher, request: Request, purse: Purse | None = None
    ) -> Answer:
        """The recorded answer, or else the teacher's, which is on disk before it is returned.

        If another run is asking the same question at the moment, its answer is waited for.

        Args:
            teacher: is asked if there is no recorded answer.
            request: the question.
            purse: bounds what is spent.

        Raises:
            InputError: there is no answer, it cannot be written, or the budget is spent.
        """
        key = self.key(teacher, request)
        # Within this process two equal samples may be asked about at the same time.
        async with self._locks.setdefault(key, asyncio.Lock()):
            claim = await self._claimed(key)
            if claim is not None:
                try:
                    await self._fetch(teacher, request, key, purse)
                finally:
                    claim.give_back()
        answer = self._answers[key]
        self._note(teacher, request, key, answer)
        return answer

    def add(self, teacher: Teacher, request: Request, key: str, answer: Answer) -> None:
        """Writes an answer that was fetched, with what it cost.

        Raises:
            InputError: it cannot be written.
        """
        tokens = tokens_in(answer.details.get("usage"))
        dollars = None if tokens is None else price_of(tokens, teacher.price)
        if dollars is not None:
            answer = replace(answer, details={**answer.details, "dollars": round(dollars, 8)})
        self._append(to_line(key, teacher.model, request=request, answer=answer))
        self._count(answer)
        self._answers[key] = answer
        self._fresh.add(key)

    def with_advice(self, error: InputError) -> InputError:
        """The error with what to do after it."""
        advice = f"then run again: the answers so far are kept in {self.path}"
        return InputError(f"{error}; {advice}")

    def known(self, teacher: Teacher, request: Request) -> Answer | None:
        """The recorded answer, if there is one; nobody is asked."""
        return self.get(self.key(teacher, request)) if self._answers else None

    def get(self, key: str) -> Answer | None:
        """The recorded answer under a key, if there is one."""
        return self._answers.get(key)

    def key(self, teacher: Teacher, request: Request) -> str:
        """SHA-256 of everything that the teacher sees, and of the candidate's number.

        The sample's id and the pictures' paths are not part of it: renaming costs nothing.
        """
        pictures = request.example.pictures
        parts = {
            "model": teacher.model,
            "parameters": dict(teacher.parameters),
            "purpose": request.purpose,
            "prompt": request.prompt,
            "pictures": [self._digest(picture, teacher.max_pixels) for picture in pictures],
            "candidate": request.candidate,
        }
        text = json.dumps(parts, sort_keys=True, separators=(",", ":"))
        return hashlib.sha256(text.encode()).hexdigest()

    async def _claimed(self, key: str) -> Claim | None:
        """Waits for the right to ask the question; None as soon as there is an answer to it."""
        claim = Claim(self.path, key)
        while key not in self._answers:
            if claim.take():
                self._refresh()  # another run may have answered it a moment ago
                if key not in self._answers:
                    return claim
                claim.give_back()
                break
            await asyncio.sleep(POLL)
            self._refresh()
        return None

    async def _fetch(
        self, teacher: Teacher, request: Request, key: str, purse: Purse | None
    ) -> None:
        try:
            if purse is None:
                answer = await teacher.ask(request)
            else:
                worst = teacher.worst_case(request)
                await purse.wait(worst)
                with purse.under_way(worst):
                    answer = await teacher.ask(request)
        except InputError as error:
            raise self.with_advice(error) from error
        self.add(teacher, request, key, answer)

    def _note(self, teacher: Teacher, request: Request, key: str, answer: Answer) -> None:
        """Counts an answer that is used."""
        fresh = key in self._fresh
        self._fresh.discard(key)
        if fresh:
            self.fetched[answer.state] += 1
        else:
            self.reused += 1
        if key in self._used:
            self.ledger.add_again(request.purpose)
        else:
            self._used.add(key)
            self.ledger.add(request.purpose, answer, teacher.price, asked=fresh)
        if answer.state != "whole":
            reason = str(answer.details.get("reason", ""))
            self.unanswered.append(
                Unanswered(
                    request.example.id, request.candidate, request.purpose, answer.state, reason
                )
            )

    def _digest(self, picture: Picture, max_pixels: int) -> str | None:
        if picture.path is None:
            return None
        if (picture, max_pixels) not in self._digests:
            self._digests[picture, max_pixels] = encode_for_teacher(
                picture, max_pixels=max_pixels
            ).digest
        return self._digests[picture, max_pixels]

    def _refresh(self) -> None:
        """Reads what other runs have added."""
        with open_locked(self.path) as descriptor:
            self._read_on(descriptor)

    def _read_on(self, descriptor: int) -> None:
        """Reads on from the last place, or from the start if somebody has deleted lines."""
        size = os.fstat(descriptor).st_size
        if size < self._size:
            self._size = self._lines = 0
            self._dollars, self._unpriced = 0.0, NOTHING
        for line in _read_bytes(descriptor, self._size, size).split(b"\n")[:-1]:
            self._lines += 1
            key, answer = from_line(line, f"{self.path}:{self._lines}")
            self._count(answer)
            if answer.final:
                self._answers[key] = answer
        self._size = size

    def _count(self, answer: Answer) -> None:
        """Adds a line's cost to that of the file."""
        dollars, tokens = dollars_of(answer, None), tokens_of(answer)
        if dollars is not None:
            self._dollars += dollars
        elif tokens is not None:
            self._unpriced = Tokens(*map(sum, zip(self._unpriced, tokens, strict=True)))

    def _append(self, line: bytes) -> None:
        with open_locked(self.path) as descriptor:
            self._read_on(descriptor)  # so that ``_size`` is the end of the file
            if os.write(descriptor, line) < len(line):
                os.ftruncate(descriptor, self._size)
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
            self._size += len(line)
            self._lines += 1


def _read_bytes(descriptor: int, start: int, end: int) -> bytes:
    """The bytes between two places. A single system call may return fewer than asked for."""
    parts = []
    while start < end:
        part = os.pread(descriptor, end - start, start)
        if not part:
            break
        parts.append(part)
        start += len(part)
    return b"".join(parts)
