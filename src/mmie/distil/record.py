"""What the teacher has answered so far, in an append-only file.

Every paid answer is kept there before it is used. One JSON object per line: ``{key, purpose,
example_id, candidate, model, answer, state}`` and what the server said beside it:
``finish_reason, usage, seconds, served_model, reason``. Lines without a state are whole answers.
The key is made of what the teacher saw, so a killed run pays for nothing twice, one new sample
costs one sample, and ablating a filter costs nothing. A refused, cut or empty answer is an answer,
too: it is not asked again until its line is deleted or the request changes. Only a request that was
turned away unpaid for another reason than its content (``"final": false``) is asked again by the
next run.
"""

from __future__ import annotations

import asyncio
import errno
import hashlib
import json
import os
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from weakref import WeakValueDictionary

from mmie.distil.answer import STATES, Answer
from mmie.distil.locks import Claim, open_locked
from mmie.distil.teacher import Request, Teacher
from mmie.distil.teacher_pictures import encode_for_teacher
from mmie.errors import InputError
from mmie.files import parse_json
from mmie.types import Picture

POLL = 0.1  # seconds between two looks at what another run is asking
BASIC = ("key", "purpose", "example_id", "candidate", "model", "answer", "state", "final")


@dataclass(frozen=True, order=True)
class Unanswered:
    """A request without a whole answer."""

    example_id: str
    candidate: int
    purpose: str
    state: str
    reason: str


class Record:
    """The answers in one file, which several processes may use at the same time.

    Attributes:
        path: the file; made, with its folder, where it does not exist.
        asked: answers that this object fetched from a teacher.
        reused: answers that it found in the record.
        fetched: how many of the fetched answers there are of each state.
        unanswered: the requests so far without a whole answer, fetched or found.
    """

    def __init__(self, path: Path) -> None:
        """Reads the file; a torn last line is cut off with a warning.

        Raises:
            InputError: a broken line before the last, or a file that cannot be read and written.
        """
        self.path = path
        self.reused = 0
        self.fetched: Counter[str] = Counter()
        self.unanswered: list[Unanswered] = []
        self._answers: dict[str, Answer] = {}
        self._size = self._lines = 0  # of the file, as far as it has been read
        self._digests: dict[tuple[Picture, int], str] = {}
        self._locks: WeakValueDictionary[str, asyncio.Lock] = WeakValueDictionary()
        with open_locked(path) as descriptor:
            self._read_on(descriptor)

    @property
    def asked(self) -> int:
        return self.fetched.total()

    async def answer(self, teacher: Teacher, request: Request) -> Answer:
        """The recorded answer, or the teacher's, which is on disk before it is returned.

        A question that another run is asking at the moment is waited for.

        Raises:
            InputError: no answer can be had, or it cannot be kept.
        """
        key = self.key(teacher, request)
        async with self._locks.setdefault(
            key, asyncio.Lock()
        ):  # two samples alike, asked at the same time
            claim = await self._claimed(key)
            if claim is None:
                self.reused += 1
            else:
                try:
                    await self._fetch(teacher, request, key)
                finally:
                    claim.give_back()
        answer = self._answers[key]
        self._note(request, answer)
        return answer

    def key(self, teacher: Teacher, request: Request) -> str:
        """SHA-256 over model, parameters, purpose, prompt, pictures as shown and candidate number.

        The sample's id and the pictures' paths are not in it: renaming costs nothing.
        """
        pictures = request.example.pictures
        seen = {
            "model": teacher.model,
            "parameters": dict(teacher.parameters),
            "purpose": request.purpose,
            "prompt": request.prompt,
            "pictures": [self._digest(picture, teacher.max_pixels) for picture in pictures],
            "candidate": request.candidate,
        }
        return hashlib.sha256(
            json.dumps(seen, sort_keys=True, separators=(",", ":")).encode()
        ).hexdigest()

    async def _claimed(self, key: str) -> Claim | None:
        """The right to ask the question; None as soon as there is an answer to it."""
        claim = Claim(self.path, key)
        while key not in self._answers:
            if claim.take():
                self._refresh()  # another run may have answered and let go just before
                if key not in self._answers:
                    return claim
                claim.give_back()
                break
            await asyncio.sleep(POLL)
            self._refresh()
        return None

    async def _fetch(self, teacher: Teacher, request: Request, key: str) -> None:
        try:
            answer = await teacher.ask(request)
        except InputError as error:
            raise InputError(
                f"{error}; then run again: the answers so far are kept in {self.path}"
            ) from error
        self._append(_line(key, teacher.model, request=request, answer=answer))
        self._answers[key] = answer
        self.fetched[answer.state] += 1

    def _note(self, request: Request, answer: Answer) -> None:
        if answer.state != "whole":
            reason = str(answer.details.get("reason", ""))
            who = request.example.id, request.candidate, request.purpose
            self.unanswered.append(Unanswered(*who, answer.state, reason))

    def _digest(self, picture: Picture, max_pixels: int) -> str | None:
        if picture.path is None:
            return None
        if (picture, max_pixels) not in self._digests:
            self._digests[picture, max_pixels] = encode_for_teacher(
                picture, max_pixels=max_pixels
            ).digest
        return self._digests[picture, max_pixels]

    def _refresh(self) -> None:
        """Takes note of what other runs have added."""
        with open_locked(self.path) as descriptor:
            self._read_on(descriptor)

    def _read_on(self, descriptor: int) -> None:
        """Reads from where the last reading ended; from the start where lines were taken out."""
        size = os.fstat(descriptor).st_size
        if size < self._size:
            self._size = self._lines = 0
        for line in _bytes(descriptor, self._size, size).split(b"\n")[:-1]:
            self._lines += 1
            key, answer = _entry(line, f"{self.path}:{self._lines}")
            if answer.final:
                self._answers[key] = answer
        self._size = size

    def _append(self, line: bytes) -> None:
        with open_locked(self.path) as descriptor:
            self._read_on(descriptor)
            if os.write(descriptor, line) < len(line):
                os.ftruncate(descriptor, self._size)
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
            self._size += len(line)
            self._lines += 1


def _bytes(descriptor: int, start: int, end: int) -> bytes:
    """What stands between two places; one call of the system may give less than all of it."""
    parts = []
    while start < end:
        part = os.pread(descriptor, end - start, start)
        if not part:
            break
        parts.append(part)
        start += len(part)
    return b"".join(parts)


def _line(key: str, model: str, *, request: Request, answer: Answer) -> bytes:
    entry: dict[str, Any] = {
        "key": key,
        "purpose": request.purpose,
        "example_id": request.example.id,
        "candidate": request.candidate,
        "model": model,
        "answer": answer.text,
        "state": answer.state,
        **({} if answer.final else {"final": False}),
        **{name: value for name, value in answer.details.items() if name not in BASIC},
    }
    return json.dumps(entry).encode() + b"\n"


def _entry(line: bytes, where: str) -> tuple[str, Answer]:
    try:
        entry = parse_json(line)
    except ValueError:
        entry = None
    match entry:
        case {"key": str(key), "answer": str(text)} if entry.get("state", "whole") in STATES:
            details = {name: value for name, value in entry.items() if name not in BASIC}
            whole = text.encode(
                errors="replace"
            ).decode()  # half a character would break every later file
            state, final = entry.get("state", "whole"), entry.get("final") is not False
            return key, Answer(whole, state, details, final)
    raise InputError(
        f"{where}: not a recorded answer of the teacher; delete that line and run again"
    )
