"""What the teacher has answered so far: an append-only file in which every paid answer is kept before it is used.

One JSON object a line: ``{key, purpose, example_id, candidate, model, answer}``. The key is made of what the teacher
saw, so a killed run pays for nothing twice, one new sample costs one sample, and ablating a filter costs nothing.
"""

from __future__ import annotations

import asyncio
import errno
import hashlib
import json
import logging
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from weakref import WeakValueDictionary

from mmie.cot.teacher import Request, Teacher, shown_bytes
from mmie.errors import InputError
from mmie.files import lock, parsed
from mmie.types import Picture

logger = logging.getLogger(__name__)


class Record:
    """The answers in one file, which several processes may append to.

    Attributes:
        path: the file; made, with its folder, where it does not exist.
        asked: answers that this object fetched from a teacher.
        reused: answers that it found in the record.
    """

    def __init__(self, path: Path) -> None:
        """Reads the file; a torn last line is cut off with a warning.

        Raises:
            InputError: a broken line before the last, or a file that cannot be read and written.
        """
        self.path = path
        self.asked = 0
        self.reused = 0
        self._digests: dict[Picture, str] = {}
        self._locks: WeakValueDictionary[str, asyncio.Lock] = WeakValueDictionary()
        with _locked(path) as descriptor, open(descriptor, "rb", closefd=False) as lines:
            self._answers = dict(_entry(line, f"{path}:{number}") for number, line in enumerate(lines, start=1))

    async def answer(self, teacher: Teacher, request: Request) -> str:
        """The recorded answer, or the teacher's, which is on disk before it is returned.

        Raises:
            InputError: no answer can be had, or it cannot be kept.
        """
        key = self.key(teacher, request)
        async with self._locks.setdefault(key, asyncio.Lock()):  # two samples alike, asked at the same time
            if key in self._answers:
                self.reused += 1
                return self._answers[key]
            answer = await self._asked(teacher, request)
            self._append(_line(key, teacher.model, request=request, answer=answer))
            self._answers[key] = answer
            self.asked += 1
            return answer

    def key(self, teacher: Teacher, request: Request) -> str:
        """SHA-256 over model, parameters, purpose, prompt, the pictures' bytes and the candidate's number.

        The sample's id and the pictures' paths are not in it: renaming costs nothing.
        """
        seen = {
            "model": teacher.model,
            "parameters": dict(teacher.parameters),
            "purpose": request.purpose,
            "prompt": request.prompt,
            "pictures": [self._digest(picture) for picture in request.example.pictures],
            "candidate": request.candidate,
        }
        return hashlib.sha256(json.dumps(seen, sort_keys=True, separators=(",", ":")).encode()).hexdigest()

    async def _asked(self, teacher: Teacher, request: Request) -> str:
        try:
            return await teacher.ask(request)
        except InputError as error:
            raise InputError(f"{error}; then run again: the answers so far are kept in {self.path}") from error

    def _digest(self, picture: Picture) -> str | None:
        if picture.path is None:
            return None
        if picture not in self._digests:
            self._digests[picture] = hashlib.sha256(shown_bytes(picture)).hexdigest()
        return self._digests[picture]

    def _append(self, line: bytes) -> None:
        with _locked(self.path) as descriptor:
            size = os.fstat(descriptor).st_size
            if os.write(descriptor, line) < len(line):
                os.ftruncate(descriptor, size)
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


@contextmanager
def _locked(path: Path) -> Iterator[int]:
    """The file opened for append, nobody else in it, its last line whole; disk trouble becomes InputError."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        descriptor = os.open(path, os.O_RDWR | os.O_APPEND | os.O_CREAT, 0o644)
        try:
            lock(descriptor, path)
            _drop_torn_line(descriptor, path)
            yield descriptor
        finally:
            os.close(descriptor)
    except OSError as error:
        raise InputError(
            f"{path}: cannot keep the teacher's answers ({error.strerror}); make room or make it writable"
        ) from error


def _drop_torn_line(descriptor: int, path: Path) -> None:
    """A writer that was killed in the middle leaves a last line without its end: that answer is asked again."""
    size = os.fstat(descriptor).st_size
    if size == 0 or os.pread(descriptor, 1, size - 1) == b"\n":
        return
    whole = os.pread(descriptor, size, 0).rfind(b"\n") + 1
    logger.warning("%s: dropped a torn last line of %d bytes; that answer is asked again", path, size - whole)
    os.ftruncate(descriptor, whole)


def _line(key: str, model: str, *, request: Request, answer: str) -> bytes:
    entry: dict[str, Any] = {
        "key": key,
        "purpose": request.purpose,
        "example_id": request.example.id,
        "candidate": request.candidate,
        "model": model,
        "answer": answer,
    }
    return json.dumps(entry).encode() + b"\n"


def _entry(line: bytes, where: str) -> tuple[str, str]:
    try:
        entry = parsed(line)
    except ValueError:
        entry = None
    match entry:
        case {"key": str(key), "answer": str(answer)}:
            return key, answer
    raise InputError(f"{where}: not a recorded answer of the teacher; delete that line and run again")
