"""The teacher: a large vision-language model that writes reasoning chains and judges them (JMERE-R1 section 3.2).

``OpenAITeacher`` speaks to any server with OpenAI's chat completions; key and address come from the environment.
Deviations: 1. The paper prints neither temperature nor token limit of the teacher: both are configuration values.
2. A blank picture is left out of the message.
"""

from __future__ import annotations

import asyncio
import base64
import json
import os
import re
from collections.abc import Mapping
from dataclasses import dataclass
from io import BytesIO
from typing import Any, Literal, Protocol
from urllib.parse import urlsplit

import openai

from mmie.data.pictures import open_picture
from mmie.errors import InputError
from mmie.types import Example, Picture

OPENAI_URL = "https://api.openai.com/v1"
LARGEST_CROP = 1 << 22  # pixels
LONGEST_PAUSE = 8.0  # seconds, as in the client's own backoff
LONGEST_REASON = 300  # characters of a server's complaint that are shown
_PICTURE_START = re.compile(
    rb"(?P<png>\x89PNG\r\n\x1a\n)|(?P<jpeg>\xff\xd8\xff)|(?P<gif>GIF8[79]a)|(?P<webp>RIFF.{4}WEBP)", re.DOTALL
)


Purpose = Literal["distil", "repredict", "score"]


@dataclass(frozen=True)
class Request:
    """One question to the teacher.

    Attributes:
        purpose: write a chain, read the quintuples off a chain, or score a chain.
        example, candidate: the sample, whose pictures go with the question, and which of its candidates.
        prompt: the whole text of the question.
        chain: the chain that is judged; empty for ``distil``.
    """

    purpose: Purpose
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

    async def ask(self, request: Request) -> str:
        """The teacher's answer; raises InputError where none can be had."""

    async def close(self) -> None:
        """Ends the connections; the next ``ask`` opens new ones."""


class OpenAITeacher:
    """A model behind OpenAI's chat completions; the client retries with backoff, pictures travel as data URLs."""

    def __init__(
        self,
        *,
        model: str,
        temperature: float,
        max_tokens: int,
        concurrency: int,
        max_retries: int,
        timeout: float,
        api_key_env: str = "OPENAI_API_KEY",
        base_url_env: str = "OPENAI_BASE_URL",
    ) -> None:
        """Connects nowhere yet: the environment is read at the first ``ask``.

        Args:
            model, temperature, max_tokens: go to the server; temperature 0 would make all candidates alike.
            concurrency: requests under way at once.
            max_retries: of one request, by the client and again for bodies that are no chat completion.
            timeout: seconds for one try.
            api_key_env, base_url_env: the environment variables; without an address it is OpenAI itself.
        """
        if concurrency < 1:
            raise InputError(f"teacher.concurrency is {concurrency}: set it to 1 or more")
        self.model = model
        self.parameters: Mapping[str, Any] = {"temperature": temperature, "max_tokens": max_tokens}
        self.concurrency = concurrency
        self._max_retries = max_retries
        self._timeout = timeout
        self._api_key_env = api_key_env
        self._base_url_env = base_url_env
        self._client: openai.AsyncOpenAI | None = None

    async def ask(self, request: Request) -> str:
        """The model's text, "" where there is none or it was cut at ``max_tokens``; InputError without key, picture or answer."""
        client = self._connected()
        content = [*_image_parts(request.example), {"type": "text", "text": request.prompt}]
        pauses = [0.0, *(min(0.5 * 2**n, LONGEST_PAUSE) for n in range(self._max_retries))]
        for pause in pauses:
            await asyncio.sleep(pause)
            answer = _answer_in(await self._post(client, content))
            if answer is not None:
                return answer
        raise self._failure(client, f"{len(pauses)} bodies that are no chat completion")

    async def close(self) -> None:
        """Ends the connections; the next ``ask`` opens new ones."""
        if self._client is not None:
            await self._client.close()
            self._client = None

    def _connected(self) -> openai.AsyncOpenAI:
        if self._client is None:
            self._client = openai.AsyncOpenAI(
                api_key=_key(self._api_key_env),
                base_url=_address(self._base_url_env),
                max_retries=self._max_retries,
                timeout=self._timeout,
            )
        return self._client

    async def _post(self, client: openai.AsyncOpenAI, content: list[Any]) -> bytes:
        try:
            response = await client.chat.completions.with_raw_response.create(
                model=self.model, messages=[{"role": "user", "content": content}], **self.parameters
            )
        except openai.OpenAIError as error:
            raise self._failure(client, f"{error} {error.__cause__ or ''}") from error
        return response.content

    def _failure(self, client: openai.AsyncOpenAI, reason: str) -> InputError:
        server = client.base_url.netloc.decode()
        return InputError(
            f"teacher {self.model} at {server}: {' '.join(reason.split())[:LONGEST_REASON]}; "
            f"check the server, {self._base_url_env}, {self._api_key_env} and teacher.model"
        )


def shown_bytes(picture: Picture) -> bytes:
    """The picture file as it is, or the part that its box shows as PNG; InputError where it cannot be read."""
    path = picture.path
    assert path is not None
    if picture.box is not None:
        content = BytesIO()
        open_picture(picture, max_pixels=LARGEST_CROP).save(content, format="PNG")
        return content.getvalue()
    try:
        return path.read_bytes()
    except OSError as error:
        raise InputError(f"{path}: cannot read the picture ({error.strerror}); put it there") from error


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
        raise InputError(f"environment variable {variable} is no address of a server: set it to one like {OPENAI_URL}")
    return address


def _image_parts(example: Example) -> list[dict[str, Any]]:
    shown = [picture for picture in example.pictures if picture.path is not None]
    return [{"type": "image_url", "image_url": {"url": _data_url(picture)}} for picture in shown]


def _data_url(picture: Picture) -> str:
    data = shown_bytes(picture)
    kind = _PICTURE_START.match(data)
    if kind is None:
        raise InputError(f"{picture.path}: not a PNG, JPEG, GIF or WebP picture; replace the file")
    return f"data:image/{kind.lastgroup};base64,{base64.b64encode(data).decode()}"


def _answer_in(body: bytes) -> str | None:
    """The first choice's text, "" where it is empty or was cut at ``max_tokens``; None where ``body`` is no chat completion."""
    try:
        choice = json.loads(body)["choices"][0]
        text = "" if choice.get("finish_reason") == "length" else choice["message"].get("content") or ""
    except (ValueError, LookupError, TypeError, AttributeError, RecursionError):
        return None
    return text.encode(errors="replace").decode() if isinstance(text, str) else None
