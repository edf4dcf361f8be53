"""The teacher: a large vision-language model that writes reasoning chains and judges them.

JMERE-R1 describes it in section 3.2. ``OpenAITeacher`` works with any server that offers OpenAI's
chat completions. It reads the key and the address from the environment.

Deviations from the paper:
1. The paper prints neither the teacher's temperature nor its token limit. Both are configuration
   values here.
2. A blank picture, which stands in for a missing one, is left out of the message.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Protocol

from mmie.distil.answer import Answer
from mmie.distil.batch_limits import BatchLimits
from mmie.distil.body import (
    answer_limit,
    message_parts,
    price_in,
    reduced,
    request_fields,
    worst_case,
)
from mmie.distil.budget import Purse, check_budget
from mmie.distil.replies import Complaint
from mmie.errors import InputError
from mmie.types import Example

if TYPE_CHECKING:
    from mmie.distil.batches import Batches
    from mmie.distil.connection import Connection
    from mmie.distil.record import Record

    MakeBatches = Callable[[Record, Purse | None, Callable[[int], None]], Batches]

FIRST_PAUSE = 0.5  # seconds before the second try; every further pause is twice as long
LONGEST_PAUSE = 8.0  # seconds
MODES = ("online", "batch")


@dataclass(frozen=True)
class Request:
    """One question to the teacher.

    Attributes:
        purpose: what the answer is for. ``answer`` has the teacher do the task itself, without the
            gold answer. All other purposes are named by the task's chains node.
        example: the sample; its pictures go with the question.
        candidate: the number of the sample's candidate that the question is about.
        prompt: the whole text of the question.
        chain: the chain that is judged; empty if there is none yet.
    """

    purpose: str
    example: Example
    candidate: int
    prompt: str
    chain: str = ""


class Teacher(Protocol):
    """Answers requests. A malformed answer is returned, not raised."""

    @property
    def model(self) -> str:
        """The name under which the answers are recorded."""

    @property
    def parameters(self) -> Mapping[str, Any]:
        """Everything else that an answer depends on, as JSON values: part of the record's key."""

    @property
    def concurrency(self) -> int:
        """How many requests may be under way at once."""

    @property
    def max_pixels(self) -> int:
        """Width × height to which larger pictures are scaled down before they are sent."""

    @property
    def max_refused(self) -> float:
        """The share of refused and failed requests above which a run fails."""

    @property
    def price(self) -> Mapping[str, float] | None:
        """Dollars for a million tokens of ``input`` and ``output``; None where they are unknown.

        ``cached`` input may have a price of its own. ``picture`` and ``tile`` are the tokens of a
        picture and of each of its tiles.
        """

    @property
    def budget(self) -> float | None:
        """Dollars that all recorded answers may have cost; None for any."""

    def worst_case(self, request: Request) -> float:
        """Dollars that a request costs at most; asked for only if there is a budget."""

    @property
    def in_batches(self) -> MakeBatches | None:
        """Makes what asks many requests together; None if they are asked one by one."""

    def foretell(self, request: Request) -> Answer | None:
        """The answer, if it is known without asking and paying; None if it is not."""

    async def ask(self, request: Request) -> Answer:
        """The teacher's answer; raises InputError if this request and all others would fail."""

    async def close(self) -> None:
        """Ends the connections; the next ``ask`` opens new ones."""


class OpenAITeacher:
    """A model behind OpenAI's chat completions. Pictures are sent as data URLs."""

    def __init__(
        self,
        *,
        model: str,
        temperature: float,
        max_tokens: int,
        concurrency: int,
        max_retries: int,
        timeout: float,
        max_refused: float = 0.1,
        max_pixels: int = 1 << 22,
        request: Mapping[str, Any] | None = None,
        prices: Mapping[str, Mapping[str, float]] | None = None,
        budget: float | None = None,
        mode: str = "online",
        batch_requests: int = 50_000,
        batch_megabytes: float = 200,
        batch_interval: float = 60,
        batch_price_factor: float = 0.5,
        api_key_env: str = "OPENAI_API_KEY",
        base_url_env: str = "OPENAI_BASE_URL",
    ) -> None:
        """Does not connect yet: the environment is read at the first ``ask``.

        Args:
            model, temperature, max_tokens: go to the server. With temperature 0 all candidates of a
                sample would be alike.
            concurrency: how many requests may be under way at once.
            max_retries: further tries of one request, after errors that may pass.
            timeout: seconds for one try, from the question to the last byte of the answer.
            max_refused: the share of refused and failed requests above which a run fails.
            max_pixels: larger pictures are scaled down to this width × height.
            request: further fields of the request's body, as the server names them. null removes
                ``temperature`` or ``max_tokens``.
            prices: model → what it costs, see ``Teacher.price``.
            budget: dollars that all recorded answers of this model may have cost. Nothing is asked
                whose worst case would pass it. It needs prices.
            mode: ``online`` asks one by one, ``batch`` in files through OpenAI's Batch API.
            batch_requests, batch_megabytes: of one such file at most.
            batch_interval: seconds between two looks at the batches.
            batch_price_factor: what a batch costs in relation to the prices.
            api_key_env, base_url_env: the environment variables. Without an address it is OpenAI.

        Raises:
            InputError: a value is out of range.
        """
        own = {"temperature": temperature, "max_tokens": max_tokens}
        self.model = model
        self.parameters: Mapping[str, Any] = request_fields(own, request or {})
        self.concurrency = concurrency
        self.max_pixels = max_pixels
        self.max_refused = max_refused
        self.price = price_in(prices or {}, model)
        if self.price is not None and mode == "batch":
            self.price = reduced(self.price, batch_price_factor)
        self.budget = budget
        self._mode = mode
        self._limits = BatchLimits(
            batch_requests, int(batch_megabytes * 1e6), batch_interval, max_retries + 1
        )
        self._max_retries = max_retries
        self._timeout = timeout
        self._api_key_env = api_key_env
        self._base_url_env = base_url_env
        self._connection: Connection | None = None
        self._check_ranges()

    async def ask(self, request: Request) -> Answer:
        """The model's answer, complete or not, or the server's refusal of this one request.

        Status 500 and time-outs that persist may come of this one request: it has failed then.

        Raises:
            InputError: there is no key, a picture cannot be read, or another error persists or
                concerns every request.
        """
        connection = self._connect()
        return self.settle(await self._tried(connection, self._content(request)))

    def settle(self, reply: Answer | Complaint) -> Answer:
        """What stands in the record for the last reply to a request.

        Raises:
            InputError: the complaint concerns every request.
        """
        if isinstance(reply, Answer):
            return reply
        details = {"reason": self._connect().printable(reply.reason)}
        if reply.verdict == "refused":
            return Answer("", "refused", details, final=reply.by_content)
        if reply.verdict == "retry" and reply.lone:
            return Answer("", "failed", details, final=False)
        remedy = f"check the server, {self._base_url_env}, {self._api_key_env} and teacher.model"
        if reply.field:
            remedy = (
                "give teacher.request the fields that the server takes and set "
                f"{reply.field} to null there, for example "
                "teacher.request='{max_tokens: null, max_completion_tokens: 1024}'"
            )
        raise self.failure(reply.reason, remedy)

    def failure(self, reason: str, remedy: str) -> InputError:
        """The error that ends the run, with the server's reason and what to do about it."""
        connection = self._connect()
        told = connection.printable(reason)
        return InputError(f"teacher {self.model} at {connection.server}: {told}; {remedy}")

    @property
    def in_batches(self) -> MakeBatches | None:
        """Makes what asks many requests together, if the mode is ``batch``."""
        return self._batches if self._mode == "batch" else None

    def _batches(
        self, record: Record, purse: Purse | None, progress: Callable[[int], None]
    ) -> Batches:
        """What asks many requests together.

        Raises:
            InputError: there is no key, or the file of open batches is broken.
        """
        connection = self._connect()
        from mmie.distil.batch_server import BatchServer
        from mmie.distil.batches import Batches

        server = BatchServer(connection, max_retries=self._max_retries)
        return Batches(self, server, self._limits, record=record, purse=purse, progress=progress)

    def body(self, request: Request) -> dict[str, Any]:
        """The whole body of a request, as ``ask`` sends it."""
        message = {"role": "user", "content": self._content(request)}
        return {"model": self.model, "messages": [message], **self.parameters}

    def _content(self, request: Request) -> list[dict[str, Any]]:
        return message_parts(request.example, request.prompt, max_pixels=self.max_pixels)

    async def _tried(
        self, connection: Connection, content: Sequence[Mapping[str, Any]]
    ) -> Answer | Complaint:
        """The outcome of the first try that needs no other one, or of the last."""
        attempt = 0
        while True:
            start = time.monotonic()
            reply, retry_after = await connection.send(content, self.parameters)
            if isinstance(reply, Answer):
                seconds = round(time.monotonic() - start, 2)
                return replace(reply, details={**reply.details, "seconds": seconds})
            if reply.verdict != "retry" or attempt == self._max_retries:
                return reply
            await asyncio.sleep(_pause(attempt) if retry_after is None else retry_after)
            attempt += 1

    def foretell(self, request: Request) -> Answer | None:
        """Nobody knows what a model will answer."""
        return None

    def worst_case(self, request: Request) -> float:
        """Dollars that a request costs at most, if its answer is as long as it may be."""
        return worst_case(
            request.example,
            request.prompt,
            limit=answer_limit(self.parameters) or 0,
            prices=self.price or {},
        )

    async def close(self) -> None:
        """Ends the connections; the next ``ask`` opens new ones."""
        if self._connection is not None:
            await self._connection.close()
            self._connection = None

    def _check_ranges(self) -> None:
        """Raises InputError if a value is out of range."""
        ranges = (
            ("concurrency", self.concurrency, self.concurrency >= 1, "1 or more"),
            ("max_retries", self._max_retries, self._max_retries >= 0, "0 or more"),
            ("timeout", self._timeout, self._timeout > 0, "more than 0 seconds"),
            ("max_refused", self.max_refused, 0 <= self.max_refused <= 1, "a share from 0 to 1"),
            ("max_pixels", self.max_pixels, self.max_pixels >= 100, "100 or more"),
            ("mode", self._mode, self._mode in MODES, " or ".join(MODES)),
            ("batch_requests", self._limits.requests, self._limits.requests >= 1, "1 or more"),
            ("batch_megabytes", self._limits.size / 1e6, self._limits.size > 0, "more than 0"),
            ("batch_interval", self._limits.interval, self._limits.interval > 0, "more than 0 s"),
        )
        for name, value, in_range, rule in ranges:
            if not in_range:
                raise InputError(f"teacher.{name} is {value}: set it to {rule}")
        if self.budget is not None:
            check_budget(
                self.budget, self.model, self.price or {}, limit=answer_limit(self.parameters)
            )

    def _connect(self) -> Connection:
        if self._connection is None:
            # Imported here: who uses a record or a toy teacher does not need the package openai.
            try:
                from mmie.distil.connection import Connection
            except ImportError as error:
                raise InputError(
                    f"teacher {self.model}: the package {error.name} is missing; "
                    "install it with `pip install openai httpx2`"
                ) from error
            self._connection = Connection(
                self.model,
                timeout=self._timeout,
                api_key_env=self._api_key_env,
                base_url_env=self._base_url_env,
            )
        return self._connection


def _pause(attempt: int) -> float:
    """Seconds to wait after the given try, counted from 0."""
    return min(FIRST_PAUSE * 2**attempt, LONGEST_PAUSE)
