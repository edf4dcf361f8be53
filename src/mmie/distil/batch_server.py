"""OpenAI's Batch API: files of requests that a server answers within a day, at a lower price.

Only ``OpenAITeacher`` imports this module, and with its first batch, for it imports ``openai``.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Final, TypeVar

import openai
from openai.types import Batch

from mmie.distil.connection import SETUP_ERRORS, Connection
from mmie.errors import InputError
from mmie.files import parse_json

ENDPOINT: Final = "/v1/chat/completions"
MARK = "mmie"  # the key in a batch's metadata under which we find it again
TRANSFER = 3600.0  # seconds for a file of 200 MB in one direction
CLOCKS = 3600.0  # seconds by which the server's clock may differ from ours
ENDED = {"completed", "failed", "expired", "cancelled"}
T = TypeVar("T")


@dataclass(frozen=True)
class Line:
    """What became of one request of a batch.

    Attributes:
        key: the ``custom_id`` that we gave it.
        status: of the HTTP response; 0 where there was none.
        reply: the body of the response, or the error that stands for it.
    """

    key: str
    status: int
    reply: object


class BatchServer:
    """The calls that batches need. Each is tried several times before it fails.

    Every method raises InputError: the server cannot be reached, or refuses.
    """

    def __init__(self, connection: Connection, *, max_retries: int) -> None:
        self._connection = connection
        self._client = connection.client.with_options(max_retries=max_retries)
        self._retries = max_retries

    async def upload(self, path: Path) -> str:
        """Uploads a file of requests; returns its id."""
        client = self._client.with_options(timeout=TRANSFER)
        content = ("requests.jsonl", path)
        file = await self._call(lambda: client.files.create(file=content, purpose="batch"))
        return file.id

    async def create(self, file: str, mark: str, *, since: float) -> str:
        """Starts a batch; returns its id.

        A reply that got lost may have been that of a batch which has started. So before another
        try the batch is looked for, and never started twice.

        Args:
            file: id of the uploaded file.
            mark: tells the batch from all others.
            since: seconds of the epoch, before the batch was started.
        """
        once = self._client.with_options(max_retries=0)

        async def start() -> str:
            try:
                batch = await once.batches.create(
                    input_file_id=file,
                    endpoint=ENDPOINT,
                    completion_window="24h",
                    metadata={MARK: mark},
                )
            except (openai.APIConnectionError, openai.InternalServerError):
                found = await self.find(mark, since=since)
                if found is None:
                    raise
                return found
            return batch.id

        return await self._call(start, tries=self._retries + 1)

    async def find(self, mark: str, *, since: float) -> str | None:
        """The id of the batch with this mark; None if the server has none."""

        async def look() -> str | None:
            async for batch in self._client.batches.list(limit=100):
                if (batch.metadata or {}).get(MARK) == mark:
                    return batch.id
                if batch.created_at < since - CLOCKS:  # they come newest first
                    break
            return None

        return await self._call(look)

    async def state(self, batch: str) -> Batch:
        """How far a batch has come."""
        return await self._call(lambda: self._client.batches.retrieve(batch))

    async def lines(self, batch: Batch) -> list[Line]:
        """What became of the requests; those that the server did not come to may be missing."""
        found: list[Line] = []
        client = self._client.with_options(timeout=TRANSFER)
        for file in filter(None, (batch.output_file_id, batch.error_file_id)):
            content = await self._call(partial(client.files.content, file))
            found += _lines(content.content)
        return found

    async def _call(self, call: Callable[[], Awaitable[T]], *, tries: int = 1) -> T:
        """The result of a call, whose own client repeats it unless ``tries`` says otherwise."""
        for left in reversed(range(tries)):
            try:
                return await call()
            except (openai.APIConnectionError, openai.InternalServerError) as error:
                if not left:
                    raise self._failure(error) from error
                await asyncio.sleep(0.5)
            except (*SETUP_ERRORS, openai.OpenAIError) as error:
                raise self._failure(error) from error
        raise AssertionError("tries is 1 or more")

    def _failure(self, error: Exception) -> InputError:
        reason = self._connection.printable(str(error) or type(error).__name__)
        return InputError(
            f"teacher at {self._connection.server}: batches: {reason}; "
            "check the server, which must offer OpenAI's Batch API, or set teacher.mode=online"
        )


def errors_of(batch: Batch) -> str:
    """What the server says about a batch that it did not accept."""
    told = [
        error.message or error.code or "" for error in (batch.errors and batch.errors.data) or []
    ]
    return "; ".join(filter(None, told)) or "no reason given"


def is_full(batch: Batch) -> bool:
    """Whether a batch was not accepted because too many tokens were waiting already."""
    errors = (batch.errors and batch.errors.data) or []
    return any(error.code == "token_limit_exceeded" for error in errors)


def _lines(content: bytes) -> Iterator[Line]:
    """The readable lines of an output or error file."""
    for text in content.splitlines():
        try:
            row = parse_json(text)
        except ValueError:
            continue  # its request counts as not answered
        match row:
            case {"custom_id": str(key), "response": {"status_code": int(status), "body": body}}:
                yield Line(key, status, body)
            case {"custom_id": str(key), "error": error}:
                yield Line(key, 0, {"error": error})
