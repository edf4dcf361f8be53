"""The teacher: a large vision-language model that writes reasoning chains and judges them.

It is that of JMERE-R1 section 3.2. ``OpenAITeacher`` speaks to any server with OpenAI's chat
completions; key and address come from the environment.
Deviations: 1. The paper prints neither temperature nor token limit of the teacher: both are
configuration values. 2. A blank picture is left out of the message.
"""

from __future__ import annotations

import asyncio
import base64
import os
import time
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, Protocol
from urllib.parse import urlsplit

import httpx2
import openai

from mmie.distil.answer import Answer
from mmie.distil.replies import Complaint, read_reply
from mmie.distil.teacher_pictures import encode_for_teacher
from mmie.errors import InputError
from mmie.types import Example

OPENAI_URL = "https://api.openai.com/v1"
LONGEST_PAUSE = 8.0  # seconds between two tries
LONGEST_WISH = 60.0  # seconds that a server may ask us to wait
SHORTEST_SECRET = 8  # characters of a key; local servers take "x" or "none", which words hold
LONGEST_REASON = 300  # characters of a server's complaint that are shown
RESERVED = ("model", "messages", "stream", "n")  # one whole answer to our own question
SET_UP = (ImportError, ValueError, OSError, httpx2.InvalidURL)  # proxies, certificates, host names


@dataclass(frozen=True)
class Request:
    """One question to the teacher.

    Attributes:
        purpose: what the answer is for: ``answer`` where the teacher does the task itself without
            being shown the right answer, else what the task's chains node calls it.
        example, candidate: the sample, whose pictures go with the question, and which of its
            candidates.
        prompt: the whole text of the question.
        chain: the chain that is judged; empty where there is none yet.
    """

    purpose: str
    example: Example
    candidate: int
    prompt: str
    chain: str = ""


class Teacher(Protocol):
    """Whoever answers requests; nonsense is an answer, too."""

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
        """The share of refused requests above which a run fails."""

    async def ask(self, request: Request) -> Answer:
        """The teacher's answer; raises InputError where this request and all others fail."""

    async def close(self) -> None:
        """Ends the connections; the next ``ask`` opens new ones."""


class OpenAITeacher:
    """A model behind OpenAI's chat completions; pictures travel as data URLs."""

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
        api_key_env: str = "OPENAI_API_KEY",
        base_url_env: str = "OPENAI_BASE_URL",
    ) -> None:
        """Connects nowhere yet: the environment is read at the first ``ask``.

        Args:
            model, temperature, max_tokens: go to the server; temperature 0 would make all
                candidates alike.
            concurrency: requests under way at once.
            max_retries: of one request, after faults that may pass.
            timeout: seconds for one try, from the question to the last byte of the answer.
            max_refused: the share of refused requests above which a run fails.
            max_pixels: larger pictures are scaled down to this width × height.
            request: further fields of the request's body, as the server names them; null takes out
                ``temperature`` or ``max_tokens``.
            api_key_env, base_url_env: the environment variables; without an address it is OpenAI
                itself.

        Raises:
            InputError: a value is out of range.
        """
        fields = {"temperature": temperature, "max_tokens": max_tokens, **(request or {})}
        self.model = model
        self.parameters: Mapping[str, Any] = _given(fields)
        self.concurrency = concurrency
        self.max_pixels = max_pixels
        self.max_refused = max_refused
        self._max_retries = max_retries
        self._timeout = timeout
        self._api_key_env = api_key_env
        self._base_url_env = base_url_env
        self._client: openai.AsyncOpenAI | None = None
        self._check()

    async def ask(self, request: Request) -> Answer:
        """The model's answer, whole or not, or the server's refusal of this one request.

        Raises:
            InputError: no key, a picture that cannot be read, or a fault that stays or concerns
                every request.
        """
        client = self._connected()
        content = [
            *_image_parts(request.example, self.max_pixels),
            {"type": "text", "text": request.prompt},
        ]
        for number in range(self._max_retries + 1):
            start = time.monotonic()
            reply, wish = await self._tried(client, content)
            if isinstance(reply, Answer):
                seconds = round(time.monotonic() - start, 2)
                return replace(reply, details={**reply.details, "seconds": seconds})
            if reply.verdict == "refused":
                details = {"reason": self._cut(client, reply.reason)}
                return Answer("", "refused", details, final=reply.by_content)
            failure = self._failure(client, reply)
            if reply.verdict == "stop":
                break
            if number < self._max_retries:
                await asyncio.sleep(min(0.5 * 2**number, LONGEST_PAUSE) if wish is None else wish)
        raise failure

    async def close(self) -> None:
        """Ends the connections; the next ``ask`` opens new ones."""
        if self._client is not None:
            await self._client.close()
            self._client = None

    def _check(self) -> None:
        """Raises InputError where a value is out of range."""
        ranges = (
            ("concurrency", self.concurrency, self.concurrency >= 1, "1 or more"),
            ("max_retries", self._max_retries, self._max_retries >= 0, "0 or more"),
            ("timeout", self._timeout, self._timeout > 0, "more than 0 seconds"),
            ("max_refused", self.max_refused, 0 <= self.max_refused <= 1, "a share from 0 to 1"),
            ("max_pixels", self.max_pixels, self.max_pixels >= 100, "100 or more"),
        )
        for name, value, holds, rule in ranges:
            if not holds:
                raise InputError(f"teacher.{name} is {value}: set it to {rule}")

    def _connected(self) -> openai.AsyncOpenAI:
        """The client; everything that building it can stumble over becomes InputError."""
        if self._client is not None:
            return self._client
        key, address = _key(self._api_key_env), _address(self._base_url_env)
        try:
            # A client of our own, as openai's complains at exit when it was only half built.
            http = openai.DefaultAsyncHttpxClient(timeout=self._timeout)
            self._client = openai.AsyncOpenAI(
                api_key=key,
                base_url=address,
                max_retries=0,
                timeout=self._timeout,
                http_client=http,
            )
        except (*SET_UP, openai.OpenAIError) as error:
            raise InputError(
                f"teacher {self.model}: cannot make a connection ({_line(error)}); check the "
                f"environment variables {self._base_url_env}, ALL_PROXY, HTTP_PROXY, HTTPS_PROXY "
                "and SSL_CERT_FILE"
            ) from error
        return self._client

    async def _tried(
        self, client: openai.AsyncOpenAI, content: list[Any]
    ) -> tuple[Answer | Complaint, float | None]:
        """One try: what came of it, and the seconds that the server wants us to wait."""
        try:
            # The client's own limit counts anew with every byte; this one bounds the whole try.
            async with asyncio.timeout(self._timeout):
                response = await client.chat.completions.with_raw_response.create(
                    model=self.model,
                    messages=[{"role": "user", "content": content}],
                    extra_body=dict(self.parameters),
                )
        except openai.APIStatusError as error:
            status, body = error.status_code, error.response.content
            return read_reply(status, body, options=self.parameters), _wish(error.response.headers)
        except (TimeoutError, openai.APITimeoutError):
            return Complaint(
                "retry", f"timed out after {self._timeout:g} s (teacher.timeout)"
            ), None
        except openai.APIConnectionError as error:
            return Complaint("retry", f"{error} {error.__cause__ or ''}"), None
        except (*SET_UP, openai.OpenAIError) as error:
            return Complaint("stop", f"cannot send the request ({_line(error)})"), None
        return read_reply(response.status_code, response.content, options=self.parameters), None

    def _failure(self, client: openai.AsyncOpenAI, complaint: Complaint) -> InputError:
        server = client.base_url.netloc.decode()
        reason = self._cut(client, complaint.reason)
        way_out = f"check the server, {self._base_url_env}, {self._api_key_env} and teacher.model"
        if complaint.field:
            way_out = (
                "give teacher.request the fields that the server takes and set "
                f"{complaint.field} to null there, for example "
                "teacher.request='{max_tokens: null, max_completion_tokens: 1024}'"
            )
        return InputError(f"teacher {self.model} at {server}: {reason}; {way_out}")

    def _cut(self, client: openai.AsyncOpenAI, reason: str) -> str:
        """The reason on one line, of bounded length, without the key, which some servers repeat."""
        key = client.api_key
        hidden = reason.replace(key, "<key>") if len(key) >= SHORTEST_SECRET else reason
        return " ".join(hidden.split())[:LONGEST_REASON]


def _given(fields: Mapping[str, Any]) -> dict[str, Any]:
    """The fields that have a value."""
    for name in fields:
        if name in RESERVED:
            raise InputError(f"teacher.request.{name}: mmie sets it itself; take it out")
    return {name: value for name, value in fields.items() if value is not None}


def _line(error: Exception) -> str:
    return " ".join(str(error).split())[:LONGEST_REASON] or type(error).__name__


def _wish(headers: Mapping[str, str]) -> float | None:
    """The seconds of ``Retry-After-Ms`` or ``Retry-After``, as far as they are sensible."""
    for name, unit in (("retry-after-ms", 0.001), ("retry-after", 1.0)):
        try:
            seconds = float(headers.get(name, "")) * unit
        except ValueError:
            continue
        return seconds if 0 <= seconds <= LONGEST_WISH else None
    return None


def _key(variable: str) -> str:
    key = os.environ.get(variable, "").strip()
    if not key or not key.isascii():
        raise InputError(f"environment variable {variable} holds no key for the teacher: set it")
    return key


def _address(variable: str) -> str:
    address = os.environ.get(variable, "").strip() or OPENAI_URL
    try:
        parts = urlsplit(address)
        usable = parts.scheme in ("http", "https") and parts.hostname and parts.port != 0
    except ValueError:
        usable = False
    if not usable:
        raise InputError(
            f"environment variable {variable} is no address of a server: "
            f"set it to one like {OPENAI_URL}"
        )
    return address


def _image_parts(example: Example, max_pixels: int) -> list[dict[str, Any]]:
    there = [picture for picture in example.pictures if picture.path is not None]
    pictures = [encode_for_teacher(picture, max_pixels=max_pixels) for picture in there]
    urls = [
        f"data:image/{picture.kind};base64,{base64.b64encode(picture.data).decode()}"
        for picture in pictures
    ]
    return [{"type": "image_url", "image_url": {"url": url}} for url in urls]
